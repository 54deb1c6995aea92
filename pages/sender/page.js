/**
 * The sender page, loaded: puts the session and the view together, and hands on what the browser tells.
 * Goes on with what the entry, sender.js, began.
 */

import { delivers } from "./preview.js";
import { passes } from "./errors.js";
import { Sender } from "./session.js";
import { listen, render, senderElements } from "./view.js";
import { codecChoices } from "../lib/media/video.js";
import { byId, show, View } from "../lib/page/view.js";
import { WordsOpener, wordsPossible } from "../lib/words/opener.js";

/** @typedef {import("../lib/page/settings.js").Choice} Choice */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("./room.js").Room} Room */
/** @typedef {import("./state.js").SenderState} SenderState */
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

/** When the connection check is fetched, in milliseconds: after the first picture, for when the server is away. */
const CALM = 3_000;

/** @param {Begun} begun what runs already */
export async function openPage(begun) {
  const { presets, room } = begun;
  const elements = senderElements(presets);
  const view = new View(initial(begun), (state) => render(elements, state, sender.track, presets));
  const sender = new Sender({
    room,
    presets,
    view,
    delivers: (track) => delivers(elements.preview, track),
  });
  listen(elements, actionsOf(sender, view));
  listenToBrowser(sender);
  prepareCheck(sender, view);
  prepareWords(sender, view);
  if (!window.isSecureContext) {
    sender.fail("insecure");
    return;
  }
  view.set();
  sender.join();
  const opening = await begun.opening;
  const { run, error } = view.state;
  if (opening && run === "new" && (error === null || passes(error))) {
    await sender.begin(opening.track);
  } else {
    (await opening?.track)?.stop();
  }
}

/**
 * @param {Sender} sender
 * @param {View<SenderState>} view
 * @returns {import("./view.js").Actions}
 */
function actionsOf(sender, view) {
  return {
    start: () => void sender.start(),
    stop: () => sender.stop(),
    flip: () => sender.flip(),
    retry: () => {
      if (view.state.error === "camera-refused") {
        // Safari asks again only after the page was loaded anew.
        location.reload();
      } else {
        void sender.start();
      }
    },
    retryCamera: () => sender.retryCamera(),
    microphone: (on) => sender.setMicrophone(on),
    camera: (deviceId) => sender.selectCamera(deviceId),
    preset: (name) => sender.selectPreset(name),
    resolution: (size) => sender.selectCustom(size),
    frameRate: (frameRate) => sender.selectCustom({ frameRate }),
    priority: (priority) => sender.setPriority(priority),
    codec: (codec) => sender.setCodec(codec),
  };
}

/** @param {Sender} sender */
function listenToBrowser(sender) {
  document.addEventListener("visibilitychange", () => sender.setHidden(document.hidden));
  window.addEventListener("online", () => sender.reconnect());
  // A new link in the same tab differs in the fragment only, which loads nothing by itself.
  window.addEventListener("hashchange", () => location.reload());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      location.reload();
    }
  });
}

/**
 * @param {Sender} sender
 * @param {View<SenderState>} view
 */
function prepareCheck(sender, view) {
  /** @type {Promise<CheckDialog> | null} */
  let loading = null;
  const load = async () => {
    try {
      loading ??= loadCheck(sender, view);
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
      view.set({ notice: "The connection check could not be loaded: the server does not answer." });
    }
  };
  for (const opener of document.querySelectorAll(".check-open")) {
    opener.addEventListener("click", () => void open());
  }
  setTimeout(() => void load(), CALM);
}

/**
 * @param {Sender} sender
 * @param {View<SenderState>} view
 */
function prepareWords(sender, view) {
  const words = new WordsOpener(
    async () => {
      const connections = await sender.connections();
      return connections.map((connection, index) => ({
        label: connections.length === 1 ? "Laptop" : `Laptop ${index + 1}`,
        connection,
      }));
    },
    (notice) => view.set({ notice }),
  );
  const opener = byId("words-open", HTMLButtonElement);
  show(opener, wordsPossible());
  opener.onclick = () => void words.open();
}

/**
 * @param {Sender} sender
 * @param {View<SenderState>} view
 */
async function loadCheck(sender, view) {
  const { CheckDialog } = await import("../lib/check/dialog.js");
  return new CheckDialog("sender page", () => ({
    signaling: sender.signaling,
    camera: { open: view.state.camera, error: view.state.error },
  }));
}

/**
 * @param {Begun} begun
 * @returns {SenderState}
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
  };
}
