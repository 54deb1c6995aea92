/**
 * Reads the figures of all sources once a second, but only while they are shown.
 */

/** @typedef {{ sample: () => Promise<void>, resetSamples: () => void }} Sampled */

/** How often figures are read, in milliseconds. */
const INTERVAL = 1000;

export class Sampler {
  #sources;
  #timer = 0;
  #running = false;

  /** @param {() => Sampled[]} sources whose figures are shown now */
  constructor(sources) {
    this.#sources = sources;
  }

  /** @param {boolean} wanted */
  run(wanted) {
    if (wanted === this.#running) {
      return;
    }
    this.#running = wanted;
    clearTimeout(this.#timer);
    if (wanted) {
      this.#sources().forEach((source) => source.resetSamples());
      void this.#round();
    }
  }

  async #round() {
    const results = await Promise.allSettled(this.#sources().map((source) => source.sample()));
    for (const result of results) {
      if (result.status === "rejected") {
        console.warn(`No statistics: ${result.reason}`);
      }
    }
    if (this.#running) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#round(), INTERVAL);
    }
  }
}
