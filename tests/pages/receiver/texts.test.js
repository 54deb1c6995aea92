import assert from "node:assert/strict";
import { test } from "node:test";

import { PROBLEMS, problemOf, problemText } from "../../../pages/receiver/texts.js";
import { passes, problem, refusalKind } from "../../../pages/sender/errors.js";

const DEVICE = { userAgent: "", maxTouchPoints: 0 };
const PAGE = { host: "", pathname: "", hash: "" };

for (const code of ["no-room", "removed", "ended"]) {
  test(`both pages have words for ${code}, and do not try again`, () => {
    assert.equal(problemOf(code, true), code);
    const text = problemText(code, { hasKey: true, viewer: false });
    assert.equal(text, PROBLEMS[/** @type {"ended"} */ (code)]);
    const kind = refusalKind(code);
    assert(kind && !passes(kind));
    assert(problem(kind, DEVICE, PAGE).help.length > 0);
  });
}
