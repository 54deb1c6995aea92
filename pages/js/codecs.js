/**
 * Which video codecs this browser can send, and which of them it offers first.
 * Imports protocol types only; knows neither pages nor peers.
 */

/** @typedef {import("./protocol.js").Codec} Codec */

/** @type {Codec[]} */
const NAMES = ["h264", "vp8", "vp9", "av1"];

/**
 * What a person can choose from.
 * @returns {Codec[]} "auto" first; empty where the browser does not let pages choose
 */
export function codecChoices() {
  if (!window.RTCRtpTransceiver?.prototype.setCodecPreferences) {
    return [];
  }
  const known = new Set(capabilities().map(nameOf));
  return ["auto", ...NAMES.filter((name) => known.has(name))];
}

/**
 * Offer a codec first. All the others stay behind it in the browser's own order, so that a peer which lacks it, or
 * knows VP8 only, still gets a picture (RFC 7742, 5: VP8 and H.264 are what every browser must have).
 * @param {RTCRtpTransceiver} transceiver before the offer is made
 * @param {Codec} choice
 * @param {{ userAgent: string, maxTouchPoints: number }} device such as `navigator`
 */
export function preferCodec(transceiver, choice, device) {
  if (!("setCodecPreferences" in transceiver)) {
    return;
  }
  const wanted = choice === "auto" ? automatic(device) : choice;
  const all = capabilities();
  const first = all.filter((codec) => nameOf(codec) === wanted);
  const others = all.filter((codec) => nameOf(codec) !== wanted);
  try {
    // Not an empty list for the browser's own order: a later offer would repeat the order of the one before.
    transceiver.setCodecPreferences([...first, ...others]);
  } catch (error) {
    // Browsers differ in which codecs they let into this list: their own order serves as well.
    console.warn("Codec:", error);
  }
}

/**
 * Phones have an encoder for H.264 in hardware, and seldom one for VP8 (medium.com/bumble-tech, "WebRTC on Android:
 * how to enable hardware encoding on multiple devices"); that keeps them cool. Elsewhere the browser's own order is
 * kept: VP8 first in Chromium and Firefox.
 * @param {{ userAgent: string, maxTouchPoints: number }} device
 * @returns {Codec | null} null for the browser's own order
 */
function automatic({ userAgent, maxTouchPoints }) {
  // An iPad says that it is a Macintosh; no Macintosh has a touch screen.
  const tablet = /Macintosh/.test(userAgent) && maxTouchPoints > 1;
  return tablet || /Android|iPhone|iPad|iPod/.test(userAgent) ? "h264" : null;
}

/**
 * Those that can be sent and, as browsers ask of this list, received.
 * @returns {RTCRtpCodec[]}
 */
function capabilities() {
  const received = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const sent = new Set((RTCRtpSender.getCapabilities("video")?.codecs ?? []).map(nameOf));
  return received.filter((codec) => sent.has(nameOf(codec)));
}

/** @param {RTCRtpCodec} codec */
function nameOf({ mimeType }) {
  return mimeType.replace(/^video\//i, "").toLowerCase();
}
