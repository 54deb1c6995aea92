/**
 * Notices a connection that goes through a relay over TCP, where one lost packet holds up all those behind it. A busy
 * device may have given up on UDP too early, so the connection is given another chance, while it goes on as it is.
 */

/** How long it stays as it is before each attempt to find another way, in milliseconds. */
const DELAYS = [4_000, 20_000];

export class Detours {
  /** @type {WeakMap<RTCPeerConnection, { since: number, tries: number }>} */
  #known = new WeakMap();

  /**
   * @param {RTCPeerConnection} connection
   * @param {RTCStatsReport} report its newest statistics
   * @param {number} now in milliseconds
   * @returns {boolean} whether it should look for another way now
   */
  isDue(connection, report, now) {
    const known = this.#known.get(connection) ?? { since: now, tries: 0 };
    this.#known.set(connection, known);
    if (!isRelayedByTcp(report)) {
      known.since = now;
      return false;
    }
    if (known.tries === DELAYS.length || now - known.since < DELAYS[known.tries]) {
      return false;
    }
    known.tries += 1;
    known.since = now;
    return true;
  }
}

/** @param {RTCStatsReport} report */
function isRelayedByTcp(report) {
  /** @type {string | undefined} */
  let chosen;
  report.forEach((stat) => {
    // Firefox has no statistics of transports, and marks the pair instead.
    if (stat.type === "candidate-pair" && stat.selected) {
      chosen = stat.id;
    } else if (stat.type === "transport") {
      chosen = stat.selectedCandidatePairId ?? chosen;
    }
  });
  const local = report.get(report.get(chosen ?? "")?.localCandidateId ?? "");
  return local?.candidateType === "relay" && ["tcp", "tls"].includes(local.relayProtocol);
}
