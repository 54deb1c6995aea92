/**
 * Notices what connections take seconds to report, or never do: this device is on another network, a receiver has
 * stopped answering, or there may be a better way to it. Loaded after the first picture.
 */

import { watchNetwork } from "../lib/page/network.js";
import { Detours } from "./detour.js";

/** @typedef {import("./receivers.js").Receivers} Receivers */

/** How often it looks, in milliseconds. */
const INTERVAL = 500;
/**
 * How long nothing may come back while a picture is sent, in milliseconds: a receiver reports many times a second what
 * it gets (draft-holmer-rmcat-transport-wide-cc-extensions-01, 2).
 */
const SILENCE = 1_500;
/** How many packets must have been sent without an answer. */
const MIN_PACKETS = 20;
/** How long to wait between two attempts to repair it, in milliseconds. */
const REPAIR_INTERVAL = 5_000;

/**
 * @typedef {object} Traffic What is known about a connection.
 * @property {number} received in bytes
 * @property {number} sent in packets, until something was last received
 * @property {number} at when something was last received, in milliseconds
 * @property {number} repaired when it was last repaired, in milliseconds
 */

export class SenderWatch {
  #receivers;
  #moved;
  /** @type {WeakMap<RTCPeerConnection, Traffic>} */
  #traffic = new WeakMap();
  #detours = new Detours();

  /**
   * @param {Receivers} receivers
   * @param {() => void} moved this device may be on another network
   */
  constructor(receivers, moved) {
    this.#receivers = receivers;
    this.#moved = moved;
    watchNetwork(moved);
    setInterval(() => void this.#look(), INTERVAL);
  }

  async #look() {
    const live = this.#receivers.live();
    const reports = await Promise.all(live.map(({ connection }) => connection.getStats()));
    const now = performance.now();
    const silent = live.map(({ connection }, i) => this.#isSilent(connection, reports[i], now));
    if (silent.length > 0 && silent.every(Boolean)) {
      this.#moved();
    } else {
      const detour = live.map(({ connection }, i) =>
        this.#detours.isDue(connection, reports[i], now),
      );
      live.filter((_, i) => silent[i] || detour[i]).forEach(({ id }) => this.#receivers.repair(id));
    }
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {RTCStatsReport} report
   * @param {number} now in milliseconds
   * @returns {boolean} whether it should be repaired now
   */
  #isSilent(connection, report, now) {
    const { received, sent } = read(report);
    const before = this.#traffic.get(connection);
    if (!before || received !== before.received) {
      const repaired = before?.repaired ?? -Infinity;
      this.#traffic.set(connection, { received, sent, at: now, repaired });
      return false;
    }
    // A receiver without a picture answers less often.
    const sending = sent - before.sent > MIN_PACKETS;
    if (!sending || now - before.at < SILENCE || now - before.repaired < REPAIR_INTERVAL) {
      return false;
    }
    before.repaired = now;
    return true;
  }
}

/** @param {RTCStatsReport} report */
function read(report) {
  let received = 0;
  let sent = 0;
  report.forEach((stat) => {
    if (stat.type === "candidate-pair") {
      received += stat.bytesReceived ?? 0;
    } else if (stat.type === "outbound-rtp") {
      sent += stat.packetsSent ?? 0;
    }
  });
  return { received, sent };
}
