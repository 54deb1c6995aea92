import assert from "node:assert/strict";
import { test } from "node:test";

import { Adaptation, stepped, worst } from "../../../pages/sender/load.js";

/** Between two samples, in milliseconds. */
const INTERVAL = 2000;

/**
 * The step after each run of samples.
 * @param {[string, number][]} runs what limited the encoder, and for how many seconds
 */
function stepsAfter(...runs) {
  const adaptation = new Adaptation();
  let now = 0;
  return runs.map(([reason, seconds]) => {
    for (let left = seconds * 1000; left > 0; left -= INTERVAL) {
      adaptation.add(reason, (now += INTERVAL));
    }
    return adaptation.step;
  });
}

test("a step down takes more than ten seconds at the processor's limit", () => {
  assert.deepEqual(stepsAfter(["cpu", 10], ["cpu", 2]), [0, 1]);
});

test("one sample with another reason starts the count again", () => {
  assert.deepEqual(stepsAfter(["cpu", 10], ["none", 2], ["cpu", 10]), [0, 0, 0]);
});

test("there are three steps and no more", () => {
  assert.deepEqual(stepsAfter(["cpu", 100]), [3]);
});

test("bandwidth is the browser's job: it is no reason for a step down, nor for one up", () => {
  assert.deepEqual(stepsAfter(["bandwidth", 60]), [0]);
  assert.deepEqual(stepsAfter(["cpu", 12], ["bandwidth", 600]), [1, 1]);
});

test("after thirty seconds without a limit it goes up again, one step at a time", () => {
  const runs = stepsAfter(["cpu", 22], ["none", 30], ["none", 2], ["none", 30]);
  assert.deepEqual(runs, [2, 2, 1, 0]);
});

test("the wait for the next step up doubles with each one that failed, up to eight minutes", () => {
  const adaptation = new Adaptation();
  let now = 0;
  /** @param {string} reason @param {number} step */
  const until = (reason, step) => {
    const start = now;
    while (adaptation.step !== step) {
      adaptation.add(reason, (now += INTERVAL));
    }
    return (now - start) / 1000;
  };
  const waits = Array.from({ length: 7 }, () => (until("cpu", 1), until("none", 0)));
  assert.deepEqual(waits, [32, 62, 122, 242, 482, 482, 482]);
});

test("samples far apart are not one long time, as when the page slept", () => {
  const adaptation = new Adaptation();
  adaptation.add("cpu", 0);
  adaptation.add("cpu", 60_000);
  assert.equal(adaptation.step, 0);
});

test("a new choice starts again without a step", () => {
  const adaptation = new Adaptation();
  for (let now = 0; now <= 12_000; now += INTERVAL) {
    adaptation.add("cpu", now);
  }
  assert.equal(adaptation.step, 1);
  adaptation.reset();
  assert.equal(adaptation.step, 0);
});

/** @param {"sharp" | "smooth"} priority */
function sent(priority) {
  const limits = { maxBitrate: 1_500_000, maxFramerate: 30, priority };
  return [0, 1, 2, 3]
    .map((step) => stepped(limits, step))
    .map(({ scaleResolutionDownBy, maxFramerate }) => [scaleResolutionDownBy, maxFramerate]);
}

test("smooth gives pixels away first, sharp gives frames away first", () => {
  assert.deepEqual(sent("smooth"), [
    [1, 30],
    [1.5, 30],
    [2, 30],
    [2, 15],
  ]);
  assert.deepEqual(sent("sharp"), [
    [1, 30],
    [1, 24],
    [1, 15],
    [1.5, 15],
  ]);
});

test("a step is on top of the scale that is sent anyway", () => {
  const limits = { maxBitrate: 1, maxFramerate: 30, scaleResolutionDownBy: 2 };
  assert.equal(stepped(limits, 1).scaleResolutionDownBy, 3);
});

test("a processor that is the limit for one receiver is the limit for all", () => {
  assert.equal(worst(["none", "bandwidth", "cpu"]), "cpu");
  assert.equal(worst(["none", "bandwidth", null]), "bandwidth");
  assert.equal(worst([null, "none"]), "none");
  assert.equal(worst([null]), null);
  assert.equal(worst([]), null);
});
