/**
 * The statistics panel of one camera: asks the connection, keeps the last seconds, writes the figures.
 * Imports stats and the DOM helpers of view.
 */

import { formatFigures, readFigures } from "./stats.js";
import { text } from "./view.js";

/** Reports kept: figures such as packet loss are those of the last 3 seconds, at one report a second. */
const WINDOW = 3;

export class StatsPanel {
  #values;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {RTCStatsReport[]} the oldest first */
  #reports = [];

  /** @param {HTMLElement} root holds an element with data-stat for each figure */
  constructor(root) {
    this.#values = [...root.querySelectorAll("[data-stat]")].filter(
      (element) => element instanceof HTMLElement,
    );
  }

  /**
   * Read the connection once and show its figures.
   * @param {RTCPeerConnection | null} connection null shows dashes
   */
  async update(connection) {
    if (connection !== this.#connection) {
      this.#connection = connection;
      this.#reports = [];
    }
    const report = connection ? await connection.getStats() : new Map();
    if (connection !== this.#connection) {
      return;
    }
    this.#write(formatFigures(readFigures(report, this.#reports[0])));
    if (connection) {
      this.#reports.push(/** @type {RTCStatsReport} */ (report));
      this.#reports.splice(0, this.#reports.length - WINDOW);
    }
  }

  /** Forget what was seen: after a pause, figures over it would be of no use. */
  reset() {
    this.#connection = null;
    this.#reports = [];
  }

  /** @param {Record<string, string>} figures */
  #write(figures) {
    for (const element of this.#values) {
      text(element, figures[element.dataset.stat ?? ""] ?? "");
    }
  }
}
