import assert from "node:assert/strict";
import { test } from "node:test";

import { WORDS } from "../../../../pages/lib/words/list.js";
import { certificatesOf, fingerprints, wordsOf } from "../../../../pages/lib/words/words.js";

const SENDER = "v=0\r\na=fingerprint:sha-256 AA:01\r\nm=video\r\na=fingerprint:sha-256 AA:01\r\n";
const RECEIVER = "v=0\r\nm=video\r\na=fingerprint:sha-256 BB:02\r\n";
const OTHER = "v=0\r\nm=video\r\na=fingerprint:sha-256 CC:03\r\n";

/**
 * What a connection says of its two ends.
 * @param {string} local
 * @param {string} remote
 * @param {{ offers: boolean }} which whether the local end made the offer
 */
function descriptions(local, remote, { offers }) {
  const [mine, other] = offers ? ["offer", "answer"] : ["answer", "offer"];
  return /** @type {RTCPeerConnection} */ ({
    currentLocalDescription: { type: mine, sdp: local },
    currentRemoteDescription: { type: other, sdp: remote },
  });
}

/** @param {RTCPeerConnection} connection */
async function words(connection) {
  const certificates = certificatesOf(connection);
  assert(certificates);
  return wordsOf(certificates);
}

test("both ends show the same four words", async () => {
  const shown = await words(descriptions(SENDER, RECEIVER, { offers: true }));
  assert.equal(shown, await words(descriptions(RECEIVER, SENDER, { offers: false })));
  assert.match(shown, /^([a-z]{3,6} ){3}[a-z]{3,6}$/);
  assert(shown.split(" ").every((word) => WORDS.includes(word)));
});

test("another certificate at either end, or the two exchanged, gives other words", async () => {
  const shown = await Promise.all(
    [
      descriptions(SENDER, RECEIVER, { offers: true }),
      descriptions(SENDER, OTHER, { offers: true }),
      descriptions(OTHER, RECEIVER, { offers: true }),
      descriptions(RECEIVER, SENDER, { offers: true }),
    ].map(words),
  );
  assert.equal(new Set(shown).size, shown.length);
});

test("every fingerprint counts, whatever its hash; upper and lower case are the same", () => {
  const more = `${SENDER}a=fingerprint:sha-512 DD:04\r\n`;
  assert.equal(fingerprints(SENDER), "sha-256 AA:01");
  assert.equal(fingerprints(SENDER.toLowerCase()), "sha-256 AA:01");
  assert.equal(fingerprints(more), "sha-256 AA:01 sha-512 DD:04");
  assert.equal(fingerprints(""), "");
});

test("there are no words without two descriptions that have fingerprints", () => {
  assert.equal(certificatesOf(descriptions(SENDER, "v=0\r\n", { offers: true })), null);
  const half = { ...descriptions(SENDER, RECEIVER, { offers: true }) };
  assert.equal(certificatesOf({ ...half, currentRemoteDescription: null }), null);
});

test("the list has 2048 different words of 3 to 6 letters, so that four of them are 44 bits", () => {
  assert.equal(WORDS.length, 2048);
  assert.equal(new Set(WORDS).size, 2048);
  assert(WORDS.every((word) => /^[a-z]{3,6}$/.test(word)));
});
