import assert from "node:assert/strict";
import { test } from "node:test";

import { Bucket } from "../../../../pages/lib/media/bucket.js";

test("so many at once, and then no more than the rate allows", (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const bucket = new Bucket(3, 2);
  const taken = () => Array.from({ length: 10 }, () => bucket.take()).filter(Boolean).length;
  assert.equal(taken(), 3);
  now = 400;
  assert.equal(taken(), 0);
  now = 1_000;
  assert.equal(taken(), 2);
  now = 60_000;
  assert.equal(taken(), 3);
});
