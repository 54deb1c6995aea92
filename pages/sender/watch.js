/**
 * Notices what the sender's connections do not tell of for seconds: this device has moved to another network, or
 * nothing comes back from a receiver any more. Fetched after the first picture. Imports network, and types.
 */

import { watchNetwork } from "../lib/page/network.js";

/** @typedef {import("./receivers.js").Receivers} Receivers */

/** Between two looks, in milliseconds. */
const INTERVAL = 500;
/**
 * Nothing comes back, in milliseconds, while a picture is sent: a receiver reports many times a second what it gets
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01, 2).
 */
const SILENCE = 1_500;
/** So many packets have to be sent without any answer. */
const MIN_PACKETS = 20;
/** Between two attempts to mend it, in milliseconds. */
const MENDING_INTERVAL = 5_000;

/**
 * @typedef {object} Traffic The last that is known of a connection.
 * @property {number} received in bytes
 * @property {number} sent in packets, when something was last received
 * @property {number} at when something was last received, in milliseconds
 * @property {number} mended when it was last mended, in milliseconds
 */

export class SenderWatch {
  #receivers;
  #moved;
  /** @type {WeakMap<RTCPeerConnection, Traffic>} */
  #traffic = new WeakMap();

  /**
   * @param {Receivers} receivers
   * @param {() => void} moved this device may be in another network
   */
  constructor(receivers, moved) {
    this.#receivers = receivers;
    this.#moved = moved;
    watchNetwork(moved);
    setInterval(() => void this.#look(), INTERVAL);
  }

  async #look() {
    const live = this.#receivers.live();
    const silent = await Promise.all(live.map(({ connection }) => this.#isSilent(connection)));
    if (silent.length > 0 && silent.every(Boolean)) {
      this.#moved();
    } else {
      live.filter((_, index) => silent[index]).forEach(({ id }) => this.#receivers.repair(id));
    }
  }

  /**
   * @param {RTCPeerConnection} connection
   * @returns {Promise<boolean>} whether it is to be mended now
   */
  async #isSilent(connection) {
    const { received, sent } = read(await connection.getStats());
    const now = performance.now();
    const before = this.#traffic.get(connection);
    if (!before || received !== before.received) {
      const mended = before?.mended ?? -Infinity;
      this.#traffic.set(connection, { received, sent, at: now, mended });
      return false;
    }
    // Without a picture it says less, and seldom.
    const sending = sent - before.sent > MIN_PACKETS;
    if (!sending || now - before.at < SILENCE || now - before.mended < MENDING_INTERVAL) {
      return false;
    }
    before.mended = now;
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
