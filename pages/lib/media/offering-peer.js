/** The side of a connection that makes every offer: the first one, those that restart ICE, and those for another codec. */

import { ANSWERED, certificates, origin, Peer } from "./peer.js";

/** @typedef {import("../signaling/protocol.js").Answer} Answer */
/** @typedef {import("../signaling/protocol.js").Codec} Codec */
/** @typedef {import("../signaling/protocol.js").Offer} Offer */

/** How long an offer may stay without an answer, in milliseconds. */
const ANSWER_TIMEOUT = 10_000;

export class OfferingPeer extends Peer {
  /** The last answer as it came, without this side's hints. */
  #answer = "";
  #answerTimer = 0;
  /** Whether the offer that is out gathers new candidates. */
  #gathers = false;
  /** @type {RTCOfferOptions | null} the offer to make as soon as the one that is out is answered */
  #next = null;

  /** Make the first offer. Tracks may follow later. */
  start() {
    this.step(async () => {
      const pc = this.create();
      this.#addTransceivers(pc);
      await this.#offer(pc);
      this.#gathers = true;
      await this.attachTracks();
    });
  }

  /**
   * Offer this codec first, by a new offer where there was one before; the picture goes on meanwhile.
   * @param {Codec} codec
   */
  setCodec(codec) {
    if (codec === this.video.codec) {
      return;
    }
    this.video.setCodec(codec);
    this.step(async () => {
      if (this.pc?.signalingState === "stable") {
        await this.#offer(this.pc);
      } else if (this.pc) {
        this.#next ??= {};
      }
    });
  }

  /**
   * Find a new way to the remote peer (RFC 8445, 2.4). An offer that is not answered yet may be lost: it is sent once
   * more.
   */
  restart() {
    this.step(async () => {
      if (this.pc?.signalingState === "stable") {
        await this.#offer(this.pc, { iceRestart: true });
        return;
      }
      this.repeat();
      if (this.pc && !this.#gathers) {
        this.#next = { iceRestart: true };
      }
    });
  }

  /** Send the offer once more that is not answered yet, if there is one: it may be lost. */
  repeat() {
    if (this.pc?.signalingState === "have-local-offer") {
      this.#send(this.pc);
    }
  }

  /**
   * @protected
   * @override
   * @param {Offer | Answer} message
   */
  async accept({ type, sdp }) {
    const pc = this.pc;
    if (type !== "answer" || pc?.signalingState !== "have-local-offer") {
      // The second answer to an offer that was sent twice.
      return;
    }
    if (!mayAnswer(sdp, pc.localDescription?.sdp ?? "")) {
      // It answers an offer from before, perhaps of a connection that was replaced.
      return;
    }
    if (this.#answer !== "" && certificates(this.#answer) !== certificates(sdp)) {
      throw new Error("The other side has another certificate.");
    }
    this.#answer = sdp;
    await pc.setRemoteDescription({ type, sdp: this.hint(sdp) });
    clearTimeout(this.#answerTimer);
    await this.addEarlyCandidates(pc);
    await this.applyLimits();
    if (this.#next) {
      await this.#offer(pc, this.#next);
    }
  }

  /**
   * @protected
   * @override
   * @param {RTCPeerConnection} pc
   */
  async reapply(pc) {
    await pc.setLocalDescription(await pc.createOffer());
    await pc.setRemoteDescription({ type: "answer", sdp: this.hint(this.#answer) });
  }

  /**
   * @protected
   * @override
   */
  discard() {
    clearTimeout(this.#answerTimer);
    this.#next = null;
    this.#answer = "";
    super.discard();
  }

  /**
   * All that either side may ever send, so that no later track needs another offer.
   * @param {RTCPeerConnection} pc
   */
  #addTransceivers(pc) {
    const direction = this.options.twoWay ? "sendrecv" : "sendonly";
    const streams = [new MediaStream()];
    this.video.add(pc, { direction, streams });
    pc.addTransceiver("audio", { direction, streams });
    if (this.options.twoWay) {
      const screen = [new MediaStream()];
      this.screen.add(pc, { direction, streams: screen });
      pc.addTransceiver("audio", { direction, streams: screen });
    }
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {RTCOfferOptions} [options]
   */
  async #offer(pc, { iceRestart = false } = {}) {
    this.video.prefer();
    this.screen.prefer();
    this.#next = null;
    this.#gathers = iceRestart;
    if (iceRestart) {
      // Other servers make any offer an ICE restart (RFC 8829, 5.2.3.1), also one that is for a codec only, or that the
      // other side never sees: so they wait for one that is.
      pc.setConfiguration(this.configuration());
    }
    await pc.setLocalDescription(await pc.createOffer({ iceRestart }));
    this.#send(pc);
  }

  /** @param {RTCPeerConnection} pc with an offer that is not answered yet */
  #send(pc) {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#unanswered(pc), ANSWER_TIMEOUT);
    this.options.send({ type: "offer", sdp: pc.localDescription?.sdp ?? "", to: this.id });
  }

  /** @param {RTCPeerConnection} pc */
  #unanswered(pc) {
    // A picture that runs is not to end because the server, say, is away.
    if (pc.connectionState !== "connected") {
      this.report("failed", new Error("The other side does not answer."));
    }
  }
}

/**
 * Whether an answer may be for an offer: one that does not say, such as a Python peer's, may be for any.
 * @param {string} answer
 * @param {string} offer
 */
function mayAnswer(answer, offer) {
  const [, answered] = new RegExp(`^a=${ANSWERED}:(\\S+ \\S+)`, "m").exec(answer) ?? [];
  const { session, version } = origin(offer);
  return answered === undefined || answered === `${session} ${version}`;
}
