/**
 * The sender page's entry: joins the room, opens the camera and sends it, while the rest of the page is still loading.
 * Imports only what that needs; page.js brings everything else.
 */

import { cameraPermission, hintContent, openCamera } from "../lib/media/media.js";
import { takeBegun } from "../lib/page/begun.js";
import { loaded, pause } from "../lib/page/loading.js";
import {
  firstChoice,
  firstLimits,
  readFragment,
  readPresets,
  takeLink,
} from "../lib/page/settings.js";
import { Device } from "./device.js";
import { Room } from "./room.js";

/** @typedef {import("./page.js").Begun} Begun */
/** @typedef {import("./page.js").Opening} Opening */

/** How long it takes to encode and send the first picture once there is a connection, in milliseconds. */
const FIRST_PICTURE = 200;
/** How long the server waits for a browser that takes its time to tell the phone's model, in milliseconds. */
const MODEL = 50;
/** How long the rest of the page waits for the first picture at most, in milliseconds. */
const HEAD_START = 900;

const presets = readPresets();
const choice = firstChoice(presets);
const begun = takeBegun();
const device = new Device();
const room = new Room({
  // An insecure page only hands the link on to the secure one.
  link: window.isSecureContext ? takeLink() : readFragment(location.hash),
  device,
  begun,
  relayOnly: new URLSearchParams(location.search).get("relay") === "1",
});
if (window.isSecureContext) {
  void Promise.race([device.asked, pause(MODEL)]).then(() => room.signaling.open());
}
load({ presets, choice, room, opening: openPermitted() });

/** @returns {Promise<Opening | null>} */
async function openPermitted() {
  const camera = await (begun.camera ?? askForCamera());
  if (camera === null) {
    return null;
  }
  const track = openFirst(camera.opening);
  room.receivers.begin(firstLimits(presets));
  // The page handles a failure once it has loaded; until then it must not count as unhandled.
  track.catch(() => {});
  return { track };
}

/** What the script in the page does, where that did not run. */
async function askForCamera() {
  const granted = window.isSecureContext && (await cameraPermission()) === "granted";
  return granted ? { opening: null } : null;
}

/** @param {Promise<MediaStream> | null} opening of the chosen camera, if it has begun already */
async function openFirst(opening) {
  const begun = await opening?.catch(() => null);
  const track = begun?.getVideoTracks()[0] ?? (await openCamera(choice));
  hintContent(track, "smooth");
  room.receivers.setTrack("video", track);
  return track;
}

/**
 * If somebody is there to see it, the first picture gets the phone's processor for itself: it takes a third longer if
 * the page loads at the same time.
 * @param {Begun} begun
 */
async function pictureIsOut({ opening }) {
  if (await opening) {
    const out = room.audience.then((there) => (there ? pause(FIRST_PICTURE) : undefined));
    await Promise.race([out, pause(HEAD_START)]);
  }
}

/** @param {Begun} begun */
async function load(begun) {
  await pictureIsOut(begun);
  const [{ openPage }] = await Promise.all([loaded(() => import("./page.js")), parsed()]);
  openPage(begun);
}

/** The script is async: it may run while the browser is still reading the page. */
async function parsed() {
  if (document.readyState === "loading") {
    await new Promise((resolve) => {
      document.addEventListener("DOMContentLoaded", resolve, { once: true });
    });
  }
}
