/** Holds messages back so that many at once, such as ICE candidates, do not exceed the server's rate. */

/** @typedef {import("./protocol.js").Limits} Limits */
/** @typedef {import("./transport.js").Transport} Transport */

/** The share of the server's limits that is used: its clock and this one do not tick alike. */
const BURST_SHARE = 5 / 6;
const RATE_SHARE = 0.9;
const MAX_WAITING = 512;

export class Outbox {
  /** @type {Transport | null} null while the connection is lost */
  #transport = null;
  /** @type {string[]} */
  #waiting = [];
  /** How many may be sent at once, and in a second. */
  #burst = 0;
  #rate = 0;
  #tokens = 0;
  #refilled = 0;
  #timer = 0;

  /**
   * Send what waits, and all that comes.
   * @param {Transport} transport
   * @param {Limits} limits of the server
   */
  open(transport, { burst, rate }) {
    this.#transport = transport;
    this.#burst = Math.max(1, Math.floor(BURST_SHARE * burst));
    this.#rate = RATE_SHARE * rate;
    // Registering took one.
    this.#tokens = this.#burst - 1;
    this.#refilled = performance.now();
    this.#flush();
  }

  /** Keep what comes. */
  pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#transport = null;
  }

  /** @param {string} text */
  put(text) {
    if (this.#waiting.length >= MAX_WAITING) {
      console.warn("Too many messages wait for the server; the oldest is dropped.");
      this.#waiting.shift();
    }
    this.#waiting.push(text);
    this.#flush();
  }

  clear() {
    this.#waiting = [];
  }

  #flush() {
    if (!this.#transport) {
      return;
    }
    const now = performance.now();
    const earned = ((now - this.#refilled) / 1000) * this.#rate;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#refilled = now;
    while (this.#waiting.length > 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#transport.send(/** @type {string} */ (this.#waiting.shift()));
    }
    if (this.#waiting.length > 0 && this.#timer === 0) {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#flush();
      }, 1000 / this.#rate);
    }
  }
}
