import assert from "node:assert/strict";
import { test } from "node:test";

import { formatDetails, formatLatency, readDetails } from "../../../../pages/lib/stats/details.js";
import { report } from "./report.js";

test("times are means between two reports, and what the sender says stands beside them", () => {
  const now = report({
    v: {
      freezeCount: 2,
      totalFreezesDuration: 1.25,
      totalDecodeTime: 1.1,
      jitterBufferDelay: 3.0,
      jitterBufferEmittedCount: 60,
      nackCount: 4,
      pliCount: 1,
    },
  });
  const before = report({
    v: {
      framesDecoded: 40,
      totalDecodeTime: 1.0,
      jitterBufferDelay: 2.0,
      jitterBufferEmittedCount: 40,
    },
  });
  /** @type {import("../../../../pages/lib/stats/latency.js").SenderReport} */
  const told = {
    type: "report",
    captures: [],
    encoder: null,
    limitation: "cpu",
    encodeTime: 12.4,
    candidate: "srflx",
    protocol: "udp",
  };
  assert.deepEqual(formatDetails(readDetails(now, before, told)), {
    freezes: "2, 1.3 s",
    decode: "5.0 ms",
    buffer: "50 ms",
    repeats: "4 / 1",
    limitation: "processor",
    encode: "12 ms",
    local: "host, UDP",
    remote: "srflx, UDP",
  });
});

test("a detail that neither the browser nor the sender gives is a dash", () => {
  const details = Object.values(formatDetails(readDetails(new Map(), undefined, null)));
  assert.equal(details.length, 8);
  assert.deepEqual(new Set(details), new Set(["–"]));
});

test("the latency has its error and its source", () => {
  assert.deepEqual(formatLatency({ value: 80.4, error: 0.2, source: "browser" }), {
    delay: "80 ± 1 ms",
    source: "this browser",
  });
  assert.deepEqual(formatLatency({ value: 80.6, error: null, source: "reports" }), {
    delay: "81 ms",
    source: "the phone",
  });
  assert.deepEqual(formatLatency(null), { delay: "–", source: "–" });
});
