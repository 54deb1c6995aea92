/**
 * The sender page's entry: puts the session and the view together, and hands on what the browser tells.
 */

import { codecChoices } from "./codecs.js";
import { cameraPermission } from "./media.js";
import { readPresets } from "./presets.js";
import { readFragment } from "./protocol.js";
import { Sender } from "./sender-session.js";
import { listen, render, senderElements } from "./sender-view.js";
import { View } from "./view.js";

/** @typedef {import("./sender-state.js").SenderState} SenderState */
/** @typedef {import("./presets.js").Presets} Presets */

const presets = readPresets();
const elements = senderElements(presets);
/** @type {Promise<import("./check-dialog.js").CheckDialog> | null} */
let check = null;
const view = new View(initial(presets), (state) => render(elements, state, sender.track, presets));
const sender = new Sender({
  link: readFragment(location.hash),
  relayOnly: new URLSearchParams(location.search).get("relay") === "1",
  presets,
  view,
});

listen(elements, {
  start: () => start(),
  stop: () => sender.stop(),
  flip: () => sender.flip(),
  retry: () => retry(),
  microphone: (on) => sender.setMicrophone(on),
  camera: (deviceId) => sender.selectCamera(deviceId),
  preset: (name) => sender.selectPreset(name),
  resolution: (size) => sender.selectCustom(size),
  frameRate: (frameRate) => sender.selectCustom({ frameRate }),
  priority: (priority) => sender.setPriority(priority),
  codec: (codec) => sender.setCodec(codec),
});
for (const opener of document.querySelectorAll(".check-open")) {
  opener.addEventListener("click", openCheck);
}
document.addEventListener("visibilitychange", () => sender.setHidden(document.hidden));
window.addEventListener("online", () => sender.reconnect());
// A new link in the same tab differs in the fragment only, which loads nothing by itself.
window.addEventListener("hashchange", () => location.reload());
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});
begin();

async function begin() {
  if (!window.isSecureContext) {
    sender.fail("insecure");
    return;
  }
  sender.connect();
  if ((await cameraPermission()) === "granted" && view.state.phase === "idle") {
    await start();
  }
}

/** Once the camera is open nothing waits for the check: it is fetched now, for when the server is away. */
async function start() {
  await sender.start();
  await prepareCheck();
}

function retry() {
  if (view.state.error === "camera-refused") {
    // Safari asks again only after the page was loaded anew.
    location.reload();
  } else {
    sender.start();
  }
}

async function prepareCheck() {
  try {
    check ??= loadCheck();
    return await check;
  } catch (error) {
    console.warn("Connection check:", error);
    check = null;
    return null;
  }
}

async function openCheck() {
  const dialog = await prepareCheck();
  if (dialog) {
    dialog.open();
  } else {
    view.set({ notice: "The connection check could not be loaded: the server does not answer." });
  }
}

async function loadCheck() {
  const { CheckDialog } = await import("./check-dialog.js");
  return new CheckDialog("sender page", () => ({
    signaling: sender.signaling,
    camera: { open: view.state.camera, error: view.state.error },
  }));
}

/**
 * @param {Presets} known
 * @returns {SenderState}
 */
function initial(known) {
  const { width, height, frameRate } = known.presets[known.default];
  return {
    phase: "idle",
    error: null,
    run: "new",
    camera: false,
    hidden: document.hidden,
    signaling: "connecting",
    blocked: false,
    receivers: 0,
    connected: 0,
    interrupted: false,
    cameras: [],
    choice: { facing: "environment", width, height, frameRate, preset: known.default },
    actual: null,
    microphone: false,
    priority: "smooth",
    codec: "auto",
    codecs: codecChoices(),
    step: 0,
    notice: "",
  };
}
