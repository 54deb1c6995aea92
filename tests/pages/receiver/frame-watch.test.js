import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { FrameWatch } from "../../../pages/receiver/frame-watch.js";

/** Between two looks, in milliseconds. */
const LOOK = 500;

let now = 0;
/** @type {(true | "anew")[]} */
let asked = [];

/** A receiver of which the test says what has come. */
class FakeReceiver {
  frames = 0;
  bytes = 0;

  async getStats() {
    const video = { type: "inbound-rtp", kind: "video", framesDecoded: this.frames };
    const pair = { type: "candidate-pair", bytesReceived: this.bytes };
    return new Map(Object.entries({ video, pair }));
  }
}

/** @param {() => FakeReceiver | null} receiver */
function watch(receiver) {
  return new FrameWatch(() => ({
    receiver: /** @type {any} */ (receiver()),
    ask: (restart) => asked.push(restart),
  }));
}

/**
 * Let time pass.
 * @param {number} seconds
 * @param {() => void} [comes] called before each look
 */
async function pass(seconds, comes = () => {}) {
  for (let left = seconds * 1000; left > 0; left -= LOOK) {
    now += LOOK;
    comes();
    mock.timers.tick(LOOK);
    await Promise.resolve();
    await Promise.resolve();
  }
}

beforeEach(() => {
  now = 0;
  asked = [];
  mock.timers.enable({ apis: ["setInterval"] });
  mock.method(performance, "now", () => now);
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("while frames come nothing is asked", async () => {
  const receiver = new FakeReceiver();
  const watching = watch(() => receiver);
  await pass(60, () => {
    receiver.frames += 15;
    receiver.bytes += 1000;
  });
  assert.deepEqual(asked, []);
  assert.equal(watching.broken, false);
});

test("when frames stop but bytes still come, a restart is asked for after three seconds", async () => {
  const receiver = new FakeReceiver();
  receiver.frames = 1;
  const watching = watch(() => receiver);
  const bytes = () => (receiver.bytes += 100);
  await pass(3.5, bytes); // The first look only begins to count, and so does the second.
  assert.deepEqual(asked, []);
  await pass(1, bytes);
  assert.deepEqual(asked, [true]);
  assert.equal(watching.broken, true);
});

test("when not even bytes come, a restart is asked for after half that time", async () => {
  const receiver = new FakeReceiver();
  watch(() => receiver);
  await pass(2, () => {
    receiver.frames += 15;
    receiver.bytes += 1000;
  });
  await pass(2);
  assert.deepEqual(asked, [true]);
});

test("a first frame may take ten seconds, as on a slow network", async () => {
  const receiver = new FakeReceiver();
  watch(() => receiver);
  const bytes = () => (receiver.bytes += 100);
  await pass(10, bytes);
  assert.deepEqual(asked, []);
  await pass(1, bytes);
  assert.deepEqual(asked, [true]);
});

test("if the restart does not help, another connection is asked for, again and again", async () => {
  const receiver = new FakeReceiver();
  receiver.frames = 1;
  watch(() => receiver);
  const bytes = () => (receiver.bytes += 100);
  await pass(4.5, bytes);
  assert.deepEqual(asked, [true]);
  await pass(5.5, bytes);
  assert.deepEqual(asked, [true, "anew"]);
  await pass(10.5, bytes);
  assert.deepEqual(asked, [true, "anew", "anew"]);
});

test("another receiver has its own time, and a frame ends what was asked for", async () => {
  let receiver = new FakeReceiver();
  const watching = watch(() => receiver);
  const bytes = () => (receiver.bytes += 100);
  await pass(11, bytes);
  assert.deepEqual(asked, [true]);
  receiver = new FakeReceiver();
  await pass(1, bytes);
  assert.equal(watching.broken, true);
  receiver.frames = 1;
  await pass(1, bytes);
  assert.equal(watching.broken, false);
  assert.deepEqual(asked, [true]);
});

test("the time without a receiver does not count for the next one", async () => {
  const receiver = new FakeReceiver();
  /** @type {FakeReceiver | null} */
  let current = null;
  watch(() => current);
  await pass(30);
  current = receiver;
  await pass(9, () => (receiver.bytes += 100));
  assert.deepEqual(asked, []);
});

test("nothing is asked where no picture is due, or after the end", async () => {
  const receiver = new FakeReceiver();
  watch(() => null);
  const ended = watch(() => receiver);
  ended.close();
  await pass(60);
  assert.deepEqual(asked, []);
});
