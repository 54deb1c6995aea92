/** How video is sent: which codec is offered first, the rate it begins with, and the limits of size, rate and bits. */

/** @typedef {import("../signaling/protocol.js").Codec} Codec */

/**
 * @typedef {object} VideoLimits
 * @property {number} maxBitrate in bits per second
 * @property {number} maxFramerate in frames per second
 * @property {number} [scaleResolutionDownBy] 1 sends the camera's size, 2 half of it
 * @property {import("../signaling/protocol.js").Priority} [priority] "smooth" if left out
 */

/** @typedef {RTCRtpSendParameters & { degradationPreference?: string }} Parameters TypeScript lacks the member. */

/** @type {VideoLimits} of a screen: text is to be sharp, and changes seldom */
export const SCREEN = { maxBitrate: 2_500_000, maxFramerate: 15, priority: "sharp" };

/** After this time connected, in milliseconds, the bandwidth is known and the picture may be made smaller. */
const SETTLING = 3_000;
/** How much the connection may carry beside the video's own rate, as a share of it: what a probe looks for. */
const HEADROOM = 4 / 3;

/** What one connection sends of a camera or a screen, as its person chose it and as its network allows. */
export class OutgoingVideo {
  #limits;
  #codec;
  /** @type {RTCRtpTransceiver | null} */
  #transceiver = null;
  #settled = false;
  #settlingTimer = 0;

  /**
   * @param {VideoLimits | null} limits those to begin with
   * @param {Codec} [codec] the one to offer first
   */
  constructor(limits, codec = "auto") {
    this.#limits = limits;
    this.#codec = codec;
  }

  get codec() {
    return this.#codec;
  }

  get limits() {
    return this.#limits;
  }

  /**
   * Add what sends it, for the side that offers.
   * @param {RTCPeerConnection} pc
   * @param {RTCRtpTransceiverInit} init without encodings
   */
  add(pc, init) {
    const sendEncodings = this.#limits ? [encoding(this.#limits)] : undefined;
    this.#transceiver = pc.addTransceiver("video", { ...init, sendEncodings });
  }

  /** @param {RTCRtpTransceiver | undefined} transceiver that sends it, as the other side offered it */
  use(transceiver) {
    this.#transceiver = transceiver ?? null;
  }

  /** The connection is gone; another one may follow. */
  remove() {
    clearTimeout(this.#settlingTimer);
    this.#settlingTimer = 0;
    this.#settled = false;
    this.#transceiver = null;
  }

  /** @param {VideoLimits} limits for the next `apply` */
  setLimits(limits) {
    this.#limits = limits;
  }

  /** @param {Codec} codec for the next offer */
  setCodec(codec) {
    this.#codec = codec;
  }

  /** Before an offer is made. */
  prefer() {
    if (this.#transceiver) {
      preferCodec(this.#transceiver, this.#codec, navigator);
    }
  }

  /** Cap what is sent; does nothing before the negotiation. */
  async apply() {
    await applyLimits(this.#transceiver?.sender, this.#limits, { settled: this.#settled });
  }

  /**
   * Keep the resolution for a while: at the start, and when the network carries it again.
   * @param {() => void} settled the time is over: to be followed by `apply`
   */
  settle(settled) {
    clearTimeout(this.#settlingTimer);
    this.#settled = false;
    this.#settlingTimer = setTimeout(() => {
      this.#settled = true;
      settled();
    }, SETTLING);
  }

  /**
   * How sending goes, as the browser says; null where it does not say.
   * @returns {Promise<{ limitation: string | null, available: number | null, wanted: number | null }>} bitrates in
   *   bits per second
   */
  async outcome() {
    /** @type {Record<string, any>[]} */
    const stats = [...((await this.#transceiver?.sender.getStats())?.values() ?? [])];
    const outbound = stats.find(({ type }) => type === "outbound-rtp");
    const pair = stats.find(({ type, nominated }) => type === "candidate-pair" && nominated);
    return {
      limitation: outbound?.qualityLimitationReason ?? null,
      available: pair?.availableOutgoingBitrate ?? null,
      wanted: this.#limits?.maxBitrate ?? null,
    };
  }
}

/** What a connection begins with and may reach: written into the remote peer's description before it is applied. */
export class BandwidthHint {
  /** @type {number | null} in kbit/s, the same every time: another one would reset the estimate */
  #start = null;
  /** Grows with each probe, in kbit/s. */
  #probes = 0;
  /** What the last description was limited to, in kbit/s; 0 for none. */
  #most = 0;

  /**
   * @param {string} sdp
   * @param {VideoLimits[]} limits of all that is sent; none leaves the description as it is
   * @returns {string}
   */
  write(sdp, limits) {
    if (limits.length === 0) {
      return sdp;
    }
    this.#start ??= startBitrate(limits[0].maxBitrate);
    this.#most = Math.round((HEADROOM * sum(limits)) / 1000) + this.#probes;
    return withMostBitrate(withStartBitrate(sdp, this.#start), this.#most);
  }

  /** The next `write` lets the browser probe (see withMostBitrate). */
  raise() {
    this.#probes += 1;
  }

  /**
   * Whether the limits are above what the last description allows: it has to be applied again.
   * @param {VideoLimits[]} limits
   */
  isOutgrown(limits) {
    return this.#most > 0 && sum(limits) > this.#most * 1000;
  }

  /** The connection is gone; another one may follow. */
  forget() {
    this.#most = 0;
  }
}

/**
 * @param {VideoLimits[]} limits
 * @returns {number} in bits per second
 */
function sum(limits) {
  return limits.reduce((total, { maxBitrate }) => total + maxBitrate, 0);
}

/**
 * Cap what a sender sends.
 * @param {RTCRtpSender | undefined} sender
 * @param {VideoLimits | null} limits
 * @param {{ settled: boolean }} connection whether it has run for a while
 */
async function applyLimits(sender, limits, { settled }) {
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
function encoding({ maxBitrate, maxFramerate, scaleResolutionDownBy }) {
  return { maxBitrate, maxFramerate, scaleResolutionDownBy: scaleResolutionDownBy ?? 1 };
}

/**
 * The rate to begin with. Higher ones are known to make slow links choppy for half a minute.
 * @param {number} target in bits per second
 * @returns {number} in kbit/s
 */
function startBitrate(target) {
  return Math.round(Math.min((0.9 * target) / 1000, 1000));
}

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
 * Offer a codec first. All others follow in the browser's own order, so that a peer which lacks it, or which knows VP8
 * only, still gets a picture (RFC 7742, 5: VP8 and H.264 are what every browser must have).
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
    // Browsers differ in which codecs they take in this list: their own order will do.
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

/** Payload formats that carry no picture of their own. */
const NO_CODEC = /^(rtx|red|ulpfec|flexfec-03)$/i;

/**
 * Ask the sending browser to begin at a bitrate, instead of working its way up from 300 kbit/s.
 *
 * libwebrtc reads `x-google-start-bitrate` from the fmtp line of the codec in the description that the sender applies;
 * others ignore it. VP8 has no fmtp line, so it gets one.
 * @param {string} sdp the remote peer's description, before the sender applies it
 * @param {number} kbps
 * @returns {string}
 */
export function withStartBitrate(sdp, kbps) {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => (section.startsWith("m=video ") ? hint(section, kbps) : section))
    .join("");
}

/**
 * @param {string} section one `m=video` section
 * @param {number} kbps
 */
function hint(section, kbps) {
  const value = `x-google-start-bitrate=${kbps}`;
  let text = section;
  for (const [line, type, codec] of section.matchAll(/^a=rtpmap:(\d+) ([^/\r\n]+)[^\r\n]*/gm)) {
    if (NO_CODEC.test(codec)) {
      continue;
    }
    const format = new RegExp(`^a=fmtp:${type} [^\\r\\n]*`, "m");
    text = format.test(text)
      ? text.replace(format, (found) => `${found};${value}`)
      : text.replace(line, `${line}\r\na=fmtp:${type} ${value}`);
  }
  return text;
}

/**
 * Limit the whole connection, of which libwebrtc keeps one limit: that of the video section it read last. Each time it
 * grows while less is known to get through, libwebrtc finds out at once whether that much does, with a few packets
 * (ProbeController::SetBitrates); left to itself it takes half a minute to notice that a slow network is fast again.
 * @param {string} sdp the remote peer's description, before the sender applies it
 * @param {number} kbps
 * @returns {string}
 */
export function withMostBitrate(sdp, kbps) {
  return sdp
    .replace(/^b=AS:.*\r\n/gm, "")
    .replace(/^(m=video .*\r\n(?:[ic]=.*\r\n)*)/gm, `$1b=AS:${kbps}\r\n`);
}
