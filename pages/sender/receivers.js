/**
 * The receivers in the room: who is there, and what all of them get. Knows neither the page nor the camera.
 *
 * What connects is loaded while the server is being asked who is there: the fewer modules have to come before that, the
 * sooner the first picture is out.
 */

import { loaded } from "../lib/page/loading.js";
import { Receiver } from "./receiver.js";

/** @typedef {import("../lib/media/offering-peer.js").OfferingPeer} OfferingPeer */
/** @typedef {import("../lib/media/peer.js").Peer} Peer */
/** @typedef {import("../lib/media/video.js").VideoLimits} VideoLimits */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Negotiation} Negotiation */
/** @typedef {import("../lib/signaling/protocol.js").PeerInfo} PeerInfo */

/**
 * @typedef {object} ReceiversOptions
 * @property {boolean} relayOnly
 * @property {RTCPeerConnection | null} spare one that goes nowhere yet, made like those of `Peer.spare`
 * @property {(message: Negotiation) => void} send
 * @property {() => void} changed the counts may have changed
 * @property {(peer: Peer, text: string) => void} told a receiver's page said something over the data channel
 * @property {() => void} unreachable nobody answers: the signaling connection may have died unnoticed
 */

export class Receivers {
  #options;
  /** @type {Map<string, Receiver>} */
  #receivers = new Map();
  /** @type {import("./receiver.js").Sending} */
  #sending;

  /** @param {ReceiversOptions} options */
  constructor(options) {
    this.#options = options;
    this.#sending = {
      Peer: null,
      relayOnly: options.relayOnly,
      reachable: true,
      iceServers: [],
      spare: options.spare,
      limits: null,
      codec: "auto",
      tracks: { video: null, audio: null },
    };
    void this.#load();
  }

  get count() {
    return this.#receivers.size;
  }

  get connected() {
    return this.#all().filter((receiver) => receiver.connected).length;
  }

  get interrupted() {
    return this.#all().some((receiver) => receiver.interrupted);
  }

  /**
   * Begin to connect, to those in the room and to all that come.
   * @param {VideoLimits} limits
   */
  begin(limits) {
    this.setLimits(limits);
    this.#connect();
  }

  /**
   * A receiver came, or came back.
   * @param {string} id
   * @param {{ name?: string, role?: string }} [peer]
   */
  add(id, { name, role } = {}) {
    const known = this.#receivers.get(id);
    if (known) {
      known.setBack();
      return;
    }
    const taken = this.#all().map(({ visitor }) => visitor.number);
    let number = 1;
    while (taken.includes(number)) {
      number += 1;
    }
    const receiver = new Receiver(id, { name, role, number }, this.#sending, {
      send: this.#options.send,
      changed: this.#options.changed,
      told: this.#options.told,
      alone: () => this.#alone(),
    });
    this.#receivers.set(id, receiver);
    receiver.connect();
    this.#options.changed();
  }

  /**
   * A receiver was cut off from the server, and may come back. Its picture goes on.
   * @param {string} id
   */
  away(id) {
    this.#receivers.get(id)?.setAway();
  }

  /** @param {string} id */
  remove(id) {
    const receiver = this.#receivers.get(id);
    if (receiver) {
      receiver.close();
      this.#receivers.delete(id);
      this.#options.changed();
    }
  }

  /** The server cannot be told anything for now; whatever is connected goes on. */
  hold() {
    this.#sending.reachable = false;
    this.#all().forEach((receiver) => receiver.hold());
  }

  /**
   * The server has taken this page back: go on with the receivers that are there, and keep those that may still be on
   * their way, as after a restart of the server, while they get their picture.
   * @param {PeerInfo[]} peers those in the room
   * @param {object} how
   * @param {boolean} how.moved whether this device has moved to another network
   * @param {number} how.patience how long the server keeps the place of a receiver that is away, in milliseconds
   */
  resume(peers, { moved, patience }) {
    this.#sending.reachable = true;
    const listed = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, receiver] of [...this.#receivers]) {
      const peer = listed.get(id);
      if (peer) {
        receiver.resume({ away: peer.away === true, moved });
      } else if (receiver.connected) {
        receiver.expect(patience, () => this.remove(id));
      } else {
        this.remove(id);
      }
    }
    peers
      .filter(({ id, away }) => !away && !this.#receivers.has(id))
      .forEach((peer) => this.add(peer.id, peer));
  }

  /**
   * A receiver asks for it.
   * @param {string | undefined} from
   * @param {{ anew: boolean }} how another connection, or another way for the one there is
   */
  restart(from, how) {
    this.#from(from)?.ask(how);
  }

  /** Forget all receivers, and connect to none before the next `begin` if `pause`. */
  clear({ pause = false } = {}) {
    if (pause) {
      this.#sending.limits = null;
      this.#sending.spare?.close();
      this.#sending.spare = null;
    }
    this.#sending.reachable = true;
    for (const id of [...this.#receivers.keys()]) {
      this.remove(id);
    }
  }

  /** @param {Negotiation} message from a receiver; without `from` where there is only one */
  receive(message) {
    this.#from(message.from)?.peer?.receive(message);
  }

  /**
   * Send this track to all, or nothing for null.
   * @param {"video" | "audio"} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    this.#sending.tracks[kind] = track;
    this.#each((peer) => peer.setTrack(kind, track));
  }

  /** @param {VideoLimits} limits */
  setLimits(limits) {
    this.#sending.limits = limits;
    this.#each((peer) => peer.setVideoLimits(limits));
  }

  /** @param {Codec} codec */
  setCodec(codec) {
    this.#sending.codec = codec;
    this.#each((peer) => peer.setCodec(codec));
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#sending.iceServers = iceServers;
    this.#each((peer) => peer.setIceServers(iceServers));
  }

  /** The connections to those that are connected. */
  live() {
    return [...this.#receivers].flatMap(([id, { connected, peer }]) =>
      connected && peer?.connection ? [{ id, connection: peer.connection }] : [],
    );
  }

  /**
   * Find another way to a receiver, though nothing has shown yet that the one in use is broken.
   * @param {string} id
   */
  repair(id) {
    this.#receivers.get(id)?.restart();
  }

  /**
   * Who a receiver is.
   * @param {string | undefined} id left out where there is only one
   */
  visitor(id) {
    return this.#from(id)?.visitor;
  }

  /** How sending goes to each that is connected. */
  async outcomes() {
    const live = this.#all().filter(({ connected }) => connected);
    const asked = live.flatMap(({ peer, visitor }) => (peer ? [{ peer, visitor }] : []));
    return Promise.all(asked.map(async (one) => ({ ...one, ...(await one.peer.outcome()) })));
  }

  async #load() {
    const { OfferingPeer } = await loaded(() => import("../lib/media/offering-peer.js"));
    this.#sending.Peer = OfferingPeer;
    this.#connect();
  }

  /** Connect to those that there is no connection to, as soon as this page is ready to send. */
  #connect() {
    const { Peer, limits } = this.#sending;
    if (!Peer || !limits) {
      return;
    }
    if (this.count === 0) {
      this.#sending.spare ??= Peer.spare();
    }
    this.#all()
      .filter(({ peer }) => !peer)
      .forEach((receiver) => receiver.connect());
  }

  #all() {
    return [...this.#receivers.values()];
  }

  /** @param {string | undefined} id left out where there is only one */
  #from(id) {
    return id === undefined && this.count === 1 ? this.#all()[0] : this.#receivers.get(id ?? "");
  }

  /** @param {(peer: OfferingPeer) => void} action */
  #each(action) {
    for (const { peer } of this.#all()) {
      if (peer) {
        action(peer);
      }
    }
  }

  #alone() {
    const alone = this.connected === 0;
    if (alone) {
      this.#options.unreachable();
    }
    return alone;
  }
}
