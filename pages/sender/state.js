/**
 * The sender page's state and what follows from it: the phase, the status line, what the laptop is told. Pure.
 */

import { bitrateFor } from "../lib/page/settings.js";
import { stepped } from "./load.js";

/** @typedef {import("../lib/signaling/protocol.js").Phase} Phase */
/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Priority} Priority */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("../lib/page/settings.js").Choice} Choice */
/** @typedef {import("./camera.js").Actual} Actual */
/** @typedef {import("./errors.js").ErrorKind} ErrorKind */
/** @typedef {import("../lib/media/video.js").VideoLimits} VideoLimits */

/**
 * @typedef {object} State
 * @property {Phase} phase follows from the rest, by `phaseOf`
 * @property {ErrorKind | null} error
 * @property {"new" | "started" | "stopped"} run
 * @property {boolean} camera whether it is open
 * @property {"none" | "short" | "long"} outage how long the open camera has given no picture
 * @property {boolean} hidden whether the page is in the background
 * @property {"connecting" | "registered" | "lost"} signaling
 * @property {boolean} blocked several attempts failed, and no socket has ever opened
 * @property {number} receivers how many are in the room
 * @property {number} connected how many get the video
 * @property {boolean} interrupted whether a receiver in the room has lost the video
 * @property {{ deviceId: string, label: string }[]} cameras
 * @property {Choice} choice
 * @property {Actual | null} actual
 * @property {boolean} microphone
 * @property {Priority} priority
 * @property {Codec} codec
 * @property {Codec[]} codecs to choose from
 * @property {number} step how much less than the choice is sent because the phone is busy (load.js)
 * @property {string} notice a sentence for the person, or ""
 * @property {boolean} control whether receivers may control the camera
 * @property {string[]} deeds what receivers did to the camera lately, in sentences, the newest last
 */

/**
 * Why nothing is sent although the camera was opened.
 * @param {Pick<State, "hidden" | "outage">} state
 * @returns {"hidden" | "interrupted" | null}
 */
export function pauseOf({ hidden, outage }) {
  if (hidden) {
    return "hidden";
  }
  return outage === "none" ? null : "interrupted";
}

/**
 * @param {Omit<State, "phase">} state
 * @returns {Phase}
 */
export function phaseOf(state) {
  if (state.error !== null) {
    return "error";
  }
  if (state.run !== "started") {
    return state.run === "new" ? "idle" : "ended";
  }
  if (!state.camera) {
    return "asking";
  }
  if (pauseOf(state) !== null) {
    return "paused";
  }
  if (state.signaling === "lost" || (state.connected === 0 && state.interrupted)) {
    return "reconnecting";
  }
  return state.connected > 0 ? "live" : "connecting";
}

/**
 * The status line.
 * @param {State} state
 * @returns {string}
 */
export function statusOf(state) {
  switch (state.phase) {
    case "asking":
      return "Opening the camera";
    case "live":
      return `Live on ${laptops(state.connected)}`;
    case "paused":
      return state.hidden ? "Paused while this page is hidden" : "Camera interrupted";
    case "reconnecting":
      return reconnecting(state);
    case "connecting":
    case "idle":
      return waiting(state);
    default:
      return "";
  }
}

/** @param {State} state */
function waiting(state) {
  if (state.signaling !== "registered") {
    return "Connecting to the laptop";
  }
  if (state.receivers === 0) {
    return "Waiting for the laptop";
  }
  return state.phase === "idle" ? "The laptop is ready" : "Connecting the video";
}

/** @param {State} state */
function reconnecting(state) {
  if (state.signaling !== "lost") {
    return "Video lost, reconnecting";
  }
  return state.connected > 0
    ? `Live on ${laptops(state.connected)}, server lost`
    : "No answer yet, still trying";
}

/** @param {number} count */
function laptops(count) {
  return count === 1 ? "1 laptop" : `${count} laptops`;
}

/**
 * Size and frame rate in words.
 * @param {Pick<Actual, "width" | "height" | "frameRate">} actual
 * @returns {string} such as "1280×720, 30 fps"
 */
export function describe({ width, height, frameRate }) {
  return `${width}×${height}, ${frameRate} fps`;
}

/**
 * The `state` message's content (docs/protocol.md).
 * @param {State} state
 * @param {Presets} presets
 * @returns {CameraState}
 */
export function cameraState(state, presets) {
  const { actual, choice, microphone, priority, codec, codecs, control } = state;
  const pause = pauseOf(state);
  return {
    status: pause === null ? "live" : "paused",
    reason: pause ?? undefined,
    camera: actual?.label,
    facing: actual?.facing,
    preset: choice.preset,
    width: actual?.width,
    height: actual?.height,
    frameRate: actual?.frameRate,
    microphone,
    presets: Object.keys(presets.presets),
    priority,
    codec,
    codecs,
    notice: busyNotice(state, presets),
    control,
  };
}

/** @typedef {Pick<State, "choice" | "actual" | "priority" | "step">} Sent */

/**
 * What a busy phone sends for now.
 * @param {Sent} state
 * @param {Presets} presets
 * @returns {string} "" while it sends what was chosen
 */
export function busyNotice(state, presets) {
  if (state.step === 0 || !state.actual) {
    return "";
  }
  const { maxFramerate, scaleResolutionDownBy = 1 } = limitsOf(state, presets);
  const width = Math.round(state.actual.width / scaleResolutionDownBy);
  const height = Math.round(state.actual.height / scaleResolutionDownBy);
  const sent = describe({ width, height, frameRate: maxFramerate });
  return `The phone is busy or warm. For now it sends ${sent}.`;
}

/**
 * The limits of what is sent, for this choice with this camera.
 * @param {Sent} state
 * @param {Presets} presets
 * @returns {VideoLimits}
 */
export function limitsOf({ choice, actual, priority, step }, presets) {
  const { preset, width, frameRate } = choice;
  const maxBitrate =
    preset === null ? bitrateFor(choice, presets) : presets.presets[preset].maxBitrate;
  // Some cameras give more than was asked for: then the picture is scaled down before it is sent.
  const longSide = actual ? Math.max(actual.width, actual.height) : width;
  const scaleResolutionDownBy = Math.max(1, longSide / width);
  return stepped({ maxBitrate, maxFramerate: frameRate, scaleResolutionDownBy, priority }, step);
}
