import assert from "node:assert/strict";
import { test } from "node:test";

import { History, toCsv } from "../../../../pages/lib/stats/history.js";

test("the history keeps the last 120 rows", () => {
  const history = new History();
  for (let n = 0; n < 200; n += 1) {
    history.add({ n });
  }
  assert.deepEqual(
    history.values("n"),
    Array.from({ length: 120 }, (_, index) => 80 + index),
  );
});

test("a value that is no number is a gap, and a cleared history is empty", () => {
  const history = new History();
  history.add({ codec: "VP8", rate: null });
  assert.deepEqual(history.values("codec"), [null]);
  assert.deepEqual(history.values("rate"), [null]);
  history.clear();
  assert.deepEqual(history.rows, []);
});

test("in CSV nothing is an empty cell, quotes are doubled, and no text is a formula", () => {
  /** @type {import("../../../../pages/lib/stats/history.js").Row[]} */
  const rows = [
    { a: 1, b: null },
    { a: 2.5, b: 'x,"y"', c: "=1+1" },
  ];
  assert.equal(toCsv(rows), 'a,b,c\r\n1,,\r\n2.5,"x,""y""",\'=1+1\r\n');
});
