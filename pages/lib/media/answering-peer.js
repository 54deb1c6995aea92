/** The side of a connection that answers every offer, and sends what it has in the places that were offered. */

import { ANSWERED, certificates, origin, Peer } from "./peer.js";

/** @typedef {import("../signaling/protocol.js").Answer} Answer */
/** @typedef {import("../signaling/protocol.js").Offer} Offer */
/** @typedef {import("./peer.js").Slot} Slot */

/** @type {Slot[][]} what is to be heard and seen at the same time, as one stream */
const STREAMS = [
  ["video", "audio"],
  ["screen", "screenAudio"],
];

export class AnsweringPeer extends Peer {
  /** The last offer as it came, without this side's hints. */
  #offer = "";

  /** Make the connection before an offer comes; that takes the browser a moment. */
  prepare() {
    this.step(async () => {
      if (!this.pc) {
        this.create();
      }
    });
  }

  /**
   * @override
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    super.setIceServers(iceServers);
    this.step(async () => this.pc?.setConfiguration(this.configuration()));
  }

  /**
   * An offer of another connection replaces this side's too.
   * @protected
   * @override
   * @param {Offer | Answer} message
   */
  async accept({ type, sdp }) {
    if (type !== "offer") {
      return;
    }
    const pc = this.pc && this.#isKnown(sdp) ? this.pc : this.create();
    this.#offer = sdp;
    await pc.setRemoteDescription({ type, sdp: this.hint(sdp) });
    await this.addEarlyCandidates(pc);
    if (this.options.twoWay) {
      this.#sendToo();
    }
    await pc.setLocalDescription(await pc.createAnswer());
    const answer = withOffer(pc.localDescription?.sdp ?? "", sdp);
    this.options.send({ type: "answer", sdp: answer, to: this.id });
    if (this.options.twoWay) {
      await this.attachTracks();
      await this.applyLimits();
    }
  }

  /**
   * @protected
   * @override
   * @param {RTCPeerConnection} pc
   */
  async reapply(pc) {
    await pc.setRemoteDescription({ type: "offer", sdp: this.hint(this.#offer) });
    await pc.setLocalDescription(await pc.createAnswer());
  }

  /**
   * Whether an offer is of the same connection as the one before. With other certificates it is not: the words that
   * people compare hold for one.
   * @param {string} sdp
   */
  #isKnown(sdp) {
    const same = (/** @type {string} */ text) => origin(text).session + certificates(text);
    return this.#offer === "" || same(sdp) === same(this.#offer);
  }

  /** Answer that this side sends in every place that was offered, now or later. */
  #sendToo() {
    for (const slots of STREAMS) {
      const stream = new MediaStream();
      for (const slot of slots) {
        const transceiver = this.transceiver(slot);
        if (transceiver && transceiver.direction !== "sendrecv") {
          transceiver.direction = "sendrecv";
          transceiver.sender.setStreams?.(stream);
        }
      }
    }
    this.video.use(this.transceiver("video"));
    this.screen.use(this.transceiver("screen"));
  }
}

/**
 * Write into an answer which offer it is for.
 * @param {string} answer
 * @param {string} offer
 */
function withOffer(answer, offer) {
  const { session, version } = origin(offer);
  return answer.replace(/^m=/m, `a=${ANSWERED}:${session} ${version}\r\n$&`);
}
