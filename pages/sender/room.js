/**
 * The sender's place in the room: its signaling connection, and a peer connection to each receiver that comes.
 * Works before the page has loaded; the page listens later.
 */

import { Receivers } from "./receivers.js";
import { Signaling } from "../lib/signaling/signaling.js";

/** @typedef {import("../lib/media/peer.js").Peer} Peer */
/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */
/** @typedef {import("../lib/signaling/protocol.js").Control} Control */
/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("../lib/signaling/protocol.js").PeerInfo} PeerInfo */
/** @typedef {import("../lib/signaling/protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("../lib/signaling/signaling.js").Welcome} Welcome */

/**
 * @typedef {object} RoomHandlers
 * @property {() => void} registered the server has let this page in, or in again
 * @property {(id: string) => void} arrived a receiver came, or a viewer: here they are alike
 * @property {() => void} counted there are more or fewer receivers, or connected ones
 * @property {(settings: ControlSettings, from?: string) => void} control a receiver asks for settings
 * @property {(peer: Peer, text: string) => void} told a receiver's page said something over the data channel
 * @property {(code: string, sentence: string, final: boolean) => void} refused the server did not let this page in;
 *   unless `final` it is tried again
 * @property {(attempt: number) => void} reconnecting the server is away; the first attempt to come is 1
 */

/** When the module that watches the connections is fetched, in milliseconds: after the first picture. */
const CALM = 3_000;

export class Room {
  /** @type {RoomHandlers | null} */
  #handlers = null;
  #attempt = 0;
  #audience = later();
  /** Whether this device has moved to another network since the last registration. */
  #moved = false;
  #watched = false;

  /**
   * @param {object} options
   * @param {{ room?: string, key?: string }} options.link
   * @param {{ name?: string }} options.device its name is asked for at each registration
   * @param {import("../lib/page/begun.js").Begun} [options.begun]
   * @param {boolean} options.relayOnly
   */
  constructor({ link, device, begun = {}, relayOnly }) {
    this.signaling = new Signaling(
      {
        role: "sender",
        ...link,
        get name() {
          return device.name;
        },
      },
      {
        registered: (welcome) => this.#registered(welcome),
        message: (message) => this.#message(message),
        refused: (code, sentence, final) => {
          this.#audience.resolve(false);
          this.#handlers?.refused(code, sentence, final);
        },
        reconnecting: (attempt) => this.#reconnecting(attempt),
      },
      begun.socket,
    );
    this.receivers = new Receivers({
      relayOnly,
      spare: begun.connection ?? null,
      send: (message) => this.signaling.send(message),
      changed: () => this.#counted(),
      unreachable: () => this.#reopen(),
      told: (peer, text) => this.#handlers?.told(peer, text),
    });
  }

  /** True once the first receiver is connected; false once it is known that no receiver is there, or no server. */
  get audience() {
    return this.#audience.promise;
  }

  /**
   * Hear of what happens from now, and first of how things stand.
   * @param {RoomHandlers} handlers
   */
  listen(handlers) {
    this.#handlers = handlers;
    const { registered, refusal } = this.signaling.status;
    if (registered) {
      handlers.registered();
    } else if (refusal) {
      handlers.refused(refusal.code, refusal.message, refusal.final);
    } else if (this.#attempt > 0) {
      handlers.reconnecting(this.#attempt);
    }
    handlers.counted();
  }

  /**
   * Tell what the camera does.
   * @param {CameraState} state
   * @param {string} [to] one receiver; all if left out
   */
  tell(state, to) {
    this.signaling.send({ type: "state", state, to });
  }

  /** Leave the room, and send nothing any more. */
  leave() {
    this.signaling.close();
    this.receivers.setTrack("video", null);
    this.receivers.clear({ pause: true });
  }

  /** This device may have moved to another network: connections on the old one may not show it for minutes. */
  #move() {
    if (this.signaling.status.iceServers) {
      this.#moved = true;
      this.signaling.open();
    }
  }

  /** Replace a connection to the server that may have died unnoticed. */
  #reopen() {
    if (this.signaling.status.registered) {
      this.signaling.open();
    }
  }

  /** @param {Welcome} welcome */
  #registered({ turnConfig, resumed, peers = [], limits }) {
    const moved = this.#moved;
    this.#attempt = 0;
    this.#moved = false;
    if (!resumed) {
      // Under a new registration every receiver expects a new offer; the server names them all.
      this.receivers.clear();
    }
    this.receivers.setIceServers(turnConfig.iceServers);
    const receivers = peers.filter((peer) => isReceiver(peer));
    if (receivers.length === 0) {
      this.#audience.resolve(false);
    }
    if (resumed) {
      this.receivers.resume(receivers, { moved, patience: limits.resume * 1000 });
    }
    this.#handlers?.registered();
    setTimeout(() => void this.#watch(), CALM);
  }

  async #watch() {
    if (this.#watched) {
      return;
    }
    this.#watched = true;
    try {
      const { SenderWatch } = await import("./watch.js");
      new SenderWatch(this.receivers, () => this.#move());
    } catch (error) {
      // The connections themselves still show what is wrong, later. It is fetched again when the server is back.
      console.warn("Watch:", error);
      this.#watched = false;
    }
  }

  /** @param {ServerMessage} message */
  #message(message) {
    switch (message.type) {
      case "peer-connected":
        if (isReceiver({ ...message, role: message.peer })) {
          this.receivers.add(message.id, { name: message.name, role: message.peer });
          this.#handlers?.arrived(message.id);
        }
        break;
      case "peer-disconnected":
        if (message.reason === "away") {
          this.receivers.away(message.id);
        } else {
          this.receivers.remove(message.id);
        }
        break;
      case "answer":
      case "ice-candidate":
        this.receivers.receive(message);
        break;
      case "control":
        this.#control(message);
        break;
      case "turn-config":
        this.receivers.setIceServers(message.turnConfig.iceServers);
        break;
      case "error":
        console.warn(`The server refused a message (${message.code}): ${message.message}`);
        break;
    }
  }

  /** @param {Control} message */
  #control({ from, settings: { restart, ...settings } }) {
    const asked = restart === true || restart === "anew";
    if (asked) {
      this.receivers.restart(from, { anew: restart === "anew" });
    }
    // The camera has no part in a restart.
    if (!asked || Object.keys(settings).length > 0) {
      this.#handlers?.control(settings, from);
    }
  }

  #counted() {
    if (this.receivers.connected > 0) {
      this.#audience.resolve(true);
    }
    this.#handlers?.counted();
  }

  /** @param {number} attempt */
  #reconnecting(attempt) {
    this.#audience.resolve(false);
    this.#attempt = attempt;
    this.receivers.hold();
    this.#handlers?.reconnecting(attempt);
  }
}

/**
 * Whether this page sends to a peer: the server says so. One that does not say lets senders meet receivers only.
 * @param {Pick<PeerInfo, "role" | "offers">} peer
 */
function isReceiver({ role, offers }) {
  return offers ?? role === "receiver";
}

/** A promise, and what fulfils it (Promise.withResolvers, which not every phone has). */
function later() {
  /** @type {(value: boolean) => void} */
  let resolve = () => {};
  /** @type {Promise<boolean>} */
  const promise = new Promise((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
