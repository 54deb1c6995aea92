import assert from "node:assert/strict";
import { test } from "node:test";

import { formatFigures, readFigures } from "../../../../pages/lib/stats/stats.js";
import { BEFORE, report } from "./report.js";

/** @typedef {import("../../../../pages/lib/stats/stats.js").Report} Report */

/** @param {Report} now @param {Report} [before] */
function read(now, before) {
  return formatFigures(readFigures(now, before));
}

test("rates are computed from two reports, the other figures from the newer one", () => {
  assert.deepEqual(read(report(), BEFORE), {
    resolution: "1280 × 720",
    framerate: "30 fps",
    bitrate: "1.6 Mbit/s",
    loss: "2.0 %",
    latency: "12 ms",
    jitter: "4 ms",
    codec: "VP8",
    path: "direct, UDP",
    dropped: "1",
  });
});

test("a figure that the browser does not give is a dash", () => {
  const figures = Object.values(read(new Map()));
  assert.equal(figures.length, 9);
  assert.deepEqual(new Set(figures), new Set(["–"]));
});

test("bitrate and loss need two reports", () => {
  const { bitrate, loss, resolution } = read(report());
  assert.deepEqual([bitrate, loss, resolution], ["–", "–", "1280 × 720"]);
});

test("a counter that went back belongs to another stream and gives no figure", () => {
  assert.equal(read(report({ v: { bytesReceived: 1 } }), BEFORE).bitrate, "–");
});

test("without framesPerSecond the frame rate is that of the decoded frames", () => {
  assert.equal(read(report({ v: { framesPerSecond: undefined } }), BEFORE).framerate, "29 fps");
});

test("after a renegotiation the stream that heard last is shown, not the old one", () => {
  const old = { ...report().get("v"), id: "old", bytesReceived: 900_000, frameWidth: 640 };
  const heard = { v: { lastPacketReceivedTimestamp: 2000 } };
  const both = report({ ...heard, old: { ...old, lastPacketReceivedTimestamp: 500 } });
  assert.equal(read(both).resolution, "1280 × 720");
});

test("one relayed candidate makes the path a relay, with the protocol of the relay's own leg", () => {
  /** @param {Record<string, Record<string, unknown>>} changes */
  const path = (changes) => read(report(changes), BEFORE).path;
  /** @param {string} relayProtocol */
  const viaRelay = (relayProtocol) => path({ l: { candidateType: "relay", relayProtocol } });
  assert.equal(viaRelay("udp"), "relay, UDP");
  assert.equal(viaRelay("tcp"), "relay, TCP");
  assert.equal(viaRelay("tls"), "relay, TLS");
  assert.equal(path({ r: { candidateType: "relay" } }), "relay, UDP");
  assert.equal(path({ l: { protocol: "tcp" } }), "direct, TCP");
});

test("without a transport the selected pair counts, and without its round trip the mean", () => {
  const firefox = report({
    t: null,
    p: {
      currentRoundTripTime: undefined,
      selected: true,
      totalRoundTripTime: 0.05,
      responsesReceived: 5,
    },
  });
  const { path, latency } = read(firefox, BEFORE);
  assert.deepEqual([path, latency], ["direct, UDP", "10 ms"]);
});
