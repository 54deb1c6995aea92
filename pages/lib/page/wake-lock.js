/**
 * The screen's wake lock, taken again whenever the system gave it up. Imports nothing.
 */

/** Before a lock that the system released under a visible page is asked for again, in milliseconds. */
const AGAIN = 5_000;

/** Keeps the screen on, also after the page was hidden in between. Does nothing where that is not supported. */
export class WakeLock {
  /** @type {WakeLockSentinel | null} */
  #sentinel = null;
  #wanted = false;
  #asking = false;
  #timer = 0;
  #onVisible = () => void this.#request();

  /** Keep the screen on from now. */
  acquire() {
    if (!this.#wanted) {
      this.#wanted = true;
      document.addEventListener("visibilitychange", this.#onVisible);
      void this.#request();
    }
  }

  /** Let the screen sleep again. */
  release() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#onVisible);
    const sentinel = this.#sentinel;
    this.#sentinel = null;
    sentinel?.release().catch((error) => console.warn("Wake lock:", error));
  }

  async #request() {
    clearTimeout(this.#timer);
    const useless = !("wakeLock" in navigator) || this.#asking || this.#sentinel !== null;
    if (!this.#wanted || useless || document.visibilityState !== "visible") {
      return;
    }
    this.#asking = true;
    try {
      this.#keep(await navigator.wakeLock.request("screen"));
    } catch (error) {
      // Refused on a low battery, for example: the camera works without it.
      console.warn("Wake lock:", error);
    } finally {
      this.#asking = false;
    }
  }

  /** @param {WakeLockSentinel} sentinel */
  #keep(sentinel) {
    if (!this.#wanted) {
      sentinel.release().catch((error) => console.warn("Wake lock:", error));
      return;
    }
    this.#sentinel = sentinel;
    // The system releases it when the page is hidden, and to save power (W3C Screen Wake Lock, 5).
    sentinel.addEventListener("release", () => {
      if (sentinel === this.#sentinel) {
        this.#sentinel = null;
        this.#timer = setTimeout(() => void this.#request(), AGAIN);
      }
    });
  }
}
