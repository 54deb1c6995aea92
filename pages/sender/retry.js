/**
 * Tries to get a device back, with growing pauses, and at once when there is reason to think that it works again.
 * Imports nothing; knows no device.
 */

/** The pause after the first attempt in vain, in milliseconds; it doubles each time. */
const FIRST_PAUSE = 500;
const LAST_PAUSE = 8_000;

export class Retry {
  #options;
  #running = false;
  #trying = false;
  /** Whether something happened during an attempt that speaks for another one at once. */
  #again = false;
  #failures = 0;
  #timer = 0;
  #hint = () => this.now();

  /**
   * @param {object} options
   * @param {() => Promise<boolean>} options.attempt whether it is over, one way or the other
   * @param {(failures: number) => void} options.vain an attempt failed; how many in a row
   */
  constructor(options) {
    this.#options = options;
  }

  get running() {
    return this.#running;
  }

  /** Try at once, and until it works. */
  start() {
    if (!this.#running) {
      this.#running = true;
      document.addEventListener("visibilitychange", this.#hint);
      navigator.mediaDevices?.addEventListener("devicechange", this.#hint);
      this.now();
    }
  }

  /** Try at once, and begin with short pauses again. */
  now() {
    if (this.#running) {
      this.#failures = 0;
      this.#again = this.#trying;
      void this.#try();
    }
  }

  /** May be called more than once, also from within an attempt. */
  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#hint);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#hint);
  }

  async #try() {
    clearTimeout(this.#timer);
    // Browsers do not give a device to a hidden page; when it is shown it begins anew.
    if (!this.#running || this.#trying || document.hidden) {
      return;
    }
    this.#trying = true;
    let over;
    try {
      over = await this.#options.attempt();
    } finally {
      this.#trying = false;
    }
    if (over) {
      this.stop();
    } else if (this.#running) {
      this.#wait();
    }
  }

  #wait() {
    if (this.#again) {
      this.#again = false;
      void this.#try();
      return;
    }
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures, LAST_PAUSE);
    this.#failures += 1;
    this.#options.vain(this.#failures);
    this.#timer = setTimeout(() => void this.#try(), pause);
  }
}
