/**
 * Sends less when the phone has been too busy to encode for a while, and more again when it is no longer busy.
 */

import { Growth } from "../lib/media/growth.js";

/** @typedef {import("../lib/media/peer.js").Peer} Peer */
/** @typedef {import("../lib/media/video.js").VideoLimits} VideoLimits */

/** @typedef {{ scale: number, rate: number }} Step how much smaller the picture is, and which share of the frame rate is left */

/** How long the processor must be the limit before a step down, in milliseconds. */
const PATIENCE = 10_000;
/** How long nothing must be the limit before a step up, in milliseconds: at first, at most. */
const FIRST_WAIT = 30_000;
const LAST_WAIT = 480_000;
/** A step down so soon after a step up shows that the step up was too much, in milliseconds. */
const TRIAL = 60_000;
/** Samples further apart do not belong together, because the page was hidden or asleep; in milliseconds. */
const GAP = 10_000;

/**
 * What the person wants to keep goes last. Of 30 frames a second, the shares are 24 and 15.
 * @type {Record<import("../lib/signaling/protocol.js").Priority, Step[]>}
 */
const STEPS = {
  sharp: [
    { scale: 1, rate: 1 },
    { scale: 1, rate: 0.8 },
    { scale: 1, rate: 0.5 },
    { scale: 1.5, rate: 0.5 },
  ],
  smooth: [
    { scale: 1, rate: 1 },
    { scale: 1.5, rate: 1 },
    { scale: 2, rate: 1 },
    { scale: 2, rate: 0.5 },
  ],
};
const LAST_STEP = 3;

export class Adaptation {
  #step = 0;
  #wait = FIRST_WAIT;
  #reason = "";
  /** When the reason was first seen, and when last. */
  #since = 0;
  #seen = 0;
  /** @type {number | null} when the last step up was made */
  #raised = null;

  /** From 0, which is what was chosen, to 3. */
  get step() {
    return this.#step;
  }

  /** Start again, because the person chose something else. */
  reset() {
    this.#step = 0;
    this.#wait = FIRST_WAIT;
    this.#reason = "";
    this.#raised = null;
  }

  /**
   * Add a sample.
   * @param {string} reason one of W3C webrtc-stats' RTCQualityLimitationReason
   * @param {number} now in milliseconds, on a clock that never goes back
   * @returns {boolean} whether the step changed
   */
  add(reason, now) {
    if (reason !== this.#reason || now - this.#seen > GAP) {
      this.#reason = reason;
      this.#since = now;
    }
    this.#seen = now;
    const lasted = now - this.#since;
    if (reason === "cpu" && lasted >= PATIENCE && this.#step < LAST_STEP) {
      this.#lower(now);
      return true;
    }
    if (reason === "none" && lasted >= this.#wait && this.#step > 0) {
      this.#step -= 1;
      this.#raised = this.#since = now;
      return true;
    }
    return false;
  }

  /** @param {number} now */
  #lower(now) {
    const failed = this.#raised !== null && now - this.#raised <= TRIAL;
    this.#wait = failed ? Math.min(this.#wait * 2, LAST_WAIT) : FIRST_WAIT;
    this.#step += 1;
    this.#raised = null;
    this.#since = now;
  }
}

/**
 * One reason for all receivers: a phone that is too busy for one receiver is too busy.
 * @param {(string | null)[]} reasons null if the browser does not say
 * @returns {string | null}
 */
export function worst(reasons) {
  const known = reasons.filter((reason) => reason !== null);
  if (known.includes("cpu")) {
    return "cpu";
  }
  return known.find((reason) => reason !== "none") ?? known[0] ?? null;
}

/**
 * The limits after a step.
 * @param {VideoLimits} limits those that were chosen
 * @param {number} step
 * @returns {VideoLimits}
 */
export function stepped(limits, step) {
  const { scale, rate } = STEPS[limits.priority ?? "smooth"][step];
  return {
    ...limits,
    maxFramerate: Math.round(limits.maxFramerate * rate),
    scaleResolutionDownBy: (limits.scaleResolutionDownBy ?? 1) * scale,
  };
}

/** How often samples are taken, in milliseconds. */
const INTERVAL = 2_000;

export class LoadWatch {
  #options;
  #adaptation = new Adaptation();
  /** @type {WeakMap<Peer, Growth>} */
  #growth = new WeakMap();
  #timer = 0;

  /**
   * @param {object} options
   * @param {() => Promise<({ peer: Peer } & import("../lib/media/growth.js").Outcome)[]>} options.outcomes how sending
   *   to each receiver goes
   * @param {(step: number) => void} options.changed there is a new step
   */
  constructor(options) {
    this.#options = options;
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => this.#sample(), INTERVAL);
  }

  /** Go back to what was chosen. Does not report it: the caller knows. */
  reset() {
    this.#adaptation.reset();
  }

  /** May be called more than once. */
  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.reset();
  }

  async #sample() {
    const timer = this.#timer;
    try {
      const outcomes = await this.#options.outcomes();
      if (timer !== this.#timer) {
        return;
      }
      const now = performance.now();
      const reason = worst(outcomes.map(({ limitation }) => limitation));
      if (reason !== null && this.#adaptation.add(reason, now)) {
        this.#options.changed(this.#adaptation.step);
      }
      outcomes.forEach(({ peer, ...outcome }) => this.#grow(peer, outcome, now));
    } catch (error) {
      // A connection that has just been closed has no figures; the next sample asks the others.
      console.warn("Statistics:", error);
    }
  }

  /**
   * @param {Peer} peer
   * @param {import("../lib/media/growth.js").Outcome} outcome
   * @param {number} now
   */
  #grow(peer, outcome, now) {
    const growth = this.#growth.get(peer) ?? new Growth();
    this.#growth.set(peer, growth);
    const step = growth.add(outcome, now);
    if (step === "probe") {
      peer.probe();
    } else if (step === "restore") {
      peer.restoreSize();
    }
  }
}
