/**
 * What the window shows besides the cameras: the waiting screen, the problem, the banner, the title.
 */

import { byId, show, text } from "../lib/page/view.js";
import { problemText } from "./texts.js";

/** @typedef {import("../lib/signaling/protocol.js").Phase} Phase */

/**
 * @typedef {object} Stage
 * @property {Phase} phase
 * @property {string | null} error
 * @property {boolean} viewer
 * @property {boolean} hasKey whether the link has a key
 * @property {boolean} joined whether the server has let this page in
 * @property {string[]} labels of the cameras
 * @property {boolean} stats whether the figures are shown
 * @property {boolean} full whether all of them are
 */

/** @param {Stage} stage */
export function renderStage(stage) {
  const { phase, error, joined, labels, stats, full } = stage;
  const root = document.documentElement;
  root.dataset.cameras = labels.length > 1 ? "many" : String(labels.length);
  root.toggleAttribute("data-stats", stats);
  root.toggleAttribute("data-full", full);
  show(byId("waiting", HTMLElement), error === null && labels.length === 0);
  show(byId("grid", HTMLElement), error === null && labels.length > 0);
  text(byId("waiting-text", HTMLElement), waitingText(phase, joined));
  show(byId("banner", HTMLElement), phase === "reconnecting");
  text(byId("banner-text", HTMLElement), bannerText(phase, labels.length));
  renderProblem(stage);
  const status = statusText(stage);
  text(byId("status", HTMLElement), status);
  document.title = `${status} – Lenscast`;
}

/** @param {Stage} stage */
function renderProblem({ error, ...page }) {
  show(byId("problem", HTMLElement), error !== null);
  const problem = error === null ? null : problemText(error, page);
  text(byId("problem-title", HTMLElement), problem?.title ?? "");
  text(byId("problem-text", HTMLElement), problem?.text ?? "");
  text(byId("problem-advice", HTMLElement), problem?.advice ?? "");
}

/**
 * @param {Phase} phase
 * @param {boolean} joined
 */
function waitingText(phase, joined) {
  if (phase === "reconnecting") {
    return "Reconnecting";
  }
  return joined ? "Waiting for a phone" : "Connecting to the server";
}

/**
 * @param {Phase} phase
 * @param {number} cameras
 */
function bannerText(phase, cameras) {
  if (phase !== "reconnecting") {
    return "";
  }
  return cameras > 0
    ? "The connection to the server is lost. The video goes on."
    : "The connection to the server is lost. Reconnecting.";
}

/** @param {Stage} stage */
function statusText({ phase, error, joined, labels, ...page }) {
  if (error !== null) {
    return problemText(error, page).title;
  }
  if (labels.length === 0) {
    return waitingText(phase, joined);
  }
  const who = labels.join(", ");
  if (phase === "live") {
    return who;
  }
  return `${who}: ${phase}`;
}
