import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clockSample,
  latencyOf,
  matchCaptures,
  readMessage,
  RemoteClock,
  RtpTime,
} from "../../../../pages/lib/stats/latency.js";

test("the fastest round trip tells the clock, and the true offset is within its error", () => {
  // The remote clock is 500 ms ahead. Sent at, on the way there, until answered, on the way back.
  const trips = [
    [0, 40, 1, 5],
    [100, 3, 0, 4],
    [200, 10, 2, 90],
  ];
  const clock = new RemoteClock();
  for (const [at, there, answer, back] of trips) {
    const received = at + there + 500;
    clock.add(clockSample(at, received, received + answer, at + there + answer + back));
  }
  const now = clock.align(300);
  const later = clock.align(100_300);
  assert(now && later);
  assert(Math.abs(now.offset - 500) <= now.error);
  assert(now.error >= 3.5 && now.error < 3.6, `${now.error}`);
  // Quartz drifts: what was measured long ago is worth less.
  assert(later.error > 13 && later.error < 14, `${later.error}`);
});

/**
 * Frames as a receiver sees them: their RTP times begin anywhere.
 * @param {number[]} captures
 * @param {number} way
 * @param {number} start
 */
function framesOf(captures, way, start) {
  return captures.map((at) => ({ rtp: at - start, received: at + way }));
}

test("uneven steps tell which frame is which, also where frames were left out", () => {
  const steps = [33, 34, 33, 50, 17, 33, 66, 34, 33, 33, 40, 27, 33, 33, 67, 33, 50, 16, 33, 34];
  let at = 1000;
  const captures = steps.map((step) => (at += step) - step);
  const kept = captures.filter((_, index) => index % 4 !== 0);
  const fit = matchCaptures(framesOf(kept, 80, 777), captures, 0);
  assert(fit);
  assert(Math.abs(fit.shift - 777) < 1, `${fit.shift}`);
  assert(fit.doubt < 3, `${fit.doubt}`);
});

test("even steps leave a doubt of one frame, and the shortest possible way is taken", () => {
  const captures = Array.from({ length: 60 }, (_, count) => 1000 + 40 * count);
  const fit = matchCaptures(framesOf(captures, 30, 777), captures, 5);
  assert(fit);
  assert(Math.abs(fit.shift - 777) < 1, `${fit.shift}`);
  assert.equal(fit.doubt, 40);
});

test("capture times of another camera give no latency", () => {
  const captures = Array.from({ length: 30 }, (_, count) => 1000 + 100 * count);
  const other = Array.from(captures, (_, count) => 1000 + 83 * count + ((count * count) % 37));
  assert.equal(matchCaptures(framesOf(other, 30, 777), captures, 0), null);
});

test("after the greatest RTP timestamp comes zero, and frames may come out of order", () => {
  const time = new RtpTime();
  const times = [2 ** 32 - 90, 0, 90, 45].map((timestamp) => time.of(timestamp));
  assert.deepEqual(times, [0, 1, 2, 1.5]);
});

test("the latency is the median of possible delays, and rounding adds to its error", () => {
  const delays = [80, 82, 90, -9000, 9000];
  assert.deepEqual(latencyOf(delays, 3, "browser"), { value: 82, error: 4, source: "browser" });
  assert.equal(latencyOf([9000], 3, "browser"), null);
});

for (const text of ["", "null", "[]", "5", '{"type": "clock"}', '{"type": "x"}']) {
  test(`the message ${JSON.stringify(text)} of the data channel is ignored`, () => {
    assert.equal(readMessage(text), null);
  });
}

test("a report has at most 90 numbers in order and short texts, whatever the peer sent", () => {
  const captures = ["x", ...Array.from({ length: 5000 }, (_, index) => 5000 - index)];
  const sent = { type: "report", captures, limitation: "y".repeat(500), encodeTime: "fast" };
  const read = readMessage(JSON.stringify(sent));
  assert.equal(read?.type, "report");
  assert.deepEqual(
    read.captures,
    Array.from({ length: 90 }, (_, index) => index + 1),
  );
  assert.equal(read.limitation, "y".repeat(32));
  assert.equal(read.encodeTime, null);
});

for (const sent of [1e308, -1, 1e12, "5"]) {
  test(`a clock of ${sent} is no clock`, () => {
    const message = { type: "clock", sent, received: 1, answered: 2 };
    assert.equal(readMessage(JSON.stringify(message)), null);
  });
}

test("times of a report that no page can tell are left out", () => {
  const text = '{"type": "report", "captures": [1e308, -5, 7, 1e400], "encodeTime": 1e300}';
  const read = readMessage(text);
  assert.equal(read?.type, "report");
  assert.deepEqual(read.captures, [7]);
  assert.equal(read.encodeTime, null);
});

test("a clock that was read before it was asked for is not believed", () => {
  const clock = new RemoteClock();
  clock.add(clockSample(0, 60, 60, 100));
  clock.add(clockSample(200, 1e10, 1e10 + 5_000, 300));
  const aligned = clock.align(300);
  assert(aligned);
  assert(Math.abs(aligned.offset - 10) < 1, `${aligned.offset}`);
});
