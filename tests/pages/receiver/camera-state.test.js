import assert from "node:assert/strict";
import { test } from "node:test";

import { readCameraState } from "../../../pages/receiver/camera-state.js";

test("of what a peer says, fields of the wrong kind are left out", () => {
  const { presets, preset, ...rest } = readCameraState({
    status: "live",
    camera: 5,
    presets: "x",
    width: "wide",
    facing: "sideways",
    microphone: 1,
    priority: "fast",
    notice: {},
  });
  assert.deepEqual([presets, preset], [[], null]);
  assert.deepEqual(JSON.parse(JSON.stringify(rest)), { status: "live", control: true });
});

test("a phone refuses control by saying so, and in no other way", () => {
  const controls = [false, true, 0, "no", null, undefined].map(
    (control) => readCameraState({ control }).control,
  );
  assert.deepEqual(controls, [false, true, true, true, true, true]);
});

test("texts and lists are cut to a length that a page can show", () => {
  const state = readCameraState({
    status: "paused",
    reason: "hidden",
    camera: "c".repeat(500),
    notice: "n".repeat(500),
    presets: ["", ...Array(50).fill("p")],
  });
  assert.equal(state.status, "paused");
  assert.equal(state.camera?.length, 64);
  assert.equal(state.notice?.length, 160);
  assert.equal(state.presets?.length, 15);
});
