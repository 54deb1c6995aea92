/**
 * Measures how old the picture of one sender is when it is shown: watches its frames, asks for the sender's clock over
 * the data channel, and reads the sender's reports.
 */

import {
  clockSample,
  latencyOf,
  matchCaptures,
  readMessage,
  RemoteClock,
  RtpTime,
} from "./latency.js";

/** @typedef {import("./latency.js").Latency} Latency */
/** @typedef {import("./latency.js").SenderReport} SenderReport */

/**
 * @typedef {object} Shown A frame that was shown; times are on this page's clock, in milliseconds.
 * @property {number} rtp
 * @property {number | null} received
 * @property {number | null} captured as the browser says
 * @property {number} displayed
 */

/** How many samples of the sender's clock are taken at the start; after that, one with each reading. */
const FIRST_SAMPLES = 8;
/** How many questions may be without an answer; an older one is given up. */
const MAX_ASKED = 8;
/** The least time between two reports that are read, in milliseconds: comparing one takes several. A phone sends one
 * every 2 s. */
const REPORT_INTERVAL = 1_000;
/** How long frames are watched after a reading, in milliseconds. */
const ATTENTION = 3_000;
/** How many frames are kept to compare with the sender's reports: more than 4 seconds. */
const MAX_FRAMES = 150;
/** Which time before a reading its frames are from, in milliseconds. */
const PERIOD = 1_000;
/** How long a report is valid, in milliseconds. */
const REPORT_AGE = 6_000;
/** How long a match holds if a report does not fit or is lost, in milliseconds: RTP times keep pace with the clock. */
const MATCH_AGE = 10_000;

export class LatencyMeter {
  #video;
  #tell;
  #clock = new RemoteClock();
  #times = new RtpTime();
  /** @type {Shown[]} oldest first */
  #frames = [];
  /** @type {{ report: SenderReport, at: number } | null} */
  #told = null;
  /** @type {Set<number>} when each question was sent that has no answer yet */
  #asked = new Set();
  /** @type {{ shift: number, doubt: number, at: number } | null} */
  #match = null;
  #wantedAt = -Infinity;
  #watching = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {(text: string) => void} tell the sender's page, if it listens
   */
  constructor(video, tell) {
    this.#video = video;
    this.#tell = tell;
  }

  /** The sender's last report; null if it is old. */
  get report() {
    const fresh = this.#told !== null && performance.now() - this.#told.at < REPORT_AGE;
    return fresh && this.#told ? this.#told.report : null;
  }

  /** @param {string} text what the sender's page said */
  receive(text) {
    const arrived = performance.now();
    const message = readMessage(text);
    if (message?.type === "report") {
      if (this.#told !== null && arrived - this.#told.at < REPORT_INTERVAL) {
        return;
      }
      this.#told = { report: message, at: arrived };
      this.#compare(message.captures, arrived);
    } else if (message && message.received !== null && message.answered !== null) {
      const { sent, received, answered } = message;
      if (!this.#asked.delete(sent)) {
        // Nobody asked, or it was answered already.
        return;
      }
      this.#clock.add(clockSample(sent, received, answered, arrived));
      if (this.#clock.samples < FIRST_SAMPLES) {
        this.#ask();
      }
    }
  }

  /**
   * The latency in the last second. Call it once a second while it is shown.
   * @param {number | null} roundTrip on the network, in milliseconds, for a peer without a data channel
   * @returns {Latency | null}
   */
  read(roundTrip) {
    const now = performance.now();
    this.#wantedAt = now;
    this.#watch();
    this.#ask();
    const frames = this.#frames.filter((frame) => frame.displayed > now - PERIOD);
    const error = this.#clock.align(now)?.error ?? (roundTrip === null ? null : roundTrip / 2);
    const known = frames.flatMap(({ displayed, captured }) =>
      captured === null ? [] : displayed - captured,
    );
    if (known.length > 0) {
      return latencyOf(known, error, "browser");
    }
    const match = this.#match;
    if (!match || error === null || now - match.at > MATCH_AGE) {
      return null;
    }
    const delays = frames.map(({ displayed, rtp }) => displayed - rtp - match.shift);
    return latencyOf(delays, error + match.doubt, "reports");
  }

  /** Forget what was measured, because the connection is a new one. */
  reset() {
    this.#clock = new RemoteClock();
    this.#times = new RtpTime();
    this.#frames = [];
    this.#told = this.#match = null;
    this.#asked.clear();
  }

  #ask() {
    const sent = performance.now();
    this.#asked.add(sent);
    for (const oldest of [...this.#asked].slice(0, -MAX_ASKED)) {
      this.#asked.delete(oldest);
    }
    this.#tell(JSON.stringify({ type: "clock", sent }));
  }

  #watch() {
    if (this.#watching || !("requestVideoFrameCallback" in this.#video)) {
      return;
    }
    this.#watching = true;
    this.#video.requestVideoFrameCallback((_now, metadata) => {
      this.#watching = false;
      this.#note(metadata);
      if (performance.now() - this.#wantedAt < ATTENTION) {
        this.#watch();
      }
    });
  }

  /** @param {VideoFrameCallbackMetadata} metadata */
  #note({ rtpTimestamp, receiveTime, captureTime, expectedDisplayTime }) {
    if (rtpTimestamp === undefined && captureTime === undefined) {
      return;
    }
    this.#frames.push({
      rtp: rtpTimestamp === undefined ? 0 : this.#times.of(rtpTimestamp),
      received: receiveTime ?? null,
      captured: captureTime ?? null,
      displayed: expectedDisplayTime,
    });
    this.#frames.splice(0, this.#frames.length - MAX_FRAMES);
  }

  /** @param {number[]} captures on the sender's clock @param {number} now */
  #compare(captures, now) {
    const clock = this.#clock.align(now);
    if (!clock || this.#frames.some((frame) => frame.captured !== null)) {
      return;
    }
    const frames = this.#frames.flatMap(({ rtp, received }) =>
      received === null ? [] : { rtp, received },
    );
    // By the clocks, a frame cannot arrive before its capture by more than their error.
    const match = matchCaptures(
      frames,
      captures.map((capture) => capture - clock.offset),
      -clock.error,
    );
    this.#match = match ? { ...match, at: now } : this.#match;
  }
}
