/**
 * How long media waits before it is shown: none by default, more on a link that shakes. Remembers what was chosen.
 */

/** In milliseconds; browsers take up to 4000. */
export const MAX_BUFFER = 1_000;

const KEY = "lenscast.buffer";

/** @returns {number} in milliseconds; 0 where nothing was remembered */
export function rememberedBuffer() {
  try {
    return clamp(Number(localStorage.getItem(KEY)));
  } catch {
    // Storage may be blocked for this page: then every visit begins at 0.
    return 0;
  }
}

/** @param {number} buffer in milliseconds */
export function rememberBuffer(buffer) {
  try {
    localStorage.setItem(KEY, String(clamp(buffer)));
  } catch {
    // As above: it holds for this visit.
  }
}

/**
 * Ask the browser to keep this much; it may keep more, and does so for sound and picture alike to hold them together.
 * @param {RTCRtpReceiver} receiver
 * @param {number} buffer in milliseconds
 */
export function applyBuffer(receiver, buffer) {
  const old = /** @type {RTCRtpReceiver & { playoutDelayHint?: number | null }} */ (receiver);
  if ("jitterBufferTarget" in receiver) {
    receiver.jitterBufferTarget = buffer;
  } else if ("playoutDelayHint" in old) {
    // The name before, in seconds (Chromium before 124).
    old.playoutDelayHint = buffer / 1000;
  }
}

/** @param {number} value */
function clamp(value) {
  return Number.isFinite(value) ? Math.min(Math.max(Math.round(value), 0), MAX_BUFFER) : 0;
}
