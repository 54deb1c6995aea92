/**
 * The statistics panel of one camera: asks the connection, keeps two minutes of figures, and shows them as text and
 * lines.
 */

import { History, LENGTH, toCsv } from "./history.js";
import { MAX_BUFFER } from "../media/buffer.js";
import { LatencyMeter } from "./latency-meter.js";
import { drawSparkline } from "./sparkline.js";
import { formatDetails, formatLatency, readDetails } from "./details.js";
import { formatFigures, readFigures } from "./stats.js";
import { copyOnClick, download } from "../page/export.js";
import { text } from "../page/view.js";

/** @typedef {import("./history.js").Row} Row */

/**
 * @typedef {object} PanelOptions
 * @property {HTMLVideoElement} video
 * @property {(text: string) => void} tell the phone's page, if it listens
 * @property {() => void} detail a person asked for more or fewer figures
 * @property {(buffer: number) => void} buffer a person chose another one, in milliseconds
 * @property {() => string} label of the camera
 */

/** How many reports are kept: at one a second, figures such as packet loss are for the last 3 seconds. */
const WINDOW = 3;

export class StatsPanel {
  #options;
  #root;
  #values;
  #lines;
  #history = new History();
  #meter;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {RTCStatsReport[]} the oldest first */
  #reports = [];

  /**
   * @param {HTMLElement} root holds an element with data-stat for each figure, an SVG with data-line for each line
   * @param {PanelOptions} options
   */
  constructor(root, options) {
    this.#root = root;
    this.#options = options;
    this.#values = [...root.querySelectorAll("[data-stat]")].filter(
      (element) => element instanceof HTMLElement,
    );
    this.#lines = [...root.querySelectorAll("[data-line]")].filter(
      (element) => element instanceof SVGElement,
    );
    this.#meter = new LatencyMeter(options.video, options.tell);
    this.#listen();
  }

  #listen() {
    const { detail, buffer } = this.#options;
    this.#button(".stats-detail").addEventListener("click", detail);
    copyOnClick(this.#button(".stats-copy"), {
      content: () =>
        JSON.stringify({ camera: this.#options.label(), rows: this.#history.rows }, null, 2),
    });
    this.#button(".stats-csv").addEventListener("click", () =>
      download("lenscast-statistics.csv", "text/csv", toCsv(this.#history.rows)),
    );
    const slider = this.#slider();
    slider.max = String(MAX_BUFFER);
    slider.addEventListener("input", () => buffer(slider.valueAsNumber));
  }

  /** @param {string} said what the phone's page said */
  receive(said) {
    this.#meter.receive(said);
  }

  /** @param {{ full: boolean, buffer: number }} shown */
  render({ full, buffer }) {
    const button = this.#button(".stats-detail");
    button.setAttribute("aria-expanded", String(full));
    text(button, full ? "Less" : "More");
    this.#slider().value = String(buffer);
    for (const output of this.#root.querySelectorAll(".stats-buffer output")) {
      text(output, `${buffer} ms`);
    }
  }

  /**
   * Read the connection once, and show its figures.
   * @param {RTCPeerConnection | null} connection null shows dashes
   */
  async update(connection) {
    if (connection !== this.#connection) {
      this.#connection = connection;
      this.#reports = [];
      this.#meter.reset();
    }
    const report = connection ? await connection.getStats() : new Map();
    if (connection !== this.#connection) {
      return;
    }
    this.#show(report, this.#reports[0]);
    if (connection) {
      this.#reports.push(/** @type {RTCStatsReport} */ (report));
      this.#reports.splice(0, this.#reports.length - WINDOW);
    }
  }

  /** Start again: rates and lines across a time in which nothing was read would be wrong. */
  reset() {
    this.#reports = [];
    this.#history.clear();
  }

  /**
   * @param {RTCStatsReport | Map<string, any>} report
   * @param {RTCStatsReport} [previous]
   */
  #show(report, previous) {
    const figures = readFigures(report, previous);
    const latency = this.#connection ? this.#meter.read(figures.latency) : null;
    const details = readDetails(report, previous, this.#meter.report);
    this.#write({
      ...formatFigures(figures),
      ...formatDetails(details),
      ...formatLatency(latency),
    });
    this.#history.add({
      time: new Date().toISOString(),
      ...row(figures),
      captureToDisplay: latency && rounded(latency.value),
      captureToDisplayError: latency && rounded(latency.error),
      captureToDisplaySource: latency && latency.source,
      ...row(details),
    });
    for (const svg of this.#lines) {
      // In the short view some lines are not shown.
      if (svg.clientWidth > 0) {
        drawSparkline(svg, this.#history.values(svg.dataset.line ?? ""), LENGTH);
      }
    }
  }

  /** @param {Record<string, string>} figures */
  #write(figures) {
    for (const element of this.#values) {
      text(element, figures[element.dataset.stat ?? ""] ?? "");
    }
  }

  /** @param {string} selector */
  #button(selector) {
    return /** @type {HTMLButtonElement} */ (this.#root.querySelector(selector));
  }

  #slider() {
    return /** @type {HTMLInputElement} */ (this.#root.querySelector(".stats-buffer input"));
  }
}

/**
 * Figures as a row of the history, under the names that a table has.
 * @param {import("./stats.js").Figures | import("./details.js").Details} figures
 * @returns {Row}
 */
function row(figures) {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [
      name === "latency" ? "roundTrip" : name,
      typeof value === "number" ? rounded(value) : value,
    ]),
  );
}

/** @param {number | null} value */
function rounded(value) {
  return value === null ? null : Math.round(value * 1e4) / 1e4;
}
