import assert from "node:assert/strict";
import { test } from "node:test";

import { deedOf, titleOf } from "../../../pages/sender/remote.js";

/** @typedef {import("../../../pages/lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {Parameters<typeof deedOf>[2]} Now */

const HIGH = { label: "High", width: 1280, height: 720, frameRate: 30, maxBitrate: 1_500_000 };
const PRESETS = { default: "high", presets: { high: HIGH, hd: { ...HIGH, label: "Full HD" } } };

/** @type {Now} */
const NOW = {
  actual: { width: 1280, height: 720, frameRate: 30, label: "Back", facing: "environment" },
  choice: { facing: "environment", width: 1280, height: 720, frameRate: 30, preset: "high" },
  priority: "smooth",
  codec: "auto",
  codecs: ["auto", "vp8"],
  microphone: true,
};

/** @type {[ControlSettings, string][]} */
const DEEDS = [
  [{ facing: "user" }, "switched to the front camera"],
  [{ preset: "hd" }, "set the quality to Full HD"],
  [{ priority: "sharp" }, "chose to keep the picture sharp"],
  [{ codec: "vp8" }, "set the codec to VP8"],
  [{ microphone: false }, "turned off the microphone"],
  [{ facing: "user", preset: "hd" }, "switched to the front camera and set the quality to Full HD"],
];
for (const [settings, deed] of DEEDS) {
  test(`the phone says who ${deed}`, () => {
    assert.equal(deedOf("Laptop 2", settings, NOW, PRESETS), `Laptop 2 ${deed}.`);
  });
}

test("what changes nothing, or is not known, is no deed", () => {
  const nothing = /** @type {ControlSettings[]} */ ([
    {},
    { facing: "environment", preset: "high", priority: "smooth", codec: "auto" },
    { facing: "up", preset: "toString", priority: "both", codec: "av1", microphone: true },
  ]);
  for (const settings of nothing) {
    assert.equal(deedOf("Laptop 1", settings, NOW, PRESETS), "");
  }
});

test("a receiver without a name has its role and a number", () => {
  assert.equal(titleOf({ role: "receiver", number: 2 }), "Laptop 2");
  assert.equal(titleOf({ role: "viewer", number: 3 }), "Viewer 3");
  assert.equal(titleOf({ name: " \u202e\0\n", role: "receiver", number: 1 }), "Laptop 1");
});

test("a name is shown as text: one line, nothing unseen, not too long", () => {
  const title = (/** @type {string} */ name) => titleOf({ name, number: 1 });
  assert.equal(title("Anna’s MacBook"), "Anna’s MacBook");
  assert.equal(title("a\u202eb\u200b\u001bc\n d\ud800"), "a b c d");
  assert.equal(title("😀".repeat(40)), "😀".repeat(32));
});
