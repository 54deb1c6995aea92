/**
 * Keeps the screen on, and asks for it again whenever the system has released the wake lock.
 */

/** How long to wait before asking again when the system has released the lock of a visible page, in milliseconds. */
const AGAIN = 5_000;

/** Does nothing if the browser does not support it. */
export class WakeLock {
  /** @type {WakeLockSentinel | null} */
  #sentinel = null;
  #wanted = false;
  #asking = false;
  #timer = 0;
  #onVisible = () => void this.#request();

  /** Keep the screen on from now on. */
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
      // The system may refuse, such as on a low battery: the camera works without it.
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
    // The system releases it when the page is hidden, or to save power (W3C Screen Wake Lock, 5).
    sentinel.addEventListener("release", () => {
      if (sentinel === this.#sentinel) {
        this.#sentinel = null;
        this.#timer = setTimeout(() => void this.#request(), AGAIN);
      }
    });
  }
}
