import assert from "node:assert/strict";
import { test } from "node:test";

import {
  bitrateFor,
  firstChoice,
  firstLimits,
  readFragment,
} from "../../../../pages/lib/page/settings.js";

/** @param {[number, number, number, number]} numbers */
function preset(...[width, height, frameRate, maxBitrate]) {
  return { label: "", width, height, frameRate, maxBitrate };
}

const PRESETS = {
  default: "high",
  presets: {
    low: preset(640, 480, 15, 300_000),
    medium: preset(640, 480, 30, 1_000_000),
    high: preset(1280, 720, 30, 1_500_000),
    hd: preset(1920, 1080, 30, 4_000_000),
  },
};

test("a link's fragment is the room and the key, and what is missing is left out", () => {
  assert.deepEqual(readFragment("#abc.KEY"), { room: "abc", key: "KEY" });
  assert.deepEqual(readFragment("#abc.K.EY"), { room: "abc", key: "K.EY" });
  assert.deepEqual(readFragment("#abc."), { room: "abc" });
  assert.deepEqual(readFragment("#abc"), { room: "abc" });
  assert.deepEqual(readFragment("#"), {});
  assert.deepEqual(readFragment(""), {});
});

test("more pixels a second never get fewer bits, and a preset's size gets the preset's bits", () => {
  const sizes = [
    [320, 240, 15],
    [640, 480, 15],
    [640, 480, 30],
    [1280, 720, 24],
    [1280, 720, 30],
    [1920, 1080, 30],
    [1920, 1080, 60],
  ];
  const rates = sizes.map(([width, height, frameRate]) =>
    bitrateFor({ width, height, frameRate }, PRESETS),
  );
  assert.deepEqual(
    rates,
    [...rates].sort((a, b) => a - b),
  );
  assert.deepEqual(
    [rates[0], rates[1], rates[2], rates[4], rates[5], rates[6]],
    [75_000, 300_000, 1_000_000, 1_500_000, 4_000_000, 8_000_000],
  );
  assert(rates[3] > rates[2] && rates[3] < rates[4]);
});

test("the camera is first opened and sent as the default preset says", () => {
  const { facing, width, height, frameRate, preset: name } = firstChoice(PRESETS);
  assert.deepEqual(
    [facing, width, height, frameRate, name],
    ["environment", 1280, 720, 30, "high"],
  );
  assert.deepEqual(firstLimits(PRESETS), { maxBitrate: 1_500_000, maxFramerate: 30 });
});
