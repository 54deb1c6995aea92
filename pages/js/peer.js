/**
 * One RTCPeerConnection to one remote peer, from the first offer over ICE restarts to the end.
 * Imports protocol types, codecs, sdp and video-limits; knows neither pages nor sockets: messages go out through `send`.
 */

import { preferCodec } from "./codecs.js";
import { sessionId, withStartBitrate } from "./sdp.js";
import { applyLimits, encoding, startBitrate } from "./video-limits.js";

/** @typedef {import("./protocol.js").Codec} Codec */
/** @typedef {import("./protocol.js").Negotiation} Negotiation */

/** @typedef {import("./video-limits.js").VideoLimits} VideoLimits */

/**
 * @typedef {object} PeerOptions
 * @property {string} id the remote peer; stands as `to` in every message sent
 * @property {boolean} offers true for the side that sends media and makes every offer
 * @property {RTCIceServer[]} iceServers
 * @property {boolean} [relayOnly] connect through TURN only
 * @property {VideoLimits} [limits] those to begin with, for the side that offers
 * @property {Codec} [codec] the one to offer first, for the side that offers; "auto" if left out
 * @property {(message: Negotiation) => void} send
 * @property {(event: RTCTrackEvent) => void} [track] a remote track is there
 * @property {(text: string) => void} [message] the remote page told something over the data channel
 * @property {(state: RTCPeerConnectionState, error?: Error) => void} change the connection's state changed, or,
 *   with an error, a step went wrong; "failed" with an error means that this connection is beyond repair
 */

/** How long an offer may stay without an answer, in milliseconds. */
const ANSWER_TIMEOUT = 10_000;
/** How long "disconnected" may last before ICE is restarted, in milliseconds; often it mends itself. */
const PATIENCE = 2_000;
/** Between two ICE restarts, in milliseconds. */
const RESTART_INTERVAL = 5_000;
/** After this time connected, in milliseconds, the sender knows the bandwidth and may make the picture smaller. */
const SETTLING = 3_000;
const MAX_EARLY_CANDIDATES = 64;
/**
 * The same on both sides, so that it needs no negotiation of its own (RFC 8832, 4). What is told is of this moment:
 * late or twice it would be wrong. A peer without data channels refuses its section; then it never opens.
 * @type {RTCDataChannelInit}
 */
const CHANNEL = { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 };
/** How much may wait in the channel, in bytes, before more is dropped. */
const MAX_BUFFERED = 65_536;

export class Peer {
  #options;
  /** @type {RTCIceServer[]} */
  #iceServers;
  /** @type {VideoLimits | null} */
  #limits;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  #closed = false;
  /** Every step waits for the one before it: descriptions and candidates must not overtake each other. */
  #tail = Promise.resolve();
  /** @type {{ video: MediaStreamTrack | null, audio: MediaStreamTrack | null }} */
  #tracks = { video: null, audio: null };
  /** @type {Partial<Record<"video" | "audio", RTCRtpTransceiver>>} */
  #transceivers = {};
  /** @type {RTCIceCandidateInit[]} */
  #early = [];
  #remoteSession = "";
  /** @type {number | null} in kbit/s, the same for every answer: another one would reset the estimate */
  #startBitrate = null;
  #answerTimer = 0;
  #restartTimer = 0;
  #settlingTimer = 0;
  #settled = false;
  /** @type {Codec} */
  #codec;
  /** Whether another offer has to follow as soon as the one that is out is answered. */
  #outdated = false;

  /** @param {PeerOptions} options */
  constructor(options) {
    this.#options = options;
    this.#iceServers = options.iceServers;
    this.#limits = options.limits ?? null;
    this.#codec = options.codec ?? "auto";
  }

  /** The remote peer's id. */
  get id() {
    return this.#options.id;
  }

  /** The connection, for statistics; null until there is an offer. */
  get connection() {
    return this.#pc;
  }

  /** What `tell` sends through; null until there is an offer, and never open with a peer that has none. */
  get channel() {
    return this.#channel;
  }

  /**
   * Tell the remote page something that is of this moment only: dropped unless it can be sent at once.
   * @param {string} text
   */
  tell(text) {
    const channel = this.#channel;
    if (channel?.readyState === "open" && channel.bufferedAmount + text.length < MAX_BUFFERED) {
      channel.send(text);
    }
  }

  /** Make the first offer; for the side that offers. Tracks may follow later. */
  start() {
    this.#step(async () => {
      const pc = this.#create();
      const stream = new MediaStream();
      const encodings = this.#limits ? [encoding(this.#limits)] : undefined;
      const video = pc.addTransceiver("video", {
        direction: "sendonly",
        streams: [stream],
        sendEncodings: encodings,
      });
      const audio = pc.addTransceiver("audio", { direction: "sendonly", streams: [stream] });
      this.#transceivers = { video, audio };
      await this.#offer(pc);
      await video.sender.replaceTrack(this.#tracks.video);
      await audio.sender.replaceTrack(this.#tracks.audio);
    });
  }

  /**
   * Take in a message of the remote peer. An offer of a new session replaces the connection.
   * @param {Negotiation} message
   */
  receive(message) {
    this.#step(async () => {
      if (message.type === "offer") {
        await this.#acceptOffer(message.sdp);
      } else if (message.type === "answer") {
        await this.#acceptAnswer(message.sdp);
      } else {
        await this.#acceptCandidate(message.candidate);
      }
    });
  }

  /**
   * Send this track from now on, or nothing for null. Needs no negotiation.
   * @param {"video" | "audio"} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    this.#tracks[kind] = track;
    this.#step(async () => {
      await this.#transceivers[kind]?.sender.replaceTrack(track);
    });
  }

  /**
   * Cap what is sent, now or as soon as the connection is negotiated.
   * @param {VideoLimits} limits
   */
  setVideoLimits(limits) {
    this.#limits = limits;
    this.#step(() => this.#applyLimits());
  }

  /**
   * Offer this codec first, by a new offer where there was one before; the picture goes on meanwhile.
   * @param {Codec} codec
   */
  setCodec(codec) {
    if (codec === this.#codec) {
      return;
    }
    this.#codec = codec;
    this.#step(async () => {
      const pc = this.#pc;
      this.#outdated = pc?.signalingState === "have-local-offer";
      if (pc?.signalingState === "stable") {
        await this.#offer(pc);
      }
    });
  }

  /** What keeps the picture below its limits, as the browser's encoder says; null where it does not say. */
  async limitation() {
    const report = await this.#transceivers.video?.sender.getStats();
    const outbound = [...(report?.values() ?? [])].find(({ type }) => type === "outbound-rtp");
    return /** @type {string | null} */ (outbound?.qualityLimitationReason ?? null);
  }

  /**
   * Use these servers from the next gathering on, such as an ICE restart.
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
    this.#step(async () => this.#pc?.setConfiguration(this.#configuration()));
  }

  /** Find a new way to the remote peer (RFC 8445, 2.4); for the side that offers. */
  restart() {
    this.#step(async () => {
      if (this.#pc?.signalingState === "stable") {
        await this.#offer(this.#pc, { iceRestart: true });
      }
    });
  }

  /** End it. May be called more than once; nothing is reported afterwards. */
  close() {
    this.#closed = true;
    this.#discard();
  }

  /** @param {() => Promise<void>} work */
  #step(work) {
    this.#tail = this.#tail.then(async () => {
      if (this.#closed) {
        return;
      }
      try {
        await work();
      } catch (error) {
        this.#report("failed", asError(error));
      }
    });
  }

  /**
   * @param {RTCPeerConnectionState} state
   * @param {Error} [error]
   */
  #report(state, error) {
    if (!this.#closed) {
      this.#options.change(state, error);
    }
  }

  /** @returns {RTCConfiguration} */
  #configuration() {
    return {
      iceServers: this.#iceServers,
      iceTransportPolicy: this.#options.relayOnly ? "relay" : "all",
      bundlePolicy: "max-bundle",
    };
  }

  #create() {
    this.#discard();
    const pc = new RTCPeerConnection(this.#configuration());
    this.#pc = pc;
    pc.onicecandidate = ({ candidate }) => {
      // The empty string ends one generation (RFC 8840, 8.2); null follows it.
      if (candidate?.candidate !== "") {
        const { id, send } = this.#options;
        send({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null, to: id });
      }
    };
    pc.ontrack = (event) => this.#options.track?.(event);
    pc.onconnectionstatechange = () => this.#changed(pc);
    const channel = pc.createDataChannel("lenscast", CHANNEL);
    channel.onmessage = ({ data }) => {
      if (typeof data === "string") {
        this.#options.message?.(data);
      }
    };
    this.#channel = channel;
    return pc;
  }

  #discard() {
    clearTimeout(this.#answerTimer);
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#settlingTimer);
    this.#restartTimer = this.#settlingTimer = 0;
    this.#settled = this.#outdated = false;
    const pc = this.#pc;
    this.#pc = null;
    this.#transceivers = {};
    if (this.#channel) {
      this.#channel.onmessage = null;
      this.#channel = null;
    }
    if (pc) {
      pc.onicecandidate = pc.ontrack = pc.onconnectionstatechange = null;
      pc.close();
    }
  }

  /** @param {RTCPeerConnection} pc */
  #changed(pc) {
    const state = pc.connectionState;
    clearTimeout(this.#restartTimer);
    this.#restartTimer = 0;
    if (this.#options.offers && (state === "disconnected" || state === "failed")) {
      this.#restartLater(pc, state === "failed" ? 0 : PATIENCE);
    }
    if (this.#options.offers && state === "connected" && this.#settlingTimer === 0) {
      this.#settlingTimer = setTimeout(() => this.#settle(), SETTLING);
    }
    this.#report(state);
  }

  #settle() {
    this.#settled = true;
    this.#step(() => this.#applyLimits());
  }

  async #applyLimits() {
    const settled = this.#settled;
    await applyLimits(this.#transceivers.video?.sender, this.#limits, { settled });
  }

  /**
   * "disconnected" and "failed" are not the end: ICE is restarted until it connects or the peer is closed.
   * @param {RTCPeerConnection} pc
   * @param {number} delay in milliseconds
   */
  #restartLater(pc, delay) {
    this.#restartTimer = setTimeout(() => {
      if (pc === this.#pc && pc.connectionState !== "connected") {
        this.restart();
        this.#restartLater(pc, RESTART_INTERVAL);
      }
    }, delay);
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {RTCOfferOptions} [options]
   */
  async #offer(pc, options) {
    if (this.#transceivers.video) {
      preferCodec(this.#transceivers.video, this.#codec, navigator);
    }
    this.#outdated = false;
    await pc.setLocalDescription(await pc.createOffer(options));
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(
      () => this.#report("failed", new Error("The other side does not answer.")),
      ANSWER_TIMEOUT,
    );
    this.#options.send({ type: "offer", sdp: pc.localDescription?.sdp ?? "", to: this.id });
  }

  /** @param {string} sdp */
  async #acceptOffer(sdp) {
    const session = sessionId(sdp);
    const pc = this.#pc && session === this.#remoteSession ? this.#pc : this.#create();
    this.#remoteSession = session;
    await pc.setRemoteDescription({ type: "offer", sdp });
    await this.#addEarlyCandidates(pc);
    await pc.setLocalDescription(await pc.createAnswer());
    this.#options.send({ type: "answer", sdp: pc.localDescription?.sdp ?? "", to: this.id });
  }

  /** @param {string} sdp */
  async #acceptAnswer(sdp) {
    const pc = this.#pc;
    if (!pc) {
      return;
    }
    if (this.#limits) {
      this.#startBitrate ??= startBitrate(this.#limits.maxBitrate);
    }
    const hinted = this.#startBitrate === null ? sdp : withStartBitrate(sdp, this.#startBitrate);
    await pc.setRemoteDescription({ type: "answer", sdp: hinted });
    clearTimeout(this.#answerTimer);
    await this.#addEarlyCandidates(pc);
    await this.#applyLimits();
    if (this.#outdated) {
      await this.#offer(pc);
    }
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #acceptCandidate(candidate) {
    if (candidate === null) {
      return;
    }
    if (this.#pc?.remoteDescription) {
      await this.#addCandidate(this.#pc, candidate);
    } else if (this.#early.length < MAX_EARLY_CANDIDATES) {
      this.#early.push(candidate);
    }
  }

  /** @param {RTCPeerConnection} pc */
  async #addEarlyCandidates(pc) {
    for (const candidate of this.#early.splice(0)) {
      await this.#addCandidate(pc, candidate);
    }
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {RTCIceCandidateInit} candidate
   */
  async #addCandidate(pc, candidate) {
    try {
      await pc.addIceCandidate(candidate);
    } catch (error) {
      // One candidate less, such as one from before a restart, does not end a connection.
      this.#report(pc.connectionState, asError(error));
    }
  }
}

/** @param {unknown} error */
function asError(error) {
  return error instanceof Error ? error : new Error(String(error));
}
