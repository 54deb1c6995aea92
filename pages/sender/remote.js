/**
 * What receivers ask of this phone's camera: whether they may, and in words who asked for what. Pure, but for what it
 * remembers.
 */

import { CODECS } from "./codecs.js";

/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("./state.js").State} State */

/** @typedef {{ name?: string, role?: string, number: number }} Visitor `number`: among those without a name, from 1 */

const KEY = "lenscast.remote-control";
const REFUSED = "refused";
const MAX_NAME = 32;

/** Whether receivers may control the camera: what the person at the phone chose last, or else that they may. */
export function rememberedControl() {
  try {
    return localStorage.getItem(KEY) !== REFUSED;
  } catch {
    // Storage may be blocked for this page: then every visit begins as the first one.
    return true;
  }
}

/** @param {boolean} allowed */
export function rememberControl(allowed) {
  try {
    localStorage.setItem(KEY, allowed ? "allowed" : REFUSED);
  } catch {
    // As above: it holds for this visit.
  }
}

/**
 * What a receiver is called.
 * @param {Visitor} visitor
 * @returns {string} such as "Laptop 2"
 */
export function titleOf({ name = "", role, number }) {
  return cleaned(name) || `${role === "viewer" ? "Viewer" : "Laptop"} ${number}`;
}

/**
 * A name as text: in one line, and with nothing that is not seen or changes the direction of what stands beside it.
 * @param {string} name as another peer gave it
 */
function cleaned(name) {
  const shown = name.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return [...shown].slice(0, MAX_NAME).join("").trim();
}

/**
 * What a receiver does to the camera, in a sentence.
 * @param {string} who
 * @param {ControlSettings} settings what it asks for
 * @param {Pick<State, "actual" | "choice" | "priority" | "codec" | "codecs" | "microphone">} now how things stand before
 * @param {Presets} presets
 * @returns {string} "" where it changes nothing
 */
export function deedOf(who, { preset, facing, microphone, priority, codec }, now, { presets }) {
  /** @type {string[]} */
  const done = [];
  if ((facing === "user" || facing === "environment") && facing !== now.actual?.facing) {
    done.push(`switched to the ${facing === "user" ? "front" : "back"} camera`);
  }
  if (preset !== undefined && Object.hasOwn(presets, preset) && preset !== now.choice.preset) {
    done.push(`set the quality to ${presets[preset].label}`);
  }
  if ((priority === "smooth" || priority === "sharp") && priority !== now.priority) {
    done.push(`chose to keep the picture ${priority}`);
  }
  if (codec !== undefined && now.codecs.includes(codec) && codec !== now.codec) {
    done.push(`set the codec to ${CODECS[codec]}`);
  }
  if (microphone === false && now.microphone) {
    done.push("turned off the microphone");
  }
  return done.length === 0 ? "" : `${who} ${done.join(" and ")}.`;
}
