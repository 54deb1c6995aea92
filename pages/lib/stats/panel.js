/**
 * The statistics panel of one camera: asks the connection, keeps two minutes, writes the figures and draws their lines.
 * Imports stats and its details, latency's meter, history, sparkline, the buffer's limit, and the DOM helpers of view.
 */

import { History, LENGTH, toCsv } from "./history.js";
import { MAX_BUFFER } from "../media/buffer.js";
import { LatencyMeter } from "./latency-meter.js";
import { drawSparkline } from "./sparkline.js";
import { formatDetails, formatLatency, readDetails } from "./details.js";
import { formatFigures, readFigures } from "./stats.js";
import { copyText, download } from "../page/export.js";
import { text } from "../page/view.js";

/** @typedef {import("./history.js").Row} Row */

/**
 * @typedef {object} PanelOptions
 * @property {HTMLVideoElement} video
 * @property {(text: string) => void} tell to the sender's page, if it hears
 * @property {() => void} detail the other view was asked for, compact or full
 * @property {(buffer: number) => void} buffer another one was chosen, in milliseconds
 * @property {() => string} label of the camera
 */

/** Reports kept: figures such as packet loss are those of the last 3 seconds, at one report a second. */
const WINDOW = 3;
/** How long a button says that it worked, in milliseconds. */
const SAID_FOR = 2_000;

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
    const copy = this.#button(".stats-copy");
    copy.addEventListener("click", () => void this.#copy(copy));
    this.#button(".stats-csv").addEventListener("click", () =>
      download("lenscast-statistics.csv", "text/csv", toCsv(this.#history.rows)),
    );
    const slider = this.#slider();
    slider.max = String(MAX_BUFFER);
    slider.addEventListener("input", () => buffer(slider.valueAsNumber));
  }

  /** Take in what the sender's page told. @param {string} said */
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
   * Read the connection once and show its figures.
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

  /** Begin anew: after a pause in which none were taken, rates over it and lines across it would be untrue. */
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
      // One that is not laid out, as in the compact view, need not be drawn.
      if (svg.clientWidth > 0) {
        drawSparkline(svg, this.#history.values(svg.dataset.line ?? ""), LENGTH);
      }
    }
  }

  /** @param {HTMLButtonElement} button */
  async #copy(button) {
    const rows = this.#history.rows;
    const done = await copyText(JSON.stringify({ camera: this.#options.label(), rows }, null, 2));
    const label = button.dataset.label ?? "";
    text(button, done ? "Copied" : "Refused");
    setTimeout(() => text(button, label), SAID_FOR);
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
 * Figures as a row of the history, and under names that a table can have.
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
