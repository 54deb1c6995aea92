import assert from "node:assert/strict";
import { test } from "node:test";

import { LatencyMeter } from "../../../../pages/lib/stats/latency-meter.js";

/** A meter, and the times at which it asked. */
function meter() {
  /** @type {number[]} */
  const asked = [];
  const video = /** @type {HTMLVideoElement} */ ({});
  const made = new LatencyMeter(video, (text) => asked.push(JSON.parse(text).sent));
  return { asked, meter: made };
}

test("an answer that nobody asked for is not taken, nor one twice", () => {
  const { asked, meter: tested } = meter();
  const answer = (/** @type {number} */ sent) =>
    tested.receive(JSON.stringify({ type: "clock", sent, received: 5, answered: 5 }));
  tested.read(null);
  assert.equal(asked.length, 1);
  answer(asked[0] + 1);
  assert.equal(asked.length, 1);
  answer(asked[0]);
  assert.equal(asked.length, 2, "the answer was not taken");
  answer(asked[0]);
  assert.equal(asked.length, 2);
});

test("of many reports one a second is read", (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { meter: tested } = meter();
  const report = (/** @type {number} */ encodeTime) =>
    tested.receive(JSON.stringify({ type: "report", captures: [], encodeTime }));
  report(1);
  now = 999;
  report(2);
  assert.equal(tested.report?.encodeTime, 1);
  now = 1_000;
  report(3);
  assert.equal(tested.report?.encodeTime, 3);
});
