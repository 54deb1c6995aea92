/**
 * What of a camera is sent at most: size, rate and bits, as an RTCRtpSender takes them. Imports nothing.
 */

/**
 * @typedef {object} VideoLimits
 * @property {number} maxBitrate in bits per second
 * @property {number} maxFramerate in frames per second
 * @property {number} [scaleResolutionDownBy] 1 sends the camera's size, 2 half of it
 */

/**
 * Cap what a sender sends.
 * @param {RTCRtpSender | undefined} sender
 * @param {VideoLimits | null} limits
 */
export async function applyLimits(sender, limits) {
  const parameters = sender?.getParameters();
  // Firefox has no encodings before the negotiation; they are set after the answer.
  if (!sender || !parameters?.encodings?.length || !limits) {
    return;
  }
  Object.assign(parameters.encodings[0], encoding(limits));
  /** @type {RTCRtpSendParameters & { degradationPreference?: string }} */ (
    parameters
  ).degradationPreference = "maintain-framerate";
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
