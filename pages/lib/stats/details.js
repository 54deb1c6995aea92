/**
 * More of a connection's statistics, for somebody who looks for a cause: freezes, decoding, buffer, repeats, addresses.
 * Pure. A figure that neither the browser nor the sender gives is null, and its text is a dash.
 */

import {
  all,
  DASH,
  difference,
  inboundVideo,
  lookUp,
  milliseconds,
  millisecondsText,
  number,
  selectedPair,
  unit,
} from "./stats.js";

/** @typedef {import("./stats.js").Report} Report */
/** @typedef {import("./stats.js").Stat} Stat */
/** @typedef {import("./latency.js").SenderReport} SenderReport */
/** @typedef {import("./latency.js").Latency} Latency */

/**
 * @typedef {object} Details
 * @property {number | null} freezes since the start
 * @property {number | null} frozen seconds since the start
 * @property {number | null} decodeTime for a frame, ms, in the last seconds
 * @property {number | null} bufferDelay in the jitter buffer, ms, in the last seconds
 * @property {number | null} nacks packets asked for again, since the start
 * @property {number | null} plis whole pictures asked for, since the start
 * @property {string | null} localCandidate type of this end's address
 * @property {string | null} localProtocol
 * @property {string | null} remoteCandidate type of the sender's address, as the sender says if it does
 * @property {string | null} remoteProtocol
 * @property {string | null} limitation why the sender sends less than it should
 * @property {number | null} encodeTime for a frame at the sender, ms
 */

/** @type {Record<string, string>} */
const LIMITATIONS = { none: "none", cpu: "processor", bandwidth: "network", other: "other" };

/**
 * @param {Report} report
 * @param {Report | undefined} previous an earlier one of the same connection
 * @param {SenderReport | null} sender
 * @returns {Details}
 */
export function readDetails(report, previous, sender) {
  const stats = all(report);
  const video = inboundVideo(stats);
  const before = video && previous ? lookUp(previous, video.id) : undefined;
  const pair = selectedPair(report, stats, video);
  const local = lookUp(report, pair?.localCandidateId);
  const remote = lookUp(report, pair?.remoteCandidateId);
  return {
    freezes: number(video?.freezeCount),
    frozen: number(video?.totalFreezesDuration),
    decodeTime: mean(video, before, "totalDecodeTime", "framesDecoded"),
    bufferDelay: mean(video, before, "jitterBufferDelay", "jitterBufferEmittedCount"),
    nacks: number(video?.nackCount),
    plis: number(video?.pliCount),
    localCandidate: word(local?.candidateType),
    localProtocol: word(local?.relayProtocol ?? local?.protocol),
    // This end may know the sender's address only from its packets ("prflx"); the sender knows its type.
    remoteCandidate: sender?.candidate ?? word(remote?.candidateType),
    remoteProtocol: sender?.protocol ?? word(remote?.protocol),
    limitation: sender?.limitation ?? null,
    encodeTime: sender?.encodeTime ?? null,
  };
}

/**
 * @param {Details} details
 * @returns {Record<string, string>}
 */
export function formatDetails(details) {
  const { freezes, frozen, nacks, plis, limitation } = details;
  return {
    freezes: unit(freezes, (count) =>
      frozen === null || count === 0 ? String(count) : `${count}, ${frozen.toFixed(1)} s`,
    ),
    decode: unit(details.decodeTime, fineText),
    buffer: unit(details.bufferDelay, millisecondsText),
    repeats: nacks === null && plis === null ? DASH : `${nacks ?? DASH} / ${plis ?? DASH}`,
    limitation: limitation === null ? DASH : (LIMITATIONS[limitation] ?? limitation),
    encode: unit(details.encodeTime, fineText),
    local: endText(details.localCandidate, details.localProtocol),
    remote: endText(details.remoteCandidate, details.remoteProtocol),
  };
}

/**
 * @param {Latency | null} latency
 * @returns {{ delay: string, source: string }}
 */
export function formatLatency(latency) {
  if (latency === null) {
    return { delay: DASH, source: DASH };
  }
  const { value, error, source } = latency;
  const about = error === null ? "" : ` ± ${Math.max(1, Math.round(error))}`;
  return {
    delay: `${Math.round(value)}${about} ms`,
    source: source === "browser" ? "this browser" : "the phone",
  };
}

/**
 * How much a sum of seconds has grown, divided by the growth of its count, in ms.
 *
 * @param {Stat | undefined} now
 * @param {Stat | undefined} before
 * @param {string} sum
 * @param {string} count
 */
function mean(now, before, sum, count) {
  const seconds = difference(now, before, sum);
  const events = difference(now, before, count);
  if (seconds === null || events === null || seconds < 0 || events <= 0) return null;
  return milliseconds(seconds / events);
}

/** @param {string | null} candidate @param {string | null} protocol */
function endText(candidate, protocol) {
  return [candidate, protocol?.toUpperCase()].filter(Boolean).join(", ") || DASH;
}

/** @param {number} value ms */
function fineText(value) {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

/** @param {unknown} value @returns {string | null} */
function word(value) {
  return typeof value === "string" && value !== "" ? value : null;
}
