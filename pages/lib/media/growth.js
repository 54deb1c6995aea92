/**
 * Helps a picture that became smaller on a slow network to grow again as soon as the network is better. The browser
 * controls the bitrate by itself; it is only asked to try for more.
 */

/** @typedef {import("./peer.js").Peer} Peer */
/** @typedef {Awaited<ReturnType<Peer["outcome"]>>} Outcome */

/** The share of the chosen bitrate that is enough for the full resolution. */
const ENOUGH = 0.9;
/** How long to wait before the full resolution is tried again if it did not last, in milliseconds: at first, at most. */
const FIRST_WAIT = 10_000;
const LAST_WAIT = 320_000;
/** A picture that kept its size for so long, in milliseconds, has recovered. */
const RECOVERED = 15_000;

export class Growth {
  #wait = 0;
  #next = 0;
  #limited = -Infinity;

  /**
   * @param {Outcome} outcome how sending goes now
   * @param {number} now in milliseconds
   * @returns {"probe" | "restore" | null} what to do: test for more bandwidth, or send the full resolution
   */
  add({ limitation, available, wanted }, now) {
    if (limitation !== "bandwidth" || available === null || wanted === null) {
      return null;
    }
    if (now - this.#limited > RECOVERED) {
      this.#wait = this.#next = 0;
    }
    this.#limited = now;
    if (available < ENOUGH * wanted) {
      return "probe";
    }
    if (now < this.#next) {
      return null;
    }
    this.#wait = Math.min(Math.max(FIRST_WAIT, 2 * this.#wait), LAST_WAIT);
    this.#next = now + this.#wait;
    return "restore";
  }
}
