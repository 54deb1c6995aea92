import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsFor } from "../../../pages/receiver/grid.js";

test("pictures stand side by side where that makes them larger", () => {
  assert.equal(columnsFor(0, 1440, 900, 16 / 9), 1);
  assert.equal(columnsFor(1, 1440, 900, 16 / 9), 1);
  assert.equal(columnsFor(2, 1440, 900, 16 / 9), 1);
  assert.equal(columnsFor(2, 2400, 700, 16 / 9), 2);
  assert.equal(columnsFor(3, 2400, 700, 16 / 9), 3);
  assert.equal(columnsFor(4, 1440, 900, 16 / 9), 2);
});
