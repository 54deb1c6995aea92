/**
 * The sender page's state and what follows from it: the phase, the status line, what the laptop is told.
 * Imports presets and sender-adaptation. Pure: no DOM, no camera, no socket.
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
 * @typedef {object} SenderState
 * @property {Phase} phase follows from the rest, by `phaseOf`
 * @property {ErrorKind | null} error
 * @property {"new" | "started" | "stopped"} run
 * @property {boolean} camera whether it is open
 * @property {"none" | "short" | "long"} outage whether the camera that was open gives no picture, and for how long
 * @property {boolean} hidden whether the page is in the background
 * @property {"connecting" | "registered" | "lost"} signaling
 * @property {boolean} blocked several attempts, and never once was a socket opened
 * @property {number} receivers those in the room
 * @property {number} connected those that get the video
 * @property {boolean} interrupted whether one of those in the room got the video before and does not now
 * @property {{ deviceId: string, label: string }[]} cameras
 * @property {Choice} choice
 * @property {Actual | null} actual
 * @property {boolean} microphone
 * @property {Priority} priority
 * @property {Codec} codec
 * @property {Codec[]} codecs those to choose from
 * @property {number} step how far below the choice it is sent because the phone is busy (sender-adaptation)
 * @property {string} notice a sentence to read once, or ""
 */

/**
 * Why nothing is sent though the camera was opened.
 * @param {Pick<SenderState, "hidden" | "outage">} state
 * @returns {"hidden" | "interrupted" | null}
 */
export function pauseOf({ hidden, outage }) {
  if (hidden) {
    return "hidden";
  }
  return outage === "none" ? null : "interrupted";
}

/**
 * @param {Omit<SenderState, "phase">} state
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
 * @param {SenderState} state
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

/** @param {SenderState} state */
function waiting(state) {
  if (state.signaling !== "registered") {
    return "Connecting to the laptop";
  }
  if (state.receivers === 0) {
    return "Waiting for the laptop";
  }
  return state.phase === "idle" ? "The laptop is ready" : "Connecting the video";
}

/** @param {SenderState} state */
function reconnecting(state) {
  if (state.signaling !== "lost") {
    return "Video lost, connecting again";
  }
  return state.connected > 0
    ? `Still live on ${laptops(state.connected)}, server lost`
    : "No answer yet, trying again";
}

/** @param {number} count */
function laptops(count) {
  return count === 1 ? "1 laptop" : `${count} laptops`;
}

/**
 * Size and rate for a person.
 * @param {Pick<Actual, "width" | "height" | "frameRate">} actual
 * @returns {string} such as "1280×720, 30 fps"
 */
export function describe({ width, height, frameRate }) {
  return `${width}×${height}, ${frameRate} fps`;
}

/**
 * The `state` message's content (docs/protocol.md).
 * @param {SenderState} state
 * @param {Presets} presets
 * @returns {CameraState}
 */
export function cameraState(state, presets) {
  const { actual, choice, microphone, priority, codec, codecs } = state;
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
  };
}

/** @typedef {Pick<SenderState, "choice" | "actual" | "priority" | "step">} Sent */

/**
 * What a busy phone sends for now.
 * @param {Sent} state
 * @param {Presets} presets
 * @returns {string} "" while what was chosen is sent
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
 * What is sent at most, for this choice with this camera.
 * @param {Sent} state
 * @param {Presets} presets
 * @returns {VideoLimits}
 */
export function limitsOf({ choice, actual, priority, step }, presets) {
  const { preset, width, frameRate } = choice;
  const maxBitrate =
    preset === null ? bitrateFor(choice, presets) : presets.presets[preset].maxBitrate;
  // Some cameras give more than was wished: then it is scaled down before it is sent.
  const longSide = actual ? Math.max(actual.width, actual.height) : width;
  const scaleResolutionDownBy = Math.max(1, longSide / width);
  return stepped({ maxBitrate, maxFramerate: frameRate, scaleResolutionDownBy, priority }, step);
}
