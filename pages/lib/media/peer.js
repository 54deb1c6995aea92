/**
 * One RTCPeerConnection to one remote peer: its tracks, its data channels and its candidates. The side that makes the
 * offers is an OfferingPeer, the one that answers them an AnsweringPeer; the server says which. Knows neither pages nor
 * sockets: messages go out through `send`.
 *
 * Both sides may send. Each kind of track has a place in the order of the connection's transceivers, which is the same on
 * both sides because one of them alone adds any; so a track is put in, replaced or taken out without negotiation.
 */

import { Bucket } from "./bucket.js";
import { OutgoingVideos, SCREEN } from "./video.js";

/** @typedef {import("../signaling/protocol.js").Answer} Answer */
/** @typedef {import("../signaling/protocol.js").Codec} Codec */
/** @typedef {import("../signaling/protocol.js").Negotiation} Negotiation */
/** @typedef {import("../signaling/protocol.js").Offer} Offer */
/** @typedef {import("./reliable.js").ReliableChannel} ReliableChannel */
/** @typedef {import("./video.js").VideoLimits} VideoLimits */

/** @typedef {"video" | "audio" | "screen" | "screenAudio"} Slot The last two only where both sides send. */

/**
 * @typedef {object} PeerOptions
 * @property {string} id the remote peer; stands as `to` in every message sent
 * @property {boolean} [twoWay] both sides send; otherwise only the side that offers does
 * @property {RTCIceServer[]} iceServers
 * @property {RTCPeerConnection | null} [spare] of `Peer.spare`, to be used first
 * @property {boolean} [relayOnly] connect through TURN only
 * @property {VideoLimits} [limits] those of the camera to begin with, for a side that sends
 * @property {VideoLimits} [screenLimits] those of a screen to begin with
 * @property {Codec} [codec] the one to offer first; "auto" if left out
 * @property {(message: Negotiation) => void} send
 * @property {(event: RTCTrackEvent, slot: Slot | undefined) => void} [track] a remote track is there; where both sides
 *   send it may be muted until the remote peer puts something in
 * @property {(text: string) => void} [message] the remote page told something
 * @property {ReliableChannel} [reliable] for what must arrive, where both sides have one
 * @property {(state: RTCPeerConnectionState, error?: Error) => void} change the connection's state changed or, with an
 *   error, a step failed; "failed" with an error means that this connection cannot be repaired
 */

/** @type {{ video: Slot[], audio: Slot[] }} of each kind of transceiver, in their order */
const SLOTS = { video: ["video", "screen"], audio: ["audio", "screenAudio"] };
/** @type {Slot[]} */
const ALL_SLOTS = ["video", "audio", "screen", "screenAudio"];

const MAX_EARLY_CANDIDATES = 64;
/**
 * The same on both sides, so that it needs no negotiation of its own (RFC 8832, 4). What is told holds for this moment:
 * late or twice it would be wrong. A peer without data channels refuses their section; then it never opens.
 * @type {RTCDataChannelInit}
 */
const CHANNEL = { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 };
/** How much may wait in the channel, in bytes, before more is dropped. */
const MAX_BUFFERED = 65_536;
/** The longest message that is taken, in characters. The longest that the pages send is a report of 1,500. */
const MAX_TOLD = 4_096;
/** How many messages are taken at once, and in a second: more than pointers move. What exceeds it is dropped. */
const TOLD_BURST = 200;
const TOLD_RATE = 100;

/** @type {RTCBundlePolicy} one path for all; the one thing of a connection that cannot be set later */
const BUNDLE = "max-bundle";

/** What both sides have in common. */
export class Peer {
  /** @protected */
  options;
  /** @type {RTCIceServer[]} */
  #iceServers;
  /** @type {RTCPeerConnection | null} */
  #spare;
  /** @type {RTCPeerConnection | null} @protected */
  pc = null;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  #closed = false;
  /** Every step waits for the one before: descriptions and candidates must not overtake each other. */
  #tail = Promise.resolve();
  /** @type {Partial<Record<Slot, MediaStreamTrack | null>>} */
  #tracks = {};
  /** @protected */
  videos;
  #settling = false;
  /** @type {RTCIceCandidateInit[]} */
  #early = [];

  /** @param {PeerOptions} options */
  constructor(options) {
    this.options = options;
    this.#iceServers = options.iceServers;
    this.#spare = options.spare ?? null;
    const screen = options.twoWay ? (options.screenLimits ?? SCREEN) : null;
    this.videos = new OutgoingVideos(options.limits ?? null, screen, options.codec);
  }

  /** A connection that goes nowhere yet. Making it takes the browser a moment, which can be spent before it is needed. */
  static spare() {
    return new RTCPeerConnection({ bundlePolicy: BUNDLE });
  }

  /** The remote peer's id. */
  get id() {
    return this.options.id;
  }

  /** The connection, for statistics; null until there is an offer. */
  get connection() {
    return this.pc;
  }

  /**
   * Tell the remote page something that holds for this moment only: dropped unless it can be sent at once.
   * @param {string} text
   */
  tell(text) {
    const channel = this.#channel;
    if (channel?.readyState === "open" && channel.bufferedAmount + text.length < MAX_BUFFERED) {
      channel.send(text);
    }
  }

  /**
   * Take in a message of the remote peer.
   * @param {Negotiation} message
   */
  receive(message) {
    this.step(async () => {
      if (message.type === "ice-candidate") {
        await this.#acceptCandidate(message.candidate);
      } else {
        await this.accept(message);
      }
    });
  }

  /**
   * Send this track from now on, or nothing for null. Needs no negotiation.
   * @param {Slot} slot
   * @param {MediaStreamTrack | null} track
   */
  setTrack(slot, track) {
    this.#tracks[slot] = track;
    this.step(async () => {
      await this.transceiver(slot)?.sender.replaceTrack(track);
    });
  }

  /**
   * Cap what is sent, now or as soon as the connection is negotiated.
   * @param {VideoLimits} limits
   * @param {"camera" | "screen"} [of]
   */
  setVideoLimits(limits, of = "camera") {
    this.videos[of].setLimits(limits);
    this.step(() => this.videos.apply());
    if (this.videos.outgrown) {
      this.probe();
    }
  }

  /** How sending the camera goes; see OutgoingVideo. */
  outcome() {
    return this.videos.camera.outcome();
  }

  /** Let the browser find out whether the network carries more by now. The remote peer takes no part in it. */
  probe() {
    this.step(async () => {
      const pc = this.pc;
      if (pc?.signalingState === "stable" && pc.currentRemoteDescription) {
        this.videos.raise();
        await this.reapply(pc);
      }
    });
  }

  /** Send the full resolution again, and keep it for a while: the network carries it by now. */
  restoreSize() {
    this.#settle();
    this.step(() => this.videos.apply());
  }

  /**
   * Use these servers from the next gathering on: an ICE restart, or another connection.
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
  }

  /** End it. May be called more than once; nothing is reported afterwards. */
  close() {
    this.#closed = true;
    this.discard();
  }

  /**
   * Take in a description: each side in its own way.
   * @protected
   * @abstract
   * @type {(message: Offer | Answer) => Promise<void>}
   */
  async accept() {}

  /**
   * Apply the remote peer's description once more, with other hints: each side in its own way.
   * @protected
   * @abstract
   * @type {(pc: RTCPeerConnection) => Promise<void>}
   */
  async reapply() {}

  /**
   * @protected
   * @param {() => Promise<void>} work done when all earlier steps are
   */
  step(work) {
    this.#tail = this.#tail.then(async () => {
      if (this.#closed) {
        return;
      }
      try {
        await work();
      } catch (error) {
        this.report("failed", asError(error));
      }
    });
  }

  /**
   * @protected
   * @param {RTCPeerConnectionState} state
   * @param {Error} [error]
   */
  report(state, error) {
    if (!this.#closed) {
      this.options.change(state, error);
    }
  }

  /**
   * @protected
   * @returns {RTCConfiguration}
   */
  configuration() {
    return {
      iceServers: this.#iceServers,
      iceTransportPolicy: this.options.relayOnly ? "relay" : "all",
      bundlePolicy: BUNDLE,
    };
  }

  /**
   * Begin with another connection.
   * @protected
   */
  create() {
    this.discard();
    const pc = this.#spare ?? Peer.spare();
    this.#spare = null;
    this.pc = pc;
    pc.setConfiguration(this.configuration());
    pc.onicecandidate = ({ candidate }) => {
      // The empty string ends one generation (RFC 8840, 8.2); null follows it.
      if (candidate?.candidate !== "") {
        const { id, send } = this.options;
        send({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null, to: id });
      }
    };
    pc.ontrack = (event) => this.options.track?.(event, slotOf(pc, event.transceiver));
    pc.onconnectionstatechange = () => this.#changed(pc);
    this.#openChannel(pc);
    this.options.reliable?.attach(pc);
    return pc;
  }

  /**
   * Let go of the connection, if there is one.
   * @protected
   */
  discard() {
    this.#settling = false;
    this.videos.remove();
    this.options.reliable?.detach();
    if (this.#channel) {
      this.#channel.onmessage = null;
      this.#channel = null;
    }
    const pc = this.pc;
    this.pc = null;
    if (pc) {
      pc.onicecandidate = pc.ontrack = pc.onconnectionstatechange = null;
      pc.close();
    }
  }

  /**
   * @protected
   * @param {Slot} slot
   * @returns {RTCRtpTransceiver | undefined} what sends and receives it; undefined until it is negotiated, or where the
   *   side that offers does not offer it
   */
  transceiver(slot) {
    const pc = this.pc;
    return pc?.getTransceivers().find((transceiver) => slotOf(pc, transceiver) === slot);
  }

  /**
   * Send the tracks that were set.
   * @protected
   */
  async attachTracks() {
    for (const slot of ALL_SLOTS) {
      await this.transceiver(slot)?.sender.replaceTrack(this.#tracks[slot] ?? null);
    }
  }

  /**
   * The remote peer can take candidates from now on.
   * @protected
   * @param {RTCPeerConnection} pc
   */
  async addEarlyCandidates(pc) {
    for (const candidate of this.#early.splice(0)) {
      await this.#addCandidate(pc, candidate);
    }
  }

  /** @param {RTCPeerConnection} pc */
  #openChannel(pc) {
    const channel = pc.createDataChannel("lenscast", CHANNEL);
    const bucket = new Bucket(TOLD_BURST, TOLD_RATE);
    channel.onmessage = ({ data }) => {
      if (typeof data === "string" && data.length <= MAX_TOLD && bucket.take()) {
        this.options.message?.(data);
      }
    };
    this.#channel = channel;
  }

  /** @param {RTCPeerConnection} pc */
  #changed(pc) {
    const state = pc.connectionState;
    if (state === "connected" && !this.#settling) {
      this.#settle();
    }
    this.report(state);
  }

  #settle() {
    this.#settling = true;
    this.videos.camera.settle(() => this.step(() => this.videos.apply()));
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #acceptCandidate(candidate) {
    if (candidate === null) {
      return;
    }
    if (this.pc?.remoteDescription) {
      await this.#addCandidate(this.pc, candidate);
    } else if (this.#early.length < MAX_EARLY_CANDIDATES) {
      this.#early.push(candidate);
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
      this.report(pc.connectionState, asError(error));
    }
  }
}

/**
 * What a transceiver carries, by its place among those of its kind.
 * @param {RTCPeerConnection} pc
 * @param {RTCRtpTransceiver} transceiver
 * @returns {Slot | undefined}
 */
function slotOf(pc, transceiver) {
  const kind = /** @type {"video" | "audio"} */ (transceiver.receiver.track.kind);
  const alike = pc.getTransceivers().filter(({ receiver }) => receiver.track.kind === kind);
  return SLOTS[kind][alike.indexOf(transceiver)];
}

/** @param {unknown} error */
function asError(error) {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * The session id and the version of a description's `o=` line. The id stays the same for all descriptions of one
 * RTCPeerConnection, so another one means that the peer made a new connection; the version grows with each offer
 * (RFC 8829, 5.2.1 and 5.2.2).
 * @param {string} sdp
 */
export function origin(sdp) {
  const [, session = "", version = ""] = /^o=\S+ (\S+) (\S+)/m.exec(sdp) ?? [];
  return { session, version };
}

/** @param {string} sdp */
export function certificates(sdp) {
  return [...new Set(sdp.match(/^a=fingerprint:.*$/gm))].join();
}

/** The attribute of an answer that says which offer it is for; who does not know it ignores it (RFC 8866, 5.13). */
export const ANSWERED = "x-lenscast-offer";
