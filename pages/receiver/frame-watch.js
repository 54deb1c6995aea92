/**
 * Notices that a phone's picture has stopped although its connection looks fine, and asks the phone to repair it.
 */

/**
 * @typedef {object} Watched
 * @property {RTCRtpReceiver | null} receiver of the picture; null while no picture is expected
 * @property {(restart: true | "anew") => void} ask the phone for another network path, or for a new connection
 */

/** How often it looks, in milliseconds. */
const INTERVAL = 500;
/** Nothing arrives, not even what a phone sends without a picture (RFC 8834, 4.1): the path is broken; milliseconds. */
const SILENCE = 1_500;
/** No frame arrives, in milliseconds. */
const STILL = 3_000;
/** No frame arrives after a restart, in milliseconds. */
const STILL_BROKEN = 5_000;
/** Before the first frame, a slow network may need this long, in milliseconds. */
const FIRST = 10_000;

export class FrameWatch {
  #watched;
  /** @type {RTCRtpReceiver | null} */
  #receiver = null;
  #frames = 0;
  #bytes = 0;
  /** When the last frame and the last byte arrived, or when this began to wait for them, in milliseconds. */
  #frameAt = 0;
  #byteAt = 0;
  /** @type {"restart" | "anew" | null} the last request since the last frame */
  #asked = null;
  #askedAt = 0;
  #timer = 0;

  /** @param {() => Watched} watched how things stand now */
  constructor(watched) {
    this.#watched = watched;
    this.#timer = setInterval(() => void this.#look(), INTERVAL);
  }

  /** Whether repair was asked for, and no frame has arrived since. */
  get broken() {
    return this.#asked !== null;
  }

  close() {
    clearInterval(this.#timer);
  }

  async #look() {
    const { receiver, ask } = this.#watched();
    const now = performance.now();
    if (receiver === null || receiver !== this.#receiver) {
      this.#begin(receiver, now);
      return;
    }
    const { frames, bytes } = read(await receiver.getStats());
    if (receiver !== this.#receiver) {
      return;
    }
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#byteAt = now;
    }
    if (frames !== this.#frames) {
      this.#frames = frames;
      this.#frameAt = now;
      this.#asked = null;
    } else {
      this.#judge(now, ask);
    }
  }

  /**
   * @param {RTCRtpReceiver | null} receiver
   * @param {number} now
   */
  #begin(receiver, now) {
    // The request stands: the new connection may be as bad as the one before.
    this.#receiver = receiver;
    this.#frames = this.#bytes = 0;
    this.#frameAt = this.#byteAt = now;
  }

  /**
   * @param {number} now
   * @param {Watched["ask"]} ask
   */
  #judge(now, ask) {
    const still = now - this.#frameAt;
    const silent = now - this.#byteAt > SILENCE && this.#bytes > 0;
    if (this.#asked === null) {
      if (silent || still > (this.#frames > 0 ? STILL : FIRST)) {
        this.#ask("restart", now, () => ask(true));
      }
    } else if (now - this.#askedAt > (this.#asked === "anew" ? FIRST : STILL_BROKEN)) {
      this.#ask("anew", now, () => ask("anew"));
    }
  }

  /**
   * @param {"restart" | "anew"} what
   * @param {number} now
   * @param {() => void} ask
   */
  #ask(what, now, ask) {
    this.#asked = what;
    this.#askedAt = now;
    ask();
  }
}

/**
 * @param {RTCStatsReport} report
 * @returns {{ frames: number, bytes: number }} frames decoded, and bytes received on all paths
 */
function read(report) {
  let frames = 0;
  let bytes = 0;
  report.forEach((stat) => {
    if (stat.type === "inbound-rtp" && stat.kind === "video") {
      frames += stat.framesDecoded ?? 0;
    } else if (stat.type === "candidate-pair") {
      bytes += stat.bytesReceived ?? 0;
    }
  });
  return { frames, bytes };
}
