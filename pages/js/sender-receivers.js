/**
 * The receivers in the room, a peer connection for each, made anew when one breaks.
 * Imports peer; knows neither the page nor the camera.
 */

import { Peer } from "./peer.js";

/** @typedef {import("./video-limits.js").VideoLimits} VideoLimits */
/** @typedef {import("./protocol.js").Codec} Codec */
/** @typedef {import("./protocol.js").Negotiation} Negotiation */

/**
 * @typedef {object} ReceiversOptions
 * @property {boolean} relayOnly
 * @property {(message: Negotiation) => void} send
 * @property {() => void} changed the counts may have changed
 * @property {(peer: Peer, text: string) => void} told a receiver's page said something over the data channel
 * @property {() => void} unreachable nobody answers: the signaling connection may be dead without knowing
 */

/**
 * @typedef {object} Entry
 * @property {Peer | null} peer
 * @property {boolean} connected
 * @property {boolean} interrupted it was connected before and is not now
 * @property {number} failures in a row
 * @property {number} timer
 */

/** The first delay before a broken connection is made anew, in milliseconds; it doubles each time. */
const FIRST_DELAY = 500;
const LAST_DELAY = 8_000;

export class Receivers {
  #options;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** @type {VideoLimits | null} */
  #limits = null;
  /** @type {Codec} */
  #codec = "auto";
  /** @type {{ video: MediaStreamTrack | null, audio: MediaStreamTrack | null }} */
  #tracks = { video: null, audio: null };

  /** @param {ReceiversOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get count() {
    return this.#entries.size;
  }

  get connected() {
    return [...this.#entries.values()].filter((entry) => entry.connected).length;
  }

  get interrupted() {
    return [...this.#entries.values()].some((entry) => entry.interrupted);
  }

  /**
   * Begin to connect, to those in the room and to all that come.
   * @param {VideoLimits} limits
   */
  begin(limits) {
    this.#limits = limits;
    for (const [id, entry] of this.#entries) {
      this.#connect(id, entry);
    }
  }

  /** @param {string} id */
  add(id) {
    this.remove(id);
    const entry = { peer: null, connected: false, interrupted: false, failures: 0, timer: 0 };
    this.#entries.set(id, entry);
    this.#connect(id, entry);
    this.#options.changed();
  }

  /** @param {string} id */
  remove(id) {
    const entry = this.#entries.get(id);
    if (entry) {
      clearTimeout(entry.timer);
      entry.peer?.close();
      this.#entries.delete(id);
      this.#options.changed();
    }
  }

  /** Forget all receivers, and connect to none before the next `begin` if `pause`. */
  clear({ pause = false } = {}) {
    if (pause) {
      this.#limits = null;
    }
    for (const id of [...this.#entries.keys()]) {
      this.remove(id);
    }
  }

  /** @param {Negotiation} message from a receiver; without `from` where there is only one */
  receive(message) {
    const id = message.from ?? (this.#entries.size === 1 ? [...this.#entries.keys()][0] : "");
    this.#entries.get(id)?.peer?.receive(message);
  }

  /**
   * Send this track to all, or nothing for null.
   * @param {"video" | "audio"} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    this.#tracks[kind] = track;
    this.#each((peer) => peer.setTrack(kind, track));
  }

  /** @param {VideoLimits} limits */
  setLimits(limits) {
    this.#limits = limits;
    this.#each((peer) => peer.setVideoLimits(limits));
  }

  /** @param {Codec} codec */
  setCodec(codec) {
    this.#codec = codec;
    this.#each((peer) => peer.setCodec(codec));
  }

  /** @returns {Promise<(string | null)[]>} what limits the picture to each that gets it (Peer.limitation) */
  async limitations() {
    const live = [...this.#entries.values()].filter((entry) => entry.connected);
    return Promise.all(live.map(async ({ peer }) => (await peer?.limitation()) ?? null));
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
    this.#each((peer) => peer.setIceServers(iceServers));
  }

  /** @param {(peer: Peer) => void} action */
  #each(action) {
    for (const { peer } of this.#entries.values()) {
      if (peer) {
        action(peer);
      }
    }
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   */
  #connect(id, entry) {
    clearTimeout(entry.timer);
    entry.peer?.close();
    if (!this.#limits) {
      return;
    }
    const { relayOnly, send } = this.#options;
    const peer = new Peer({
      id,
      offers: true,
      iceServers: this.#iceServers,
      relayOnly,
      limits: this.#limits,
      codec: this.#codec,
      send,
      change: (state, error) => this.#peerChanged(id, entry, state, error),
      message: (text) => this.#options.told(peer, text),
    });
    entry.peer = peer;
    peer.setTrack("video", this.#tracks.video);
    peer.setTrack("audio", this.#tracks.audio);
    peer.start();
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   * @param {RTCPeerConnectionState} state
   * @param {Error} [error]
   */
  #peerChanged(id, entry, state, error) {
    if (error) {
      console.warn(`Connection to ${id}:`, error);
    }
    const was = entry.connected;
    entry.connected = state === "connected";
    if (entry.connected) {
      entry.failures = 0;
      entry.interrupted = false;
    } else if (was) {
      entry.interrupted = true;
    }
    if (error && state === "failed") {
      this.#repair(id, entry);
    }
    this.#options.changed();
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   */
  #repair(id, entry) {
    entry.failures += 1;
    entry.peer?.close();
    const delay = Math.min(FIRST_DELAY * 2 ** (entry.failures - 1), LAST_DELAY);
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => this.#connect(id, entry), delay);
    if (entry.failures % 2 === 0 && this.connected === 0) {
      this.#options.unreachable();
    }
  }
}
