/**
 * Computes how long a frame takes from the camera to the screen: aligns two clocks by four timestamps (as in RFC 5905,
 * 8), and matches frames with the capture times that the sender reports. Also reads the messages in which the pages
 * tell each other about it. Pure. All times are in milliseconds.
 */

/** How many capture times a report has at most: three seconds at 30 frames. */
export const MAX_CAPTURES = 90;

/** Two quartz clocks drift apart by at most about 100 millionths, even those of cold phones. */
const DRIFT = 1e-4;
/** How many clock samples are kept: two minutes of them. */
const MAX_SAMPLES = 120;
/** How much rounding to whole milliseconds at both ends may add to the error. */
const ROUNDING = 1;
/** By how much the times of a frame at both ends may differ: RTP times of frames are whole milliseconds. */
const TOLERANCE = 2.5;
/** Which share of the frames must match a capture time, of those in the time that the sender reported. */
const LEAST_SHARE = 0.6;
/** How many frames it takes to compare. */
const LEAST_FRAMES = 8;
/** The longest time that a frame can be on its way. */
const LONGEST_WAY = 5_000;
/** RTP's clock for video, in ticks per millisecond (RFC 3551, 5). */
const TICKS = 90;
const MAX_TEXT = 32;
/** The latest time that a page can tell, in milliseconds since it was opened: three years. */
const MAX_TIME = 1e11;
/** The longest time that encoding a frame can take. */
const MAX_ENCODE_TIME = 60_000;

/** @typedef {{ offset: number, roundTrip: number, at: number }} ClockSample `offset`: remote minus local clock */
/** @typedef {{ offset: number, error: number }} Aligned */
/** @typedef {"browser" | "reports"} Source who knew when a frame was captured */
/** @typedef {{ value: number, error: number | null, source: Source }} Latency */
/** @typedef {{ rtp: number, received: number }} ReceivedFrame `rtp`: its timestamp in ms, without wrap-around */

/**
 * @typedef {object} SenderReport
 * @property {"report"} type
 * @property {number[]} captures when frames were captured, on the sender's clock
 * @property {string | null} limitation why it sends less than it should: "none", "cpu", "bandwidth" or "other"
 * @property {string | null} encoder
 * @property {number | null} encodeTime for a frame
 * @property {string | null} candidate type of the sender's address
 * @property {string | null} protocol
 */

/** @typedef {{ type: "clock", sent: number, received: number | null, answered: number | null }} ClockMessage */

/**
 * Read a message of the data channel.
 * @param {string} text
 * @returns {ClockMessage | SenderReport | null} null for anything else
 */
export function readMessage(text) {
  const raw = parse(text);
  if (raw?.type === "clock") {
    const sent = within(raw.sent, MAX_TIME);
    const received = within(raw.received, MAX_TIME);
    const answered = within(raw.answered, MAX_TIME);
    return sent === null ? null : { type: "clock", sent, received, answered };
  }
  if (raw?.type !== "report") {
    return null;
  }
  const captures = Array.isArray(raw.captures) ? raw.captures : [];
  return {
    type: "report",
    captures: captures
      .slice(-MAX_CAPTURES)
      .filter((at) => within(at, MAX_TIME) !== null)
      .sort((a, b) => a - b),
    limitation: word(raw.limitation),
    encoder: word(raw.encoder),
    encodeTime: within(raw.encodeTime, MAX_ENCODE_TIME),
    candidate: word(raw.candidate),
    protocol: word(raw.protocol),
  };
}

/**
 * @param {number} sent on the local clock
 * @param {number} received on the remote clock
 * @param {number} answered on the remote clock
 * @param {number} arrived on the local clock
 * @returns {ClockSample}
 */
export function clockSample(sent, received, answered, arrived) {
  return {
    offset: (received - sent + answered - arrived) / 2,
    // Negative where the other side says that it took longer to answer than this side waited.
    roundTrip: arrived - sent - Math.max(0, answered - received),
    at: arrived,
  };
}

/** The offset of a remote clock, from the sample with the least delay on the network. */
export class RemoteClock {
  /** @type {ClockSample[]} */
  #samples = [];

  get samples() {
    return this.#samples.length;
  }

  /** @param {ClockSample} sample one that cannot be true is left out: it would have the least delay of all */
  add(sample) {
    if (sample.roundTrip < -ROUNDING) {
      return;
    }
    this.#samples.push({ ...sample, roundTrip: Math.max(0, sample.roundTrip) });
    this.#samples.splice(0, this.#samples.length - MAX_SAMPLES);
  }

  /**
   * @param {number} now on the local clock
   * @returns {Aligned | null} the true offset is within `error` of `offset`
   */
  align(now) {
    // The way there may have taken all of the round trip or none of it, and the clocks have drifted since.
    const bounds = this.#samples.map(({ offset, roundTrip, at }) => ({
      offset,
      error: roundTrip / 2 + Math.max(0, now - at) * DRIFT,
    }));
    return bounds.reduce(
      (/** @type {Aligned | null} */ best, next) =>
        best === null || next.error < best.error ? next : best,
      null,
    );
  }
}

/** Converts RTP timestamps, which start at any value and wrap around every 13 hours, to times. */
export class RtpTime {
  /** @type {number | null} */
  #last = null;
  #ticks = 0;

  /** @param {number} timestamp @returns {number} ms since the first */
  of(timestamp) {
    if (this.#last !== null) {
      this.#ticks += (timestamp - this.#last) | 0;
    }
    this.#last = timestamp;
    return this.#ticks / TICKS;
  }
}

/**
 * Find the shift that turns the RTP times of frames into their capture times: with it, the uneven steps between frames
 * match those between captures. If the steps are even, several shifts match; then it is the latest that still leaves
 * the network the time it needs, and the doubt is one step.
 *
 * @param {ReceivedFrame[]} frames on the local clock
 * @param {number[]} captures on the local clock, sorted
 * @param {number} shortest time that a frame can be on its way
 * @returns {{ shift: number, doubt: number } | null} null if they do not match
 */
export function matchCaptures(frames, captures, shortest) {
  if (frames.length < LEAST_FRAMES || captures.length < LEAST_FRAMES) {
    return null;
  }
  const middle = frames.length >> 1;
  const anchors = [frames[middle - 2], frames[middle], frames[middle + 2]];
  const fits = anchors
    .flatMap((anchor) => captures.map((capture) => capture - anchor.rtp))
    .filter((shift) => isPossible(frames, shift, shortest))
    .map((shift) => ({ shift, share: share(frames, captures, shift) }));
  const best = Math.max(...fits.map((fit) => fit.share));
  if (!(best >= LEAST_SHARE)) {
    return null;
  }
  const good = fits.filter((fit) => fit.share > best - 0.15).map((fit) => fit.shift);
  const latest = Math.max(...good);
  const step = median(captures.slice(1).map((capture, index) => capture - captures[index])) ?? 0;
  const near = good.filter((shift) => latest - shift <= TOLERANCE);
  return { shift: median(near) ?? latest, doubt: near.length < good.length ? step : TOLERANCE / 2 };
}

/**
 * The latency of frames as a person reads it.
 * @param {number[]} delays from capture to display, of the frames of the last second
 * @param {number | null} error of the clocks
 * @param {Source} source
 * @returns {Latency | null}
 */
export function latencyOf(delays, error, source) {
  const value = median(delays.filter((delay) => delay > -LONGEST_WAY && delay < LONGEST_WAY));
  return value === null ? null : { value, error: error === null ? null : error + ROUNDING, source };
}

/** @param {number[]} values @returns {number | null} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? null : sorted[sorted.length >> 1];
}

/** @param {ReceivedFrame[]} frames @param {number} shift @param {number} shortest */
function isPossible(frames, shift, shortest) {
  const ways = frames.map((frame) => frame.received - frame.rtp - shift);
  return Math.min(...ways) >= shortest && Math.min(...ways) < LONGEST_WAY;
}

/**
 * Which share of the frames matches a capture time, of the frames in the time that the captures cover.
 * @param {ReceivedFrame[]} frames
 * @param {number[]} captures
 * @param {number} shift
 */
function share(frames, captures, shift) {
  const first = captures[0] - TOLERANCE;
  const last = captures[captures.length - 1] + TOLERANCE;
  const times = frames.map(({ rtp }) => rtp + shift).filter((at) => at >= first && at <= last);
  const found = times.filter((at) => distance(captures, at) <= TOLERANCE);
  return times.length < LEAST_FRAMES ? 0 : found.length / times.length;
}

/** @param {number[]} sorted @param {number} value */
function distance(sorted, value) {
  let [low, high] = [0, sorted.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    [low, high] = sorted[middle] <= value ? [middle, high] : [low, middle];
  }
  return Math.min(Math.abs(sorted[low] - value), Math.abs(sorted[high] - value));
}

/** @param {string} text @returns {Record<string, any> | null} */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    // None of these pages said this.
    return null;
  }
}

/** @param {unknown} value @param {number} most @returns {number | null} null unless it is a number from 0 to `most` */
function within(value, most) {
  return typeof value === "number" && value >= 0 && value <= most ? value : null;
}

/** @param {unknown} value @returns {string | null} */
function word(value) {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_TEXT) : null;
}
