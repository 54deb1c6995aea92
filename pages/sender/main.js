/**
 * The sender page's entry: joins the room, opens the camera and sends it, while the rest of the page still loads.
 * Imports only what that needs; everything else is sender-page.
 */

import { loaded, pause } from "../lib/page/loading.js";
import { cameraPermission, hintContent, openCamera } from "../lib/media/media.js";
import { Room } from "./room.js";
import { firstChoice, firstLimits, readFragment, readPresets } from "../lib/page/settings.js";

/** @typedef {import("./page.js").Begun} Begun */
/** @typedef {import("./page.js").Opening} Opening */

/** How long the first picture takes to be encoded and sent, in milliseconds, once there is a connection. */
const FIRST_PICTURE = 200;
/** How long it may take in all, in milliseconds, before the rest of the page is loaded whatever happens. */
const HEAD_START = 900;

const presets = readPresets();
const choice = firstChoice(presets);
const room = new Room({
  link: readFragment(location.hash),
  relayOnly: new URLSearchParams(location.search).get("relay") === "1",
});
if (window.isSecureContext) {
  room.signaling.open();
}
load({ presets, choice, room, opening: openPermitted() });

/** @returns {Promise<Opening | null>} */
async function openPermitted() {
  if (!window.isSecureContext || (await cameraPermission()) !== "granted") {
    return null;
  }
  const track = openFirst();
  room.receivers.begin(firstLimits(presets));
  // Whoever takes it over hears of a failure; until then it is not one that nobody handles.
  track.catch(() => {});
  return { track };
}

async function openFirst() {
  const track = await openCamera(choice);
  hintContent(track, "smooth");
  room.receivers.setTrack("video", track);
  return track;
}

/**
 * The first picture has the phone's processor for itself, where somebody is there to see it: loading the page meanwhile
 * costs it a third more time.
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

/** The script is async: it may run while the browser still reads the page. */
async function parsed() {
  if (document.readyState === "loading") {
    await new Promise((resolve) => {
      document.addEventListener("DOMContentLoaded", resolve, { once: true });
    });
  }
}
