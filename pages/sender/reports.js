/**
 * Tells receivers what their figures need from this side: its clock, when frames were captured, and how sending goes.
 * Goes over the data channel, to those that ask.
 */

import { Bucket } from "../lib/media/bucket.js";
import { MAX_CAPTURES, readMessage } from "../lib/stats/latency.js";

/** @typedef {{ connection: RTCPeerConnection | null, tell: (text: string) => void }} Asking the part of a `Peer` that is used here */

/** Between two reports, in milliseconds. */
const INTERVAL = 2_000;
/** A receiver that has not asked for so long, in milliseconds, does not show figures, and gets no reports. */
const SILENCE = 6_000;
/** How many questions of one receiver are answered at once, and in a second. It asks 8 times at first, then once a second. */
const ANSWER_BURST = 16;
const ANSWER_RATE = 4;

export class Reports {
  #preview;
  /** @type {Map<Asking, { at: number, bucket: Bucket }>} the time of its last question, and how many more it may ask */
  #asking = new Map();
  /** @type {number[]} capture times on this page's clock, in milliseconds, oldest first */
  #captures = [];
  #timer = 0;
  #watching = false;

  /** @param {() => HTMLVideoElement | null} preview shows the camera that is sent */
  constructor(preview) {
    this.#preview = preview;
  }

  /**
   * Handle what a receiver said over its data channel.
   * @param {Asking} peer
   * @param {string} text
   */
  receive(peer, text) {
    const received = performance.now();
    const message = readMessage(text);
    if (message?.type !== "clock") {
      return;
    }
    const { sent } = message;
    const asking = this.#asking.get(peer) ?? {
      at: received,
      bucket: new Bucket(ANSWER_BURST, ANSWER_RATE),
    };
    if (!asking.bucket.take()) {
      return;
    }
    const answer = { type: "clock", sent, received, answered: performance.now() };
    peer.tell(JSON.stringify(answer));
    this.#asking.set(peer, { ...asking, at: received });
    this.#watch();
    if (this.#timer === 0) {
      void this.#round();
    }
  }

  async #round() {
    const now = performance.now();
    for (const [peer, { at }] of this.#asking) {
      if (now - at > SILENCE) {
        this.#asking.delete(peer);
      }
    }
    if (this.#asking.size === 0) {
      this.#timer = 0;
      return;
    }
    this.#timer = setTimeout(() => void this.#round(), INTERVAL);
    await Promise.all([...this.#asking.keys()].map((peer) => this.#report(peer)));
  }

  /** @param {Asking} peer */
  async #report(peer) {
    const captures = this.#captures.slice();
    try {
      const stats = peer.connection ? await peer.connection.getStats() : new Map();
      peer.tell(JSON.stringify({ type: "report", captures, ...readSending(stats) }));
    } catch (error) {
      // The connection has been closed: there is nobody to report to.
      console.debug("No report:", error);
    }
  }

  /** Note when each frame of the preview was captured, as long as somebody asks. */
  #watch() {
    const video = this.#preview();
    if (this.#watching || !video || !("requestVideoFrameCallback" in video)) {
      return;
    }
    this.#watching = true;
    video.requestVideoFrameCallback((_now, { captureTime }) => {
      this.#watching = false;
      if (captureTime !== undefined) {
        this.#captures.push(Math.round(captureTime * 10) / 10);
        this.#captures.splice(0, this.#captures.length - MAX_CAPTURES);
      }
      if (this.#asking.size > 0) {
        this.#watch();
      }
    });
  }
}

/**
 * What only the sending side knows about a connection.
 * @param {RTCStatsReport | Map<string, any>} stats
 */
export function readSending(stats) {
  /** @type {Record<string, any>[]} */
  const all = [];
  stats.forEach((/** @type {Record<string, any>} */ stat) => all.push(stat));
  const video = all.find((stat) => stat.type === "outbound-rtp" && stat.kind === "video");
  const transport = all.find((stat) => stat.type === "transport");
  const pair =
    stats.get(transport?.selectedCandidatePairId) ??
    all.find((stat) => stat.type === "candidate-pair" && stat.nominated && stat.selected);
  const candidate = stats.get(pair?.localCandidateId);
  const encoded = video?.framesEncoded > 0 ? video?.totalEncodeTime / video?.framesEncoded : NaN;
  return {
    limitation: video?.qualityLimitationReason,
    encoder: video?.encoderImplementation,
    encodeTime: Number.isFinite(encoded) ? encoded * 1000 : undefined,
    candidate: candidate?.candidateType,
    protocol: candidate?.relayProtocol ?? candidate?.protocol,
  };
}
