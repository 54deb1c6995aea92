/**
 * A statistics report of a connection that receives video, as a browser gives it.
 */

/** @typedef {import("../../../../pages/lib/stats/stats.js").Stat} Stat */

/** @type {Record<string, Stat>} */
const ENTRIES = {
  v: {
    id: "v",
    type: "inbound-rtp",
    kind: "video",
    timestamp: 2000,
    codecId: "c",
    transportId: "t",
    frameWidth: 1280,
    frameHeight: 720,
    framesPerSecond: 30,
    framesDecoded: 60,
    bytesReceived: 300_000,
    packetsReceived: 198,
    packetsLost: 2,
    jitter: 0.004,
    framesDropped: 1,
  },
  c: { id: "c", type: "codec", mimeType: "video/VP8" },
  t: { id: "t", type: "transport", selectedCandidatePairId: "p" },
  p: {
    id: "p",
    type: "candidate-pair",
    state: "succeeded",
    localCandidateId: "l",
    remoteCandidateId: "r",
    currentRoundTripTime: 0.012,
  },
  l: { id: "l", type: "local-candidate", candidateType: "host", protocol: "udp" },
  r: { id: "r", type: "remote-candidate", candidateType: "prflx", protocol: "udp" },
};

/**
 * The report, with other values in some entries; undefined takes a value away, null an entry.
 * @param {Record<string, Record<string, unknown> | null>} [changes] by the id of the entry
 * @returns {Map<string, Stat>}
 */
export function report(changes = {}) {
  const entries = Object.entries({ ...ENTRIES, ...changes })
    .filter(([, values]) => values !== null)
    .map(([id, values]) => /** @type {const} */ ([id, { ...ENTRIES[id], ...values }]));
  return new Map(entries);
}

/** A report of the same connection, one second earlier. */
export const BEFORE = report({
  v: {
    timestamp: 1000,
    bytesReceived: 100_000,
    framesDecoded: 31,
    packetsReceived: 100,
    packetsLost: 0,
  },
});
