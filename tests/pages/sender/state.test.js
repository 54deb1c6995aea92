import assert from "node:assert/strict";
import { test } from "node:test";

import {
  busyNotice,
  cameraState,
  limitsOf,
  pauseOf,
  phaseOf,
  statusOf,
} from "../../../pages/sender/state.js";

/** @typedef {import("../../../pages/sender/state.js").State} SenderState */

const PRESETS = {
  default: "high",
  presets: {
    low: { label: "", width: 640, height: 360, frameRate: 30, maxBitrate: 600_000 },
    high: { label: "", width: 1280, height: 720, frameRate: 30, maxBitrate: 1_500_000 },
  },
};

/**
 * A sender that is live on one laptop, with changes.
 * @param {Partial<SenderState>} [changes]
 * @returns {SenderState}
 */
function state(changes = {}) {
  /** @type {Omit<SenderState, "phase">} */
  const whole = {
    error: null,
    run: "started",
    camera: true,
    outage: "none",
    hidden: false,
    signaling: "registered",
    blocked: false,
    receivers: 1,
    connected: 1,
    interrupted: false,
    cameras: [],
    choice: { facing: "environment", width: 1280, height: 720, frameRate: 30, preset: "high" },
    actual: {
      width: 1280,
      height: 720,
      frameRate: 30,
      label: "Back camera",
      facing: "environment",
    },
    microphone: false,
    priority: "smooth",
    codec: "auto",
    codecs: ["auto", "vp8"],
    step: 0,
    notice: "",
    control: true,
    deeds: [],
    ...changes,
  };
  return { ...whole, phase: phaseOf(whole) };
}

test("the phase follows from the rest of the state", () => {
  assert.equal(state().phase, "live");
  assert.equal(state({ error: "camera-busy" }).phase, "error");
  assert.equal(state({ run: "new" }).phase, "idle");
  assert.equal(state({ run: "stopped" }).phase, "ended");
  assert.equal(state({ camera: false }).phase, "asking");
  assert.equal(state({ hidden: true }).phase, "paused");
  assert.equal(state({ outage: "short" }).phase, "paused");
  assert.equal(state({ signaling: "lost" }).phase, "reconnecting");
  assert.equal(state({ connected: 0, interrupted: true }).phase, "reconnecting");
  assert.equal(state({ connected: 0 }).phase, "connecting");
});

test("the phase is the most important thing that is true", () => {
  const all = { hidden: true, signaling: /** @type {const} */ ("lost"), connected: 0 };
  assert.equal(state({ ...all, camera: false, error: "camera-busy" }).phase, "error");
  assert.equal(state({ ...all, camera: false }).phase, "asking");
  assert.equal(state(all).phase, "paused");
});

test("a page that is hidden is paused for that reason, whatever the camera does", () => {
  assert.equal(pauseOf({ hidden: true, outage: "long" }), "hidden");
  assert.equal(pauseOf({ hidden: false, outage: "short" }), "interrupted");
  assert.equal(pauseOf({ hidden: false, outage: "none" }), null);
});

test("the status line tells how many laptops watch", () => {
  assert.match(statusOf(state()), /\b1 laptop$/);
  assert.match(statusOf(state({ connected: 3 })), /\b3 laptops$/);
  assert.match(statusOf(state({ signaling: "lost", connected: 3 })), /\b3 laptops\b/);
});

test("each situation has a status line of its own, and a page that has ended has none", () => {
  /** @type {Partial<SenderState>[]} */
  const situations = [
    {},
    { camera: false },
    { hidden: true },
    { outage: "long" },
    { connected: 0, signaling: "connecting" },
    { connected: 0, receivers: 0 },
    { connected: 0 },
    { run: "new" },
    { connected: 0, interrupted: true },
    { signaling: "lost" },
    { signaling: "lost", connected: 0 },
  ];
  const lines = situations.map((changes) => statusOf(state(changes)));
  assert.equal(new Set(lines).size, lines.length, lines.join("\n"));
  assert(lines.every((line) => line !== ""));
  assert.equal(statusOf(state({ run: "stopped" })), "");
});

test("the laptop is told what the camera gives, and why it is paused", () => {
  const told = cameraState(state(), PRESETS);
  assert.deepEqual(told, {
    status: "live",
    reason: undefined,
    camera: "Back camera",
    facing: "environment",
    preset: "high",
    width: 1280,
    height: 720,
    frameRate: 30,
    microphone: false,
    presets: ["low", "high"],
    priority: "smooth",
    codec: "auto",
    codecs: ["auto", "vp8"],
    notice: "",
    control: true,
  });
  assert.equal(cameraState(state({ control: false }), PRESETS).control, false);
  const { status, reason } = cameraState(state({ hidden: true }), PRESETS);
  assert.deepEqual([status, reason], ["paused", "hidden"]);
});

test("a busy phone says what it sends for now, and nothing while it sends what was chosen", () => {
  assert.match(busyNotice(state({ step: 1 }), PRESETS), /\b853×480, 30 fps\./);
  assert.equal(busyNotice(state(), PRESETS), "");
  assert.equal(busyNotice(state({ step: 1, actual: null }), PRESETS), "");
});

test("a camera that gives more than was asked for is scaled down before it is sent", () => {
  const actual = { width: 1080, height: 1920, frameRate: 30, label: "" };
  const { maxBitrate, maxFramerate, scaleResolutionDownBy } = limitsOf(state({ actual }), PRESETS);
  assert.deepEqual([maxBitrate, maxFramerate, scaleResolutionDownBy], [1_500_000, 30, 1.5]);
  const small = { width: 640, height: 360, frameRate: 30, label: "" };
  assert.equal(limitsOf(state({ actual: small }), PRESETS).scaleResolutionDownBy, 1);
});

test("a size that is no preset gets a bitrate of its own", () => {
  const choice = { facing: undefined, width: 1280, height: 720, frameRate: 15, preset: null };
  const { maxBitrate } = limitsOf(state({ choice: { ...state().choice, ...choice } }), PRESETS);
  assert(maxBitrate > 600_000 && maxBitrate < 1_500_000, `${maxBitrate}`);
});
