/**
 * The loaded sender page: connects the session with the view and with the browser's events. Continues what main.js
 * began.
 */

import { codecChoices } from "../lib/media/video.js";
import { byId, show, View } from "../lib/page/view.js";
import { WordsOpener, wordsPossible } from "../lib/words/opener.js";
import { passes } from "./errors.js";
import { delivers } from "./preview.js";
import { rememberedControl } from "./remote.js";
import { Session } from "./session.js";
import { findElements, listen, render } from "./view.js";

/** @typedef {import("../lib/page/settings.js").Choice} Choice */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("./room.js").Room} Room */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("../lib/check/dialog.js").CheckDialog} CheckDialog */

/** @typedef {{ track: Promise<MediaStreamTrack> }} Opening in an object, so that `await` does not wait for the track */

/**
 * What is already running when the page has loaded.
 * @typedef {object} Begun
 * @property {Presets} presets
 * @property {Choice} choice what the camera is opened with
 * @property {Room} room
 * @property {Promise<Opening | null>} opening null where the camera needs a person's click first
 */

/** When the connection check is loaded, in milliseconds: after the first picture, but before it is needed. */
const CALM = 3_000;

/** @param {Begun} begun what is already running */
export async function openPage(begun) {
  const { presets, room } = begun;
  const elements = findElements(presets);
  const view = new View(initial(begun), (state) => render(elements, state, session.track, presets));
  const session = new Session({
    room,
    presets,
    view,
    delivers: (track) => delivers(elements.preview, track),
  });
  listen(elements, actionsOf(session, view));
  listenToBrowser(session);
  prepareCheck(session, view);
  prepareWords(session, view);
  if (!window.isSecureContext) {
    session.fail("insecure");
    return;
  }
  view.set();
  session.join();
  const opening = await begun.opening;
  const { run, error } = view.state;
  if (opening && run === "new" && (error === null || passes(error))) {
    await session.begin(opening.track);
  } else {
    (await opening?.track)?.stop();
  }
}

/**
 * @param {Session} session
 * @param {View<State>} view
 * @returns {import("./view.js").Actions}
 */
function actionsOf(session, view) {
  return {
    start: () => void session.start(),
    stop: () => session.stop(),
    flip: () => session.flip(),
    retry: () => {
      if (view.state.error === "camera-refused") {
        // Safari asks again only after a reload.
        location.reload();
      } else {
        void session.start();
      }
    },
    retryCamera: () => session.retryCamera(),
    microphone: (on) => session.setMicrophone(on),
    camera: (deviceId) => session.selectCamera(deviceId),
    preset: (name) => session.selectPreset(name),
    resolution: (size) => session.selectCustom(size),
    frameRate: (frameRate) => session.selectCustom({ frameRate }),
    priority: (priority) => session.setPriority(priority),
    codec: (codec) => session.setCodec(codec),
    control: (allowed) => session.setControl(allowed),
    seen: () => session.dismissDeeds(),
  };
}

/** @param {Session} session */
function listenToBrowser(session) {
  document.addEventListener("visibilitychange", () => session.setHidden(document.hidden));
  window.addEventListener("online", () => session.reconnect());
  // A link pasted into the same tab changes the fragment only, and that alone loads nothing.
  window.addEventListener("hashchange", () => location.reload());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      location.reload();
    }
  });
}

/**
 * @param {Session} session
 * @param {View<State>} view
 */
function prepareCheck(session, view) {
  /** @type {Promise<CheckDialog> | null} */
  let loading = null;
  const load = async () => {
    try {
      loading ??= loadCheck(session, view);
      return await loading;
    } catch (error) {
      console.warn("Connection check:", error);
      loading = null;
      return null;
    }
  };
  const open = async () => {
    const dialog = await load();
    if (dialog) {
      dialog.open();
    } else {
      view.set({
        notice: "The connection check could not be loaded because the server does not answer.",
      });
    }
  };
  for (const opener of document.querySelectorAll(".check-open")) {
    opener.addEventListener("click", () => void open());
  }
  setTimeout(() => void load(), CALM);
}

/**
 * @param {Session} session
 * @param {View<State>} view
 */
function prepareWords(session, view) {
  const words = new WordsOpener(
    () => session.connections(),
    (notice) => view.set({ notice }),
  );
  const opener = byId("words-open", HTMLButtonElement);
  show(opener, wordsPossible());
  opener.onclick = () => void words.open();
}

/**
 * @param {Session} session
 * @param {View<State>} view
 */
async function loadCheck(session, view) {
  const { CheckDialog } = await import("../lib/check/dialog.js");
  return new CheckDialog("sender page", () => ({
    signaling: session.signaling,
    camera: { open: view.state.camera, error: view.state.error },
  }));
}

/**
 * @param {Begun} begun
 * @returns {State}
 */
function initial({ choice }) {
  return {
    phase: "idle",
    error: null,
    run: "new",
    camera: false,
    outage: "none",
    hidden: document.hidden,
    signaling: "connecting",
    blocked: false,
    receivers: 0,
    connected: 0,
    interrupted: false,
    cameras: [],
    choice,
    actual: null,
    microphone: false,
    priority: "smooth",
    codec: "auto",
    codecs: codecChoices(),
    step: 0,
    notice: "",
    control: rememberedControl(),
    deeds: [],
  };
}
