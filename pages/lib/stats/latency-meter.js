/**
 * Measures how old the picture of one sender is when it is shown: watches its frames, asks for the sender's clock
 * over the data channel, and takes in the sender's reports. Imports latency.
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
 * @typedef {object} Shown a frame that was put on the screen; times on this page's clock, in milliseconds
 * @property {number} rtp
 * @property {number | null} received
 * @property {number | null} captured as the browser has it
 * @property {number} displayed
 */

/** Samples of the sender's clock taken at once at the start; afterwards one with each reading. */
const FIRST_SAMPLES = 8;
/** Frames are watched for so long after a reading, in milliseconds. */
const ATTENTION = 3_000;
/** Frames kept, to be put beside the sender's reports: 4 seconds and more. */
const MAX_FRAMES = 150;
/** The frames of a reading are those of the time before it, in milliseconds. */
const PERIOD = 1_000;
/** A report older than this, in milliseconds, says nothing about now. */
const REPORT_AGE = 6_000;
/** RTP times keep pace with the clock: what was found holds for a while, if a report does not fit or is lost. */
const MATCH_AGE = 10_000;

export class LatencyMeter {
  #video;
  #tell;
  #clock = new RemoteClock();
  #times = new RtpTime();
  /** @type {Shown[]} the oldest first */
  #frames = [];
  /** @type {{ report: SenderReport, at: number } | null} */
  #told = null;
  /** @type {{ shift: number, doubt: number, at: number } | null} */
  #match = null;
  #wantedAt = -Infinity;
  #watching = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {(text: string) => void} tell to the sender's page, if it hears
   */
  constructor(video, tell) {
    this.#video = video;
    this.#tell = tell;
  }

  /** What the sender reported last, unless that was long ago. */
  get report() {
    const fresh = this.#told !== null && performance.now() - this.#told.at < REPORT_AGE;
    return fresh && this.#told ? this.#told.report : null;
  }

  /** Take in what the sender's page said. @param {string} text */
  receive(text) {
    const arrived = performance.now();
    const message = readMessage(text);
    if (message?.type === "report") {
      this.#told = { report: message, at: arrived };
      this.#compare(message.captures, arrived);
    } else if (message && message.received !== null && message.answered !== null) {
      const { sent, received, answered } = message;
      this.#clock.add(clockSample(sent, received, answered, arrived));
      if (this.#clock.samples < FIRST_SAMPLES) {
        this.#ask();
      }
    }
  }

  /**
   * The latency of the last second; to be called once a second while it is shown.
   * @param {number | null} roundTrip on the network in milliseconds, for a peer without a data channel
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

  /** Forget what was measured: the connection is another one. */
  reset() {
    this.#clock = new RemoteClock();
    this.#times = new RtpTime();
    this.#frames = [];
    this.#told = this.#match = null;
  }

  #ask() {
    this.#tell(JSON.stringify({ type: "clock", sent: performance.now() }));
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
    // The way cannot be shorter than it is by the clocks; those are wrong by their error at most.
    const match = matchCaptures(
      frames,
      captures.map((capture) => capture - clock.offset),
      -clock.error,
    );
    this.#match = match ? { ...match, at: now } : this.#match;
  }
}
