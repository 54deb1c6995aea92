/** Says how often something may happen: so many times at once, and so many a second after that (a token bucket). */

export class Bucket {
  #burst;
  #rate;
  #tokens;
  #refilled;

  /**
   * @param {number} burst how often at once
   * @param {number} rate how often a second
   */
  constructor(burst, rate) {
    this.#burst = this.#tokens = burst;
    this.#rate = rate;
    this.#refilled = performance.now();
  }

  /** Whether it may happen now; if so, it counts. */
  take() {
    const now = performance.now();
    const earned = ((now - this.#refilled) / 1000) * this.#rate;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#refilled = now;
    if (this.#tokens < 1) {
      return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
