/**
 * One receiver: the connection to it, repaired when it is interrupted and replaced when it breaks. Knows neither the page
 * nor the camera.
 */

/** @typedef {import("../lib/media/offering-peer.js").OfferingPeer} OfferingPeer */
/** @typedef {import("../lib/media/peer.js").Peer} Peer */
/** @typedef {import("../lib/media/video.js").VideoLimits} VideoLimits */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Negotiation} Negotiation */

/**
 * @typedef {object} Sending What every receiver gets, and how: one record for all of them.
 * @property {typeof import("../lib/media/offering-peer.js").OfferingPeer | null} Peer null until it is loaded
 * @property {boolean} relayOnly
 * @property {boolean} reachable whether the server can be told anything
 * @property {RTCIceServer[]} iceServers
 * @property {RTCPeerConnection | null} spare for the first receiver, made while the server is still being asked
 * @property {VideoLimits | null} limits null while nothing is to be sent
 * @property {Codec} codec
 * @property {{ video: MediaStreamTrack | null, audio: MediaStreamTrack | null }} tracks
 */

/**
 * @typedef {object} ReceiverHandlers
 * @property {(message: Negotiation) => void} send
 * @property {() => void} changed its connection may have changed
 * @property {(peer: Peer, text: string) => void} told its page said something over the data channel
 * @property {() => boolean} alone whether no receiver is connected: then it is looked into whether the server still is
 */

/** How long "disconnected" may last before ICE is restarted, in milliseconds; often it passes by itself. */
const PATIENCE = 2_000;
/** How long an ICE restart may take before the connection is replaced, in milliseconds. */
const RESTART_TIMEOUT = 8_000;
/** Between two restarts that the receiver asks for, in milliseconds. */
const ASKING_INTERVAL = 1_000;

/** The first delay before a broken connection is replaced, in milliseconds; it doubles each time. */
const FIRST_DELAY = 500;
const LAST_DELAY = 8_000;

export class Receiver {
  #id;
  #visitor;
  #sending;
  #handlers;
  /** @type {OfferingPeer | null} */
  #peer = null;
  #connected = false;
  /** It was connected before and is not now. */
  #interrupted = false;
  /** In a row. */
  #failures = 0;
  /** Of the next step of the repair. */
  #timer = 0;
  #restarting = false;
  /** It is to be replaced, as soon as the receiver can be told. */
  #broken = false;
  /** The receiver cannot be told anything for now. */
  #away = false;
  #awayTimer = 0;
  /** When the receiver last asked for a restart, in milliseconds. */
  #asked = -Infinity;

  /**
   * @param {string} id
   * @param {import("./remote.js").Visitor} visitor who it is
   * @param {Sending} sending
   * @param {ReceiverHandlers} handlers
   */
  constructor(id, visitor, sending, handlers) {
    this.#id = id;
    this.#visitor = visitor;
    this.#sending = sending;
    this.#handlers = handlers;
  }

  get visitor() {
    return this.#visitor;
  }

  get connected() {
    return this.#connected;
  }

  get interrupted() {
    return this.#interrupted;
  }

  /** Null as long as it could not be connected. */
  get peer() {
    return this.#peer;
  }

  /** Connect, in place of any connection there is; only end that one while this page is not ready to send. */
  connect() {
    clearTimeout(this.#timer);
    this.#broken = this.#restarting = false;
    this.#peer?.close();
    const { Peer, limits, relayOnly, iceServers, spare, codec, tracks } = this.#sending;
    if (!Peer || !limits) {
      return;
    }
    const peer = new Peer({
      id: this.#id,
      iceServers,
      spare,
      relayOnly,
      limits,
      codec,
      send: this.#handlers.send,
      change: (state, error) => this.#changed(state, error),
      message: (text) => this.#handlers.told(peer, text),
    });
    this.#sending.spare = null;
    this.#peer = peer;
    peer.setTrack("video", tracks.video);
    peer.setTrack("audio", tracks.audio);
    peer.start();
  }

  /** It was cut off from the server, and may come back. Its picture goes on. */
  setAway() {
    this.#away = true;
    clearTimeout(this.#timer);
  }

  /** It is back, if it was away. */
  setBack() {
    if (this.#away) {
      this.#away = false;
      this.#catchUp({ moved: false });
    }
  }

  /**
   * The server has taken this page back.
   * @param {{ away: boolean, moved: boolean }} how whether the receiver is away, and whether this device has moved to
   *   another network
   */
  resume({ away, moved }) {
    this.#away = away;
    this.#catchUp({ moved });
  }

  /**
   * It is not in the room, but may be on its way.
   * @param {number} patience in milliseconds
   * @param {() => void} lost it did not come
   */
  expect(patience, lost) {
    this.#away = true;
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(lost, patience);
  }

  /** The server cannot be told anything for now; a connection goes on. */
  hold() {
    clearTimeout(this.#timer);
  }

  /**
   * It asks for another way, or for another connection.
   * @param {{ anew: boolean }} how
   */
  ask({ anew }) {
    const now = performance.now();
    if (!this.#peer || now - this.#asked < ASKING_INTERVAL) {
      return;
    }
    this.#asked = now;
    if (anew) {
      this.connect();
    } else {
      this.restart();
    }
  }

  /** Find another way to it. */
  restart() {
    if (!this.#sending.reachable || this.#away) {
      return;
    }
    clearTimeout(this.#timer);
    this.#peer?.restart();
    if (!this.#connected) {
      this.#restarting = true;
      this.#timer = setTimeout(() => this.#replace(), RESTART_TIMEOUT);
    }
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#awayTimer);
    this.#peer?.close();
  }

  /**
   * @param {RTCPeerConnectionState} state
   * @param {Error} [error]
   */
  #changed(state, error) {
    if (error) {
      console.warn(`Connection to ${this.#id}:`, error);
    }
    const was = this.#connected;
    this.#connected = state === "connected";
    if (this.#connected) {
      clearTimeout(this.#timer);
      this.#failures = 0;
      this.#interrupted = this.#restarting = false;
    } else if (was) {
      this.#interrupted = true;
    }
    if (state === "failed" && (error || !this.#interrupted)) {
      this.#replace();
    } else if ((state === "failed" || state === "disconnected") && !this.#restarting) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#repair(), state === "failed" ? 0 : PATIENCE);
    }
    this.#handlers.changed();
  }

  #repair() {
    // Where no receiver is connected, this device may have moved to another network: `resume` goes on.
    if (!this.#handlers.alone()) {
      this.restart();
    }
  }

  /**
   * Bring up to date what may have changed or got lost while nothing could be told.
   * @param {{ moved: boolean }} network even what looks connected may not be
   */
  #catchUp({ moved }) {
    clearTimeout(this.#awayTimer);
    if (!this.#peer || this.#broken) {
      this.connect();
    } else if (moved || !this.#connected) {
      this.restart();
    } else {
      this.#peer.repeat();
    }
  }

  #replace() {
    this.#broken = true;
    if (!this.#sending.reachable || this.#away) {
      return;
    }
    this.#failures += 1;
    this.#peer?.close();
    const delay = Math.min(FIRST_DELAY * 2 ** (this.#failures - 1), LAST_DELAY);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), delay);
    if (this.#failures % 2 === 0) {
      this.#handlers.alone();
    }
  }
}
