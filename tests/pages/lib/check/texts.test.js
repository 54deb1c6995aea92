import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cameraText,
  relayText,
  secureText,
  socketText,
  stunText,
} from "../../../../pages/lib/check/texts.js";

/** @typedef {import("../../../../pages/lib/check/texts.js").Result} Result */
/** @typedef {import("../../../../pages/lib/check/ice.js").RelayOutcome} RelayOutcome */
/** @typedef {Parameters<typeof cameraText>[0]} Camera */
/** @typedef {Parameters<typeof socketText>[0]} Socket */

/**
 * Check results that a person must be able to tell apart.
 * @param {[Result, Result["status"], (string | RegExp)?][]} rows each with its status and words that it must have
 */
function tellApart(rows) {
  for (const [{ text, advice = "", status }, expected, words = ""] of rows) {
    assert.equal(status, expected, text);
    assert.match(`${text} ${advice}`, new RegExp(words));
  }
  const sentences = rows.map(([{ text, advice }]) => `${text} ${advice}`);
  assert.equal(new Set(sentences).size, sentences.length);
}

test("a page over plain HTTP is a problem of its own", () => {
  tellApart([
    [secureText(true), "ok"],
    [secureText(false), "problem", "https"],
  ]);
});

test("a camera is on, off, hidden, refused, missing or busy", () => {
  /** @type {Camera} */
  const closed = { secure: true, open: false, error: null, permission: "prompt", count: 1 };
  tellApart([
    [cameraText({ ...closed, open: true, count: 3 }), "ok", "3 cameras"],
    [cameraText({ ...closed, permission: "granted" }), "ok", "1 camera\\b"],
    [cameraText(closed), "ok"],
    [cameraText({ ...closed, secure: false }), "problem"],
    [cameraText({ ...closed, permission: "denied" }), "problem"],
    [cameraText({ ...closed, count: 0 }), "problem"],
    [cameraText({ ...closed, error: "camera-busy" }), "problem"],
  ]);
  assert.deepEqual(
    cameraText({ ...closed, error: "camera-refused" }),
    cameraText({ ...closed, permission: "denied" }),
  );
  assert.deepEqual(
    cameraText({ ...closed, error: "no-camera" }),
    cameraText({ ...closed, count: 0 }),
  );
});

test("a WebSocket opens, is refused, is lost, or never opened", () => {
  const inRoom = { registered: true, everOpened: true, refusal: null };
  /** @param {{ ms?: number | null, secure?: boolean }} socket @param {object} [status] */
  const text = ({ ms = null, secure = true }, status = {}) =>
    socketText({ ms, secure, signaling: /** @type {any} */ ({ ...inRoom, ...status }) });
  const out = { registered: false };
  const never = { registered: false, everOpened: false };
  tellApart([
    [text({ ms: 12.4 }), "ok", "12 ms"],
    [text({ ms: 0.2 }), "ok", "less than 1 ms"],
    [text({ ms: 12.4 }, out), "ok", "12 ms"],
    [text({ ms: 12.4 }, { refusal: { message: "Bad key." } }), "problem", "Bad key\\."],
    [text({}), "partly"],
    [text({}, out), "problem"],
    [text({}, never), "problem"],
  ]);
  // Over plain HTTP no certificate can be in the way.
  assert.deepEqual(text({ secure: false }, never), text({}, out));
  assert.equal(text({}, never).link?.href, "/trust");
});

test("a STUN server answers, is silent, or there is none", () => {
  tellApart([
    [stunText("answered"), "ok"],
    [stunText("silent"), "problem", "UDP"],
    [stunText("unclear"), "unclear"],
    [stunText("bad-url"), "problem", "config\\.yaml"],
    [stunText(null), "none"],
  ]);
});

test("a relay works, gives no way, refuses, is silent, or there is none", () => {
  /** @param {RelayOutcome | null} outcome @param {boolean} [registered] */
  const text = (outcome, registered = true) => relayText(outcome, "udp", registered);
  tellApart([
    [text({ outcome: "works", ms: 3.6 }), "ok", "4 ms"],
    [text({ outcome: "no-way" }), "partly"],
    [text({ outcome: "no-way", code: 403 }), "partly"],
    [text({ outcome: "silent" }), "problem", "UDP"],
    [relayText({ outcome: "silent" }, "tls", true), "problem", "TCP"],
    [text({ outcome: "bad-url" }), "problem", "config\\.yaml"],
    [text(null), "none"],
    [relayText(null, "tcp", true), "none", "UDP"],
    [relayText(null, "tls", true), "none", "HTTPS"],
  ]);
});

test("each of a relay's error codes has its advice", () => {
  /** @param {number} code @param {boolean} [registered] */
  const text = (code, registered = true) =>
    relayText({ outcome: "refused", code }, "udp", registered);
  tellApart([
    [text(401), "problem", "\\(401\\).*config\\.yaml"],
    [text(401, false), "problem", "\\(401\\)"],
    [text(441), "problem", "\\(441\\).*config\\.yaml"],
    [text(486), "problem", "\\(486\\)"],
    [text(508), "problem", "\\(508\\)"],
    [text(403), "problem", "\\(403\\)"],
    [text(500), "problem", "\\(500\\)"],
    [text(420), "problem", "\\(420\\)"],
  ]);
  // Not only the number differs.
  const kinds = [text(401), text(401, false), text(486), text(403), text(500), text(420)];
  const words = kinds.map((result) => `${result.text} ${result.advice}`.replaceAll(/\d/g, ""));
  assert.equal(new Set(words).size, words.length);
});
