import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { runChecks } from "../../../../pages/lib/check/check.js";

/** @typedef {import("../../../../pages/lib/check/check.js").Check} Check */
/** @typedef {import("../../../../pages/lib/check/texts.js").Result} Result */

/** @type {Result} */
const FINE = { status: "ok", text: "Fine." };

/** @param {string} id @param {Check["run"]} run @returns {Check} */
function check(id, run) {
  return { id, title: id, run };
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(console, "warn", () => {});
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("all checks run at once, and each is told as it completes", async () => {
  /** @type {[string, Result][]} */
  const told = [];
  let finish = () => {};
  const slow = check("slow", () => new Promise((resolve) => (finish = () => resolve(FINE))));
  const quick = check("quick", async () => FINE);
  const all = runChecks([slow, quick], new AbortController().signal, (id, result) => {
    told.push([id, result]);
    finish();
  });
  await all;
  assert.deepEqual(told, [
    ["quick", FINE],
    ["slow", FINE],
  ]);
});

test("a check that fails by itself is unclear, and does not stop the others", async () => {
  /** @type {Record<string, Result>} */
  const told = {};
  const broken = check("broken", async () => {
    throw new Error("turn:user:secret@192.0.2.1");
  });
  const list = [broken, check("fine", async () => FINE)];
  await runChecks(list, new AbortController().signal, (id, result) => (told[id] = result));
  assert.equal(told.broken.status, "unclear");
  assert(!JSON.stringify(told).includes("secret"));
  assert.equal(told.fine, FINE);
});

test("a check is told to end after eight seconds", async () => {
  let ended = false;
  const endless = check(
    "endless",
    (signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          ended = true;
          resolve(FINE);
        });
      }),
  );
  const running = runChecks([endless], new AbortController().signal, () => {});
  mock.timers.tick(7999);
  assert.equal(ended, false);
  mock.timers.tick(1);
  await running;
  assert.equal(ended, true);
});

test("after the page gives up nothing is told", async () => {
  const outer = new AbortController();
  const told = mock.fn();
  const waits = check(
    "waits",
    (signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(FINE));
      }),
  );
  const running = runChecks([waits], outer.signal, told);
  outer.abort();
  await running;
  assert.equal(told.mock.callCount(), 0);
});
