/**
 * Reads the `state` of a phone. The server does not check what is in it. Pure.
 */

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */

const MAX_LABEL = 64;
const MAX_PRESETS = 16;
const MAX_NOTICE = 160;

/**
 * Keep what has the right type, and leave out the rest.
 * @param {Record<string, unknown>} raw
 * @returns {CameraState}
 */
export function readCameraState(raw) {
  return {
    status: raw.status === "paused" ? "paused" : "live",
    reason: label(raw.reason),
    camera: label(raw.camera),
    facing: raw.facing === "user" || raw.facing === "environment" ? raw.facing : undefined,
    preset: label(raw.preset) ?? null,
    priority: raw.priority === "smooth" || raw.priority === "sharp" ? raw.priority : undefined,
    notice: typeof raw.notice === "string" ? raw.notice.slice(0, MAX_NOTICE) : undefined,
    control: raw.control !== false,
    microphone: typeof raw.microphone === "boolean" ? raw.microphone : undefined,
    presets: Array.isArray(raw.presets)
      ? raw.presets.slice(0, MAX_PRESETS).flatMap((name) => label(name) ?? [])
      : [],
  };
}

/** @param {unknown} value */
function label(value) {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_LABEL) : undefined;
}
