/** What a description says of the connection that it is from. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { certificates, origin } from "../../../../pages/lib/media/peer.js";

const ANSWER = ["v=0", "o=- 42 2 IN IP4 127.0.0.1", "a=fingerprint:sha-256 AA", ""].join("\r\n");

test("two descriptions of one connection have the same session id, and garbage has none", () => {
  assert.deepEqual(origin(ANSWER), { session: "42", version: "2" });
  assert.deepEqual(origin("nothing"), { session: "", version: "" });
});

test("a certificate counts once, however many sections name it", () => {
  assert.equal(certificates(ANSWER + ANSWER), "a=fingerprint:sha-256 AA\r".trim());
  assert.equal(certificates("nothing"), "");
});
