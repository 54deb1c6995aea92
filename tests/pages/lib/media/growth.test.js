import assert from "node:assert/strict";
import { test } from "node:test";

import { Growth } from "../../../../pages/lib/media/growth.js";

const WANTED = 1_000_000;

/**
 * What to do after each sample.
 * @param {[string, number | null, number][]} samples what limits, the share of the wanted bitrate that there is, and
 *   when, in seconds
 */
function stepsFor(...samples) {
  const growth = new Growth();
  return samples.map(([limitation, share, seconds]) =>
    growth.add(
      { limitation, available: share === null ? null : share * WANTED, wanted: WANTED },
      1000 * seconds,
    ),
  );
}

test("while the network limits and too little is known to get through, it is probed", () => {
  const steps = stepsFor(["bandwidth", 0.4, 0], ["bandwidth", 0.89, 2]);
  assert.deepEqual(steps, ["probe", "probe"]);
});

test("when enough gets through, full size is tried, each time later if it does not last", () => {
  const seconds = [0, 2, 10, 12, 24, 30];
  const steps = stepsFor(
    ...seconds.map((at) => /** @type {[string, number, number]} */ (["bandwidth", 0.9, at])),
  );
  assert.deepEqual(steps, ["restore", null, "restore", null, null, "restore"]);
});

test("after full size has lasted, the next time counts as the first", () => {
  const steps = stepsFor(["bandwidth", 1, 0], ["none", 1, 2], ["bandwidth", 1, 17]);
  assert.deepEqual(steps, ["restore", null, "restore"]);
});

test("nothing is done about another limit, or where the browser does not say how much there is", () => {
  const steps = stepsFor(["cpu", 0.4, 0], ["none", 0.4, 2], ["bandwidth", null, 4]);
  assert.deepEqual(steps, [null, null, null]);
});
