import assert from "node:assert/strict";
import { test } from "node:test";

import { Reports } from "../../../pages/sender/reports.js";

test("a receiver that asks a thousand times at once is answered a few times", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let answers = 0;
  const reports = new Reports(() => null);
  const flooding = { connection: null, tell: () => (answers += 1) };
  for (let sent = 0; sent < 1_000; sent += 1) {
    reports.receive(flooding, JSON.stringify({ type: "clock", sent }));
  }
  assert(answers > 0 && answers <= 20, `${answers}`);
  const other = { connection: null, tell: (/** @type {string} */ text) => text };
  const told = t.mock.method(other, "tell");
  reports.receive(other, JSON.stringify({ type: "clock", sent: 1 }));
  assert.equal(told.mock.callCount(), 1);
});
