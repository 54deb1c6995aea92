/**
 * The room as this page sees it: the connection to the server, the phones that are there, and the one that the
 * toolbar acts on.
 */

import { numbered } from "../lib/page/names.js";
import { Signaling } from "../lib/signaling/signaling.js";
import { Phone } from "./phone.js";

/** @typedef {import("../lib/signaling/protocol.js").Invite} Invite */
/** @typedef {import("../lib/signaling/protocol.js").PeerInfo} PeerInfo */
/** @typedef {import("../lib/signaling/protocol.js").Role} Role */
/** @typedef {import("../lib/signaling/protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("../lib/signaling/signaling.js").Welcome} Welcome */
/** @typedef {import("./phone.js").PhoneOptions} PhoneOptions */
/** @typedef {import("./tile.js").Orientation} Orientation */

/**
 * @typedef {object} RoomHandlers
 * @property {(invites: Invitations) => void} joined the server has let this page in, or in again
 * @property {(code: string, final: boolean) => void} refused the server did not let this page in; unless `final`
 *   the page tries again
 * @property {(attempt: number) => void} reconnecting the connection to the server is lost; the first attempt is 1
 * @property {(phone: Phone) => void} arrived
 * @property {(phone: Phone) => void} left
 * @property {() => void} changed something that the page shows may have changed
 */

/** @typedef {{ phone?: Invite, viewer?: Invite }} Invitations by whom they are for */

/** @typedef {Pick<PhoneOptions, "template" | "relayOnly" | "detail" | "buffer">} ForEachPhone */

const NAMELESS = "Phone";

export class Room {
  #handlers;
  #forEachPhone;
  /** @type {Map<string, Phone>} by the peer's id */
  #phones = new Map();
  /** @type {Map<string, Orientation>} by the phone's key: a phone that comes back is turned as it was */
  #orientations = new Map();
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** @type {Phone | null} */
  #selected = null;

  /**
   * @param {object} options
   * @param {Role} options.role
   * @param {{ room?: string, key?: string }} options.link
   * @param {ForEachPhone} options.phones what all phones have in common
   * @param {RoomHandlers} handlers
   */
  constructor({ role, link, phones }, handlers) {
    this.#forEachPhone = phones;
    this.#handlers = handlers;
    this.signaling = new Signaling(
      { role, ...link },
      {
        registered: (welcome) => this.#registered(welcome),
        message: (message) => this.#message(message),
        refused: (code, _sentence, final) => this.#refused(code, final),
        reconnecting: (attempt) => handlers.reconnecting(attempt),
      },
    );
  }

  /** Those in the room, the one that came first at the front. */
  get phones() {
    return [...this.#phones.values()];
  }

  /** The one that the toolbar acts on; null while there is none. */
  get selected() {
    return this.#selected;
  }

  /** Connect to the server. */
  open() {
    this.signaling.open();
  }

  /** This laptop may be on another network, which connections on the old one may not notice for minutes. */
  move() {
    this.signaling.open();
    // These messages wait for the new connection.
    this.phones.forEach((phone) => phone.restart());
  }

  /** @param {(now: Orientation) => Partial<Orientation>} change of the selected picture */
  orient(change) {
    const phone = this.#selected;
    if (phone) {
      phone.tile.orient(change(phone.tile.orientation));
      this.#orientations.set(phone.key, phone.tile.orientation);
      this.#handlers.changed();
    }
  }

  /** @param {Welcome} welcome */
  #registered({ turnConfig, resumed, peers = [], invite, invites, limits }) {
    this.#iceServers = turnConfig.iceServers;
    const present = new Set(peers.map(({ id }) => id));
    for (const [id, phone] of this.#phones) {
      phone.setIceServers(this.#iceServers);
      if (present.has(id)) {
        // A phone that sees a new receiver makes a new offer; until then the old picture goes on.
        if (resumed) {
          phone.greet();
        }
      } else if (resumed && phone.connected) {
        phone.expect(limits.resume * 1000);
      } else {
        this.#remove(id);
      }
    }
    peers.filter(({ role }) => role === "sender").forEach((peer) => this.#add(peer));
    this.#handlers.joined({ phone: invite, viewer: invites?.viewer });
  }

  /** @param {ServerMessage} message */
  #message(message) {
    switch (message.type) {
      case "peer-connected":
        if (message.peer === "sender") {
          this.#add(message);
          this.#phones.get(message.id)?.greet();
        }
        break;
      case "peer-disconnected":
        // A phone that only lost the server may come back; its picture goes on.
        if (message.reason !== "away") {
          this.#remove(message.id);
        }
        break;
      case "offer":
      case "ice-candidate":
        this.#from(message)?.receive(message);
        break;
      case "state":
        this.#from(message)?.setCamera(message.state);
        break;
      case "turn-config":
        this.#iceServers = message.turnConfig.iceServers;
        this.phones.forEach((phone) => phone.setIceServers(this.#iceServers));
        break;
      case "error":
        console.warn(`The server refused a message: ${message.code ?? ""} ${message.message}`);
        break;
    }
    this.#handlers.changed();
  }

  /** @param {{ from?: string }} routed */
  #from({ from }) {
    return from === undefined ? undefined : this.#phones.get(from);
  }

  /**
   * @param {string} code
   * @param {boolean} final
   */
  #refused(code, final) {
    if (final) {
      [...this.#phones.keys()].forEach((id) => this.#remove(id));
    }
    this.#handlers.refused(code, final);
  }

  /** No video arrives any more: the connection to the server may be dead, too, without showing it. */
  #reopen() {
    const watching = this.phones.some((phone) => phone.flowing);
    if (!watching && this.signaling.status.registered) {
      this.signaling.open();
    }
  }

  /** @param {Pick<PeerInfo, "id" | "name">} peer */
  #add({ id, name }) {
    if (this.#phones.has(id)) {
      return;
    }
    const titles = this.phones.map(({ title }) => title);
    const phone = new Phone({
      ...this.#forEachPhone,
      id,
      title: numbered(name || NAMELESS, titles),
      named: Boolean(name),
      iceServers: this.#iceServers,
      send: (message) => this.signaling.send(message),
      change: this.#handlers.changed,
      interrupted: () => this.#reopen(),
      lost: () => {
        this.#remove(id);
        this.#handlers.changed();
      },
      select: () => {
        this.#selected = this.#phones.get(id) ?? this.#selected;
        this.#handlers.changed();
      },
    });
    phone.tile.orient(this.#orientations.get(phone.key) ?? {});
    this.#phones.set(id, phone);
    this.#selected ??= phone;
    this.#handlers.arrived(phone);
  }

  /** @param {string} id */
  #remove(id) {
    const phone = this.#phones.get(id);
    if (!phone) {
      return;
    }
    this.#phones.delete(id);
    phone.close();
    if (this.#selected === phone) {
      this.#selected = this.phones[0] ?? null;
    }
    this.#handlers.left(phone);
  }
}
