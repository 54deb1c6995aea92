/**
 * What of a camera is sent at most: size, rate and bits, as an RTCRtpSender takes them, and which of them goes last.
 * Imports types only.
 */

/**
 * @typedef {object} VideoLimits
 * @property {number} maxBitrate in bits per second
 * @property {number} maxFramerate in frames per second
 * @property {number} [scaleResolutionDownBy] 1 sends the camera's size, 2 half of it
 * @property {import("./protocol.js").Priority} [priority] "smooth" if left out
 */

/** @typedef {RTCRtpSendParameters & { degradationPreference?: string }} Parameters TypeScript lacks the member. */

/**
 * Cap what a sender sends.
 * @param {RTCRtpSender | undefined} sender
 * @param {VideoLimits | null} limits
 * @param {{ settled: boolean }} connection whether it has run for a while
 */
export async function applyLimits(sender, limits, { settled }) {
  const parameters = sender?.getParameters();
  // Firefox has no encodings before the negotiation; they are set after the answer.
  if (!sender || !parameters?.encodings?.length || !limits) {
    return;
  }
  Object.assign(parameters.encodings[0], encoding(limits));
  // Before there is an estimate of the bandwidth, Firefox makes the first picture smaller unless the resolution is
  // to be kept, in every call until then; it does not know x-google-start-bitrate.
  const sharp = !settled || limits.priority === "sharp";
  /** @type {Parameters} */ (parameters).degradationPreference = sharp
    ? "maintain-resolution"
    : "maintain-framerate";
  await sender.setParameters(parameters);
}

/**
 * The limits as WebRTC takes them.
 * @param {VideoLimits} limits
 * @returns {RTCRtpEncodingParameters}
 */
export function encoding({ maxBitrate, maxFramerate, scaleResolutionDownBy }) {
  return { maxBitrate, maxFramerate, scaleResolutionDownBy: scaleResolutionDownBy ?? 1 };
}

/**
 * The rate to begin with: higher starts are known to make slow links choppy for half a minute.
 * @param {number} target in bits per second
 * @returns {number} in kbit/s
 */
export function startBitrate(target) {
  return Math.round(Math.min((0.9 * target) / 1000, 1000));
}
