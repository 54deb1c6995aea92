/**
 * Watches, while the camera is sent, whether the phone is too busy to encode it, and says by how many steps to send less.
 * Imports sender-adaptation; knows neither the page nor peers.
 */

import { Adaptation, worst } from "./sender-adaptation.js";

/** Between two samples, in milliseconds. */
const INTERVAL = 2_000;

export class LoadWatch {
  #options;
  #adaptation = new Adaptation();
  #timer = 0;

  /**
   * @param {object} options
   * @param {() => Promise<(string | null)[]>} options.limitations what limits each picture now
   * @param {(step: number) => void} options.changed the step is another one
   */
  constructor(options) {
    this.#options = options;
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => this.#sample(), INTERVAL);
  }

  /** Back to what was chosen, without telling: whoever chooses knows. */
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
      const reason = worst(await this.#options.limitations());
      const now = performance.now();
      if (timer === this.#timer && reason !== null && this.#adaptation.add(reason, now)) {
        this.#options.changed(this.#adaptation.step);
      }
    } catch (error) {
      // A connection that closed meanwhile has no figures; the next sample asks the others.
      console.warn("Statistics:", error);
    }
  }
}
