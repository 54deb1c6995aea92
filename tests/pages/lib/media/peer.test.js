import assert from "node:assert/strict";
import { test } from "node:test";

import { origin } from "../../../../pages/lib/media/peer.js";

test("a session is known by its id, and garbage has none", () => {
  const description = "v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\ns=-\r\n";
  assert.deepEqual(origin(description), { session: "42", version: "2" });
  assert.deepEqual(origin("nothing"), { session: "", version: "" });
});
