/**
 * Tries to get a device back: after growing pauses, and at once when there is reason to think that it works again.
 */

/** The pause after the first failed attempt, in milliseconds; it doubles each time. */
const FIRST_PAUSE = 500;
const LAST_PAUSE = 8_000;

export class Retry {
  #options;
  #running = false;
  #trying = false;
  /** Whether there was, during an attempt, reason for another one right after it. */
  #again = false;
  #failures = 0;
  #timer = 0;
  #hint = () => this.now();

  /**
   * @param {object} options
   * @param {() => Promise<boolean>} options.attempt resolves to whether there is nothing more to try
   * @param {(failures: number) => void} options.failed an attempt failed; how many in a row
   */
  constructor(options) {
    this.#options = options;
  }

  get running() {
    return this.#running;
  }

  /** Try at once, and again until it works. */
  start() {
    if (!this.#running) {
      this.#running = true;
      document.addEventListener("visibilitychange", this.#hint);
      navigator.mediaDevices?.addEventListener("devicechange", this.#hint);
      this.now();
    }
  }

  /** Try at once, and start again with short pauses. */
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
    // Browsers do not give devices to hidden pages; the next attempt is when the page is visible.
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
    this.#options.failed(this.#failures);
    this.#timer = setTimeout(() => void this.#try(), pause);
  }
}
