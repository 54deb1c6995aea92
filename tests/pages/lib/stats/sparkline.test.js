import assert from "node:assert/strict";
import { test } from "node:test";

import { lines } from "../../../../pages/lib/stats/sparkline.js";

test("the newest value is at the right, the greatest at the top, and a missing one is a gap", () => {
  assert.deepEqual(lines([0, 10, null, 5, 5], 10), ["5,18.50 6,1.50", "8,10.00 9,10.00"]);
  assert.deepEqual(lines([], 10), []);
});

test("a single value is drawn as a short line", () => {
  assert.deepEqual(lines([null, 4, null], 3), ["1,1.50 2,1.50"]);
});
