/**
 * One RTCPeerConnection to one remote peer, from the first offer over ICE restarts to the end.
 * Imports protocol types and video; knows neither pages nor sockets: messages go out through `send`.
 */

import { OutgoingVideo, sessionId } from "./video.js";

/** @typedef {import("../signaling/protocol.js").Codec} Codec */
/** @typedef {import("../signaling/protocol.js").Negotiation} Negotiation */

/** @typedef {import("./video.js").VideoLimits} VideoLimits */

/**
 * @typedef {object} PeerOptions
 * @property {string} id the remote peer; stands as `to` in every message sent
 * @property {boolean} offers true for the side that sends media and makes every offer
 * @property {RTCIceServer[]} iceServers
 * @property {RTCPeerConnection | null} [spare] of `newConnection`, to be used first
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
const MAX_EARLY_CANDIDATES = 64;
/**
 * The same on both sides, so that it needs no negotiation of its own (RFC 8832, 4). What is told is of this moment:
 * late or twice it would be wrong. A peer without data channels refuses its section; then it never opens.
 * @type {RTCDataChannelInit}
 */
const CHANNEL = { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 };
/** How much may wait in the channel, in bytes, before more is dropped. */
const MAX_BUFFERED = 65_536;

/** @type {RTCBundlePolicy} one path for all; the one thing of a connection that cannot be set later */
const BUNDLE = "max-bundle";

/** A connection that goes nowhere yet. Making it takes the browser a moment, which may be spent before it is needed. */
export function newConnection() {
  return new RTCPeerConnection({ bundlePolicy: BUNDLE });
}

export class Peer {
  #options;
  /** @type {RTCIceServer[]} */
  #iceServers;
  #video;
  /** The last answer as it came, without this side's hints. */
  #answer = "";
  /** @type {RTCPeerConnection | null} */
  #spare;
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
  #answerTimer = 0;
  #settling = false;
  /** Whether another offer has to follow as soon as the one that is out is answered. */
  #outdated = false;

  /** @param {PeerOptions} options */
  constructor(options) {
    this.#options = options;
    this.#iceServers = options.iceServers;
    this.#spare = options.spare ?? null;
    this.#video = new OutgoingVideo(options.limits ?? null, options.codec ?? "auto");
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

  /** Make the connection before an offer comes; that takes the browser a moment. For the side that answers. */
  prepare() {
    this.#step(async () => {
      if (!this.#pc) {
        this.#create();
      }
    });
  }

  /** Make the first offer; for the side that offers. Tracks may follow later. */
  start() {
    this.#step(async () => {
      const pc = this.#create();
      const stream = new MediaStream();
      const video = this.#video.add(pc, stream);
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
    this.#video.setLimits(limits);
    this.#step(() => this.#video.apply());
    if (this.#video.outgrown) {
      this.probe();
    }
  }

  /**
   * Offer this codec first, by a new offer where there was one before; the picture goes on meanwhile.
   * @param {Codec} codec
   */
  setCodec(codec) {
    if (codec === this.#video.codec) {
      return;
    }
    this.#video.setCodec(codec);
    this.#step(async () => {
      const pc = this.#pc;
      this.#outdated = pc?.signalingState === "have-local-offer";
      if (pc?.signalingState === "stable") {
        await this.#offer(pc);
      }
    });
  }

  /** How sending goes; see OutgoingVideo. */
  outcome() {
    return this.#video.outcome();
  }

  /** Let the browser feel whether the network carries more by now. The remote peer has no part in it. */
  probe() {
    this.#step(async () => {
      const pc = this.#pc;
      if (pc?.signalingState === "stable" && pc.currentRemoteDescription) {
        this.#video.raise();
        await pc.setLocalDescription(await pc.createOffer());
        await pc.setRemoteDescription({ type: "answer", sdp: this.#video.hint(this.#answer) });
      }
    });
  }

  /** Send the full resolution again, and keep it for a while: the network carries it by now. */
  restoreSize() {
    this.#settle();
    this.#step(() => this.#video.apply());
  }

  /**
   * Use these servers from the next gathering on: an ICE restart, or another connection.
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
    // Other servers make the next offer an ICE restart (RFC 8829, 5.2.3.1), also one that is meant for a codec, and one
    // that the other side is never to see. On the side that offers they wait for `restart`.
    if (!this.#options.offers) {
      this.#step(async () => this.#pc?.setConfiguration(this.#configuration()));
    }
  }

  /**
   * Find a new way to the remote peer (RFC 8445, 2.4); for the side that offers. An offer that is not answered yet
   * may be lost: it is sent once more.
   */
  restart() {
    this.#step(async () => {
      if (this.#pc?.signalingState === "stable") {
        this.#pc.setConfiguration(this.#configuration());
        await this.#offer(this.#pc, { iceRestart: true });
      } else {
        this.repeat();
      }
    });
  }

  /** Send the offer once more that is not answered yet, if there is one: it may be lost. */
  repeat() {
    if (this.#pc?.signalingState === "have-local-offer") {
      this.#send(this.#pc);
    }
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
      bundlePolicy: BUNDLE,
    };
  }

  #create() {
    this.#discard();
    const pc = this.#spare ?? newConnection();
    this.#spare = null;
    this.#pc = pc;
    pc.setConfiguration(this.#configuration());
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
    this.#settling = this.#outdated = false;
    this.#video.remove();
    const pc = this.#pc;
    this.#pc = null;
    this.#transceivers = {};
    if (this.#channel) {
      this.#channel.onmessage = null;
      this.#channel = null;
    }
    this.#answer = "";
    if (pc) {
      pc.onicecandidate = pc.ontrack = pc.onconnectionstatechange = null;
      pc.close();
    }
  }

  /** @param {RTCPeerConnection} pc */
  #changed(pc) {
    const state = pc.connectionState;
    if (this.#options.offers && state === "connected" && !this.#settling) {
      this.#settle();
    }
    this.#report(state);
  }

  #settle() {
    this.#settling = true;
    this.#video.settle(() => this.#step(() => this.#video.apply()));
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {RTCOfferOptions} [options]
   */
  async #offer(pc, options) {
    this.#video.prefer();
    this.#outdated = false;
    await pc.setLocalDescription(await pc.createOffer(options));
    this.#send(pc);
  }

  /** @param {RTCPeerConnection} pc with an offer that is not answered yet */
  #send(pc) {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#unanswered(pc), ANSWER_TIMEOUT);
    this.#options.send({ type: "offer", sdp: pc.localDescription?.sdp ?? "", to: this.id });
  }

  /** @param {RTCPeerConnection} pc */
  #unanswered(pc) {
    // A picture that runs is not to end because the server, say, is away.
    if (pc.connectionState !== "connected") {
      this.#report("failed", new Error("The other side does not answer."));
    }
  }

  /** @param {string} sdp */
  async #acceptOffer(sdp) {
    // With other certificates it is another connection: the words that people compare hold for one.
    const session = sessionId(sdp) + certificates(sdp);
    const known = this.#remoteSession === "" || session === this.#remoteSession;
    const pc = this.#pc && known ? this.#pc : this.#create();
    this.#remoteSession = session;
    await pc.setRemoteDescription({ type: "offer", sdp });
    await this.#addEarlyCandidates(pc);
    await pc.setLocalDescription(await pc.createAnswer());
    this.#options.send({ type: "answer", sdp: pc.localDescription?.sdp ?? "", to: this.id });
  }

  /** @param {string} sdp */
  async #acceptAnswer(sdp) {
    const pc = this.#pc;
    if (pc?.signalingState !== "have-local-offer") {
      // The second answer to an offer that was sent twice.
      return;
    }
    if (this.#answer !== "" && certificates(this.#answer) !== certificates(sdp)) {
      throw new Error("The other side has another certificate.");
    }
    this.#answer = sdp;
    await pc.setRemoteDescription({ type: "answer", sdp: this.#video.hint(sdp) });
    clearTimeout(this.#answerTimer);
    await this.#addEarlyCandidates(pc);
    await this.#video.apply();
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

/** @param {string} sdp */
function certificates(sdp) {
  return [...new Set(sdp.match(/^a=fingerprint:.*$/gm))].join();
}
