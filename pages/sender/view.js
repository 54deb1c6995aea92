/**
 * The sender page's elements: draws the state, and reports what a person does.
 */

import { numbered } from "../lib/page/names.js";
import { byId, closeByBackdrop, mirror, show, text } from "../lib/page/view.js";
import { CODECS } from "./codecs.js";
import { problem } from "./errors.js";
import { showTrack } from "./preview.js";
import { busyNotice, describe, statusOf } from "./state.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Priority} Priority */

/**
 * @typedef {object} Actions
 * @property {() => void} start
 * @property {() => void} stop
 * @property {() => void} flip
 * @property {() => void} retry
 * @property {() => void} retryCamera
 * @property {(on: boolean) => void} microphone
 * @property {(deviceId: string) => void} camera
 * @property {(name: string) => void} preset
 * @property {(choice: { width: number, height: number }) => void} resolution
 * @property {(frameRate: number) => void} frameRate
 * @property {(priority: Priority) => void} priority
 * @property {(codec: Codec) => void} codec
 * @property {(allowed: boolean) => void} control whether receivers may control the camera
 * @property {() => void} seen the person has seen what receivers did
 */

/** The share of the picture that may be cropped to fill the screen. */
const MAX_CROP = 0.3;

/** @type {Record<string, { title: string, lead: string, button: string }>} */
const SCREENS = {
  idle: {
    title: "Use this phone as your laptop’s camera",
    lead: "The browser will ask for the camera. The video goes only to the laptop. Nothing is recorded.",
    button: "Start",
  },
  asking: {
    title: "Opening the camera",
    lead: "If the browser asks, allow the camera for this page.",
    button: "Start",
  },
  ended: {
    title: "Stopped",
    lead: "The camera is off. The laptop gets nothing from this phone.",
    button: "Start again",
  },
};

/** @param {Presets} presets */
export function findElements(presets) {
  const elements = {
    title: byId("title", HTMLHeadingElement),
    lead: byId("lead", HTMLParagraphElement),
    start: byId("start", HTMLButtonElement),
    errorTitle: byId("error-title", HTMLHeadingElement),
    errorHelp: byId("error-help", HTMLDivElement),
    errorLink: byId("error-link", HTMLAnchorElement),
    retry: byId("retry", HTMLButtonElement),
    preview: byId("preview", HTMLVideoElement),
    status: byId("status", HTMLSpanElement),
    actual: byId("actual", HTMLSpanElement),
    sending: byId("sending", HTMLSpanElement),
    notice: byId("notice", HTMLParagraphElement),
    deeds: byId("deeds", HTMLDivElement),
    deedsText: byId("deeds-text", HTMLDivElement),
    seen: byId("deeds-seen", HTMLButtonElement),
    refuse: byId("deeds-refuse", HTMLButtonElement),
    control: byId("control", HTMLInputElement),
    blocked: byId("blocked", HTMLParagraphElement),
    outage: byId("outage", HTMLParagraphElement),
    retryCamera: byId("retry-camera", HTMLButtonElement),
    microphone: byId("microphone", HTMLButtonElement),
    flip: byId("flip", HTMLButtonElement),
    stop: byId("stop", HTMLButtonElement),
    settings: byId("settings", HTMLButtonElement),
    sheet: byId("sheet", HTMLDialogElement),
    close: byId("close", HTMLButtonElement),
    camera: byId("camera", HTMLSelectElement),
    presets: byId("presets", HTMLFieldSetElement),
    custom: byId("custom", HTMLSpanElement),
    resolution: byId("resolution", HTMLSelectElement),
    frameRate: byId("framerate", HTMLSelectElement),
    priorities: byId("priorities", HTMLFieldSetElement),
    codec: byId("codec", HTMLSelectElement),
    codecField: byId("codec-field", HTMLLabelElement),
  };
  for (const [name, { label }] of Object.entries(presets.presets)) {
    elements.presets.append(presetChoice(name, label));
  }
  return elements;
}

/** @typedef {ReturnType<typeof findElements>} Elements */

/**
 * @param {Elements} elements
 * @param {Actions} actions
 */
export function listen(elements, actions) {
  elements.start.onclick = actions.start;
  elements.retry.onclick = actions.retry;
  elements.retryCamera.onclick = actions.retryCamera;
  elements.stop.onclick = actions.stop;
  elements.flip.onclick = actions.flip;
  elements.microphone.onclick = () =>
    actions.microphone(elements.microphone.getAttribute("aria-checked") !== "true");
  elements.settings.onclick = () => elements.sheet.showModal();
  elements.close.onclick = () => elements.sheet.close();
  closeByBackdrop(elements.sheet);
  elements.camera.onchange = () => actions.camera(elements.camera.value);
  elements.presets.onchange = ({ target }) => {
    if (target instanceof HTMLInputElement) {
      actions.preset(target.value);
    }
  };
  elements.resolution.onchange = () => {
    const [width, height] = elements.resolution.value.split("x").map(Number);
    actions.resolution({ width, height });
  };
  elements.frameRate.onchange = () => actions.frameRate(Number(elements.frameRate.value));
  elements.priorities.onchange = ({ target }) => {
    if (target instanceof HTMLInputElement) {
      actions.priority(/** @type {Priority} */ (target.value));
    }
  };
  elements.codec.onchange = () => actions.codec(/** @type {Codec} */ (elements.codec.value));
  elements.control.onchange = () => actions.control(elements.control.checked);
  elements.refuse.onclick = () => actions.control(false);
  elements.seen.onclick = actions.seen;
  elements.preview.onresize = () => fit(elements.preview);
  window.addEventListener("resize", () => fit(elements.preview));
}

/**
 * @param {Elements} elements
 * @param {State} state
 * @param {MediaStreamTrack | null} track of the camera
 * @param {Presets} presets
 */
export function render(elements, state, track, presets) {
  drawScreen(elements, state);
  drawPreview(elements, state, track);
  text(elements.status, statusOf(state));
  const notice = [state.notice, busyNotice(state, presets)].filter(Boolean).join(" ");
  text(elements.notice, notice);
  show(elements.notice, notice !== "");
  drawSteps(elements.deedsText, state.deeds);
  show(elements.deeds, state.deeds.length > 0);
  show(elements.blocked, state.blocked && state.signaling === "lost");
  show(elements.outage, state.phase === "paused" && state.outage === "long");
  elements.microphone.setAttribute("aria-checked", String(state.microphone));
  drawSettings(elements, state);
  if (state.phase === "error" || state.phase === "ended") {
    elements.sheet.close();
  }
}

/**
 * @param {Elements} elements
 * @param {State} state
 */
function drawScreen(elements, state) {
  const screen = SCREENS[state.phase];
  if (screen) {
    text(elements.title, screen.title);
    text(elements.lead, screen.lead);
    text(elements.start, screen.button);
  }
  if (state.error !== null) {
    const { title, help, retry, link } = problem(state.error, navigator, location);
    text(elements.errorTitle, title);
    drawSteps(elements.errorHelp, help);
    text(elements.retry, retry ?? "");
    show(elements.retry, retry !== undefined);
    text(elements.errorLink, link?.text ?? "");
    elements.errorLink.href = link?.href ?? "";
    show(elements.errorLink, link !== undefined);
  }
}

/**
 * @param {HTMLElement} box
 * @param {string[]} steps a paragraph for each
 */
function drawSteps(box, steps) {
  if ([...box.children].map((child) => child.textContent).join() !== steps.join()) {
    const paragraphs = steps.map((step) => {
      const paragraph = document.createElement("p");
      paragraph.textContent = step;
      return paragraph;
    });
    box.replaceChildren(...paragraphs);
  }
}

/**
 * @param {Elements} elements
 * @param {State} state
 * @param {MediaStreamTrack | null} track
 */
function drawPreview({ preview, actual, sending }, state, track) {
  showTrack(preview, track);
  mirror(preview, "facing", state.actual?.facing ?? null);
  const seen = state.actual;
  const settings = seen && `${seen.width}x${seen.height}@${seen.frameRate}`;
  mirror(document.documentElement, "settings", settings);
  text(actual, seen ? describe(seen) : "");
  text(sending, seen ? `The camera is set to ${describe(seen)}.` : "");
}

/**
 * @param {Elements} elements
 * @param {State} state
 */
function drawSettings(elements, state) {
  const { choice, cameras, actual } = state;
  elements.flip.disabled = cameras.length === 1;
  drawCameras(elements.camera, cameras, actual?.deviceId);
  for (const input of elements.presets.querySelectorAll("input")) {
    input.checked = input.value === choice.preset;
  }
  show(elements.custom, choice.preset === null);
  choose(
    elements.resolution,
    `${choice.width}x${choice.height}`,
    `${choice.width}×${choice.height}`,
  );
  choose(elements.frameRate, String(choice.frameRate), `${choice.frameRate} fps`);
  for (const input of elements.priorities.querySelectorAll("input")) {
    input.checked = input.value === state.priority;
  }
  elements.control.checked = state.control;
  show(elements.codecField, state.codecs.length > 0);
  state.codecs.forEach((codec) => choose(elements.codec, codec, CODECS[codec]));
  elements.codec.value = state.codec;
}

/**
 * @param {HTMLSelectElement} select
 * @param {State["cameras"]} cameras
 * @param {string | undefined} deviceId of the open one
 */
function drawCameras(select, cameras, deviceId) {
  const known = [...select.options].map((option) => `${option.value} ${option.text}`).join();
  /** @type {string[]} */
  const labels = [];
  for (const [index, camera] of cameras.entries()) {
    labels.push(numbered(camera.label || `Camera ${index + 1}`, labels));
  }
  const options = cameras.map(({ deviceId: id }, index) => new Option(labels[index], id));
  // Filling it again would close it under the finger: only if the list has changed.
  if (options.map((option) => `${option.value} ${option.text}`).join() !== known) {
    select.replaceChildren(...options);
  }
  if (deviceId !== undefined) {
    select.value = deviceId;
  }
}

/**
 * Choose an option. Adds it if it is missing, because a preset of the configuration may be an unusual one.
 * @param {HTMLSelectElement} select
 * @param {string} value
 * @param {string} label
 */
function choose(select, value, label) {
  if (![...select.options].some((option) => option.value === value)) {
    select.add(new Option(label, value));
  }
  select.value = value;
}

/**
 * Fill the screen if only little of the picture is lost, else show the whole picture.
 * @param {HTMLVideoElement} video
 */
function fit(video) {
  const picture = video.videoWidth / video.videoHeight;
  const box = video.clientWidth / video.clientHeight;
  const crop = 1 - Math.min(picture, box) / Math.max(picture, box);
  mirror(video, "fit", crop <= MAX_CROP ? "cover" : "contain");
}

/**
 * @param {string} name
 * @param {string} label
 */
function presetChoice(name, label) {
  const input = document.createElement("input");
  input.type = "radio";
  input.name = "preset";
  input.id = `preset-${name}`;
  input.value = name;
  const caption = document.createElement("span");
  caption.textContent = label;
  const choice = document.createElement("label");
  choice.append(input, caption);
  return choice;
}
