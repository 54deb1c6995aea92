/**
 * The receivers in the room, a peer connection for each, mended when one is interrupted and made anew when one breaks.
 * Imports peer; knows neither the page nor the camera.
 */

import { newConnection, Peer } from "../lib/media/peer.js";

/** @typedef {import("../lib/media/video.js").VideoLimits} VideoLimits */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Negotiation} Negotiation */
/** @typedef {import("../lib/signaling/protocol.js").PeerInfo} PeerInfo */

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
 * @property {number} timer of the next step of mending it
 * @property {boolean} mending an ICE restart is under way
 * @property {boolean} broken it is to be made anew, as soon as its receiver can be told
 * @property {boolean} away its receiver cannot be told anything for now
 * @property {number} awayTimer
 * @property {number} restarted when it was last asked for, in milliseconds
 */

/** How long "disconnected" may last before ICE is restarted, in milliseconds; often it mends itself. */
const PATIENCE = 2_000;
/** How long an ICE restart may take before the connection is made anew, in milliseconds. */
const RESTART_TIMEOUT = 8_000;
/** Between two restarts that a receiver asks for, in milliseconds. */
const ASKING_INTERVAL = 1_000;
/** How long the server keeps the place of a receiver that is away, in milliseconds (docs/protocol.md). */
const AWAY_TIMEOUT = 45_000;

/** The first delay before a broken connection is made anew, in milliseconds; it doubles each time. */
const FIRST_DELAY = 500;
const LAST_DELAY = 8_000;

export class Receivers {
  #options;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** @type {RTCPeerConnection | null} for the first receiver, made while the server is still being asked */
  #spare = null;
  /** Whether the server can be told anything. */
  #reachable = true;
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
    this.setLimits(limits);
    if (this.#entries.size === 0) {
      this.#spare ??= newConnection();
    }
    for (const [id, entry] of this.#entries) {
      if (!entry.peer) {
        this.#connect(id, entry);
      }
    }
  }

  /**
   * A receiver came, or came back.
   * @param {string} id
   */
  add(id) {
    const known = this.#entries.get(id);
    if (known) {
      if (known.away) {
        known.away = false;
        this.#settle(id, known, false);
      }
      return;
    }
    const entry = {
      peer: null,
      connected: false,
      interrupted: false,
      failures: 0,
      timer: 0,
      mending: false,
      broken: false,
      away: false,
      awayTimer: 0,
      restarted: -Infinity,
    };
    this.#entries.set(id, entry);
    this.#connect(id, entry);
    this.#options.changed();
  }

  /**
   * A receiver was cut off from the server, and may come back. Its picture goes on.
   * @param {string} id
   */
  away(id) {
    const entry = this.#entries.get(id);
    if (entry) {
      entry.away = true;
      clearTimeout(entry.timer);
    }
  }

  /** @param {string} id */
  remove(id) {
    const entry = this.#entries.get(id);
    if (entry) {
      clearTimeout(entry.timer);
      clearTimeout(entry.awayTimer);
      entry.peer?.close();
      this.#entries.delete(id);
      this.#options.changed();
    }
  }

  /** The server cannot be told anything for now; whatever is connected goes on. */
  hold() {
    this.#reachable = false;
    this.#entries.forEach(({ timer }) => clearTimeout(timer));
  }

  /**
   * The server has taken this page back: go on with those that are there, and keep those that may still be on their
   * way, as after a restart of the server, while they get their picture.
   * @param {PeerInfo[]} peers those in the room
   * @param {{ moved: boolean }} network whether this device has moved to another: even what looks connected may not be
   */
  resume(peers, { moved }) {
    this.#reachable = true;
    const listed = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, entry] of [...this.#entries]) {
      const peer = listed.get(id);
      if (peer) {
        entry.away = peer.away === true;
        this.#settle(id, entry, moved);
      } else if (entry.connected) {
        entry.away = true;
        clearTimeout(entry.awayTimer);
        entry.awayTimer = setTimeout(() => this.remove(id), AWAY_TIMEOUT);
      } else {
        this.remove(id);
      }
    }
    peers
      .filter(({ id, away }) => !away && !this.#entries.has(id))
      .forEach(({ id }) => this.add(id));
  }

  /**
   * A receiver asks for it.
   * @param {string | undefined} from
   * @param {{ anew: boolean }} how make the whole connection anew, or find another way for it
   */
  restart(from, { anew }) {
    const id = this.#idOf(from);
    const entry = this.#entries.get(id);
    const now = performance.now();
    if (!entry?.peer || now - entry.restarted < ASKING_INTERVAL) {
      return;
    }
    entry.restarted = now;
    if (anew) {
      this.#connect(id, entry);
    } else {
      this.#restart(id, entry);
    }
  }

  /** Forget all receivers, and connect to none before the next `begin` if `pause`. */
  clear({ pause = false } = {}) {
    if (pause) {
      this.#limits = null;
      this.#spare?.close();
      this.#spare = null;
    }
    this.#reachable = true;
    for (const id of [...this.#entries.keys()]) {
      this.remove(id);
    }
  }

  /** @param {Negotiation} message from a receiver; without `from` where there is only one */
  receive(message) {
    this.#entries.get(this.#idOf(message.from))?.peer?.receive(message);
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

  /** The connections to those that are connected. */
  live() {
    return [...this.#entries].flatMap(([id, { connected, peer }]) =>
      connected && peer?.connection ? [{ id, connection: peer.connection }] : [],
    );
  }

  /**
   * Find another way to a receiver, though nothing has told yet that the one in use is broken.
   * @param {string} id
   */
  mend(id) {
    const entry = this.#entries.get(id);
    if (entry) {
      this.#restart(id, entry);
    }
  }

  /** How sending goes to each that is connected. */
  async outcomes() {
    const live = [...this.#entries.values()].flatMap(({ connected, peer }) =>
      connected && peer ? [peer] : [],
    );
    return Promise.all(live.map(async (peer) => ({ peer, ...(await peer.outcome()) })));
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
    this.#each((peer) => peer.setIceServers(iceServers));
  }

  /** @param {string | undefined} from left out where there is only one */
  #idOf(from) {
    return from ?? (this.#entries.size === 1 ? [...this.#entries.keys()][0] : "");
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
    entry.broken = entry.mending = false;
    entry.peer?.close();
    if (!this.#limits) {
      return;
    }
    const { relayOnly, send } = this.#options;
    const peer = new Peer({
      id,
      offers: true,
      iceServers: this.#iceServers,
      spare: this.#spare,
      relayOnly,
      limits: this.#limits,
      codec: this.#codec,
      send,
      change: (state, error) => this.#peerChanged(id, entry, state, error),
      message: (text) => this.#options.told(peer, text),
    });
    this.#spare = null;
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
      clearTimeout(entry.timer);
      entry.failures = 0;
      entry.interrupted = entry.mending = false;
    } else if (was) {
      entry.interrupted = true;
    }
    if (state === "failed" && (error || !entry.interrupted)) {
      this.#repair(id, entry);
    } else if ((state === "failed" || state === "disconnected") && !entry.mending) {
      clearTimeout(entry.timer);
      const delay = state === "failed" ? 0 : PATIENCE;
      entry.timer = setTimeout(() => this.#mend(id, entry), delay);
    }
    this.#options.changed();
  }

  /**
   * @param {string} id
   * @param {Entry} entry that is interrupted
   */
  #mend(id, entry) {
    if (this.connected === 0) {
      // This device may have moved to another network: `resume` goes on.
      this.#options.unreachable();
    } else {
      this.#restart(id, entry);
    }
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   */
  #restart(id, entry) {
    if (!this.#reachable || entry.away) {
      return;
    }
    clearTimeout(entry.timer);
    entry.peer?.restart();
    if (!entry.connected) {
      entry.mending = true;
      entry.timer = setTimeout(() => this.#repair(id, entry), RESTART_TIMEOUT);
    }
  }

  /**
   * Bring what may have changed or got lost while nothing could be told up to date.
   * @param {string} id
   * @param {Entry} entry
   * @param {boolean} moved
   */
  #settle(id, entry, moved) {
    clearTimeout(entry.awayTimer);
    if (!entry.peer || entry.broken) {
      this.#connect(id, entry);
    } else if (moved || !entry.connected) {
      this.#restart(id, entry);
    } else {
      entry.peer.repeat();
    }
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   */
  #repair(id, entry) {
    entry.broken = true;
    if (!this.#reachable || entry.away) {
      return;
    }
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
