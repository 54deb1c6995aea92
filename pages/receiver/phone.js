/**
 * One phone that sends: its connection, what it says about its camera, and its tile. Knows no other phone.
 */

import { AnsweringPeer } from "../lib/media/answering-peer.js";
import { applyBuffer } from "../lib/media/buffer.js";
import { StatsPanel } from "../lib/stats/panel.js";
import { readCameraState } from "./camera-state.js";
import { FrameWatch } from "./frame-watch.js";
import { labelFor, noteFor } from "./texts.js";
import { Tile } from "./tile.js";

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */
/** @typedef {import("../lib/signaling/protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("../lib/signaling/protocol.js").Negotiation} Negotiation */

/**
 * @typedef {object} PhoneOptions
 * @property {string} id the peer's
 * @property {string} title what no other phone in the room is called
 * @property {boolean} named whether the phone itself gave the name in it
 * @property {RTCIceServer[]} iceServers
 * @property {boolean} relayOnly
 * @property {HTMLTemplateElement} template of its tile
 * @property {(message: ClientMessage) => void} send
 * @property {() => void} change something that the page shows may have changed
 * @property {() => void} interrupted no media arrives any more
 * @property {() => void} lost it was away for too long
 * @property {() => void} select a person chose its tile
 * @property {() => void} detail a person asked for more or fewer figures
 * @property {(buffer: number) => void} buffer a person chose how long media waits, in milliseconds
 */

/** How long "disconnected" may last before this page asks for a restart, in milliseconds: often it passes. */
const PATIENCE = 2_000;
/** How long this page waits before it asks again, in milliseconds. */
const ASKING_INTERVAL = 5_000;

export class Phone {
  #options;
  #peer;
  #panel;
  /** @type {CameraState | null} */
  #camera = null;
  /** @type {RTCPeerConnectionState} */
  #connection = "new";
  #broken = false;
  /** @type {RTCRtpReceiver[]} */
  #receivers = [];
  #buffer = 0;
  #repairTimer = 0;
  #awayTimer = 0;
  #watch = new FrameWatch(() => ({
    receiver: this.#due() ? this.#videoReceiver() : null,
    ask: (restart) => this.#repair(restart),
  }));

  /** @param {PhoneOptions} options */
  constructor(options) {
    const { template, id, change, select } = options;
    this.#options = options;
    this.tile = new Tile(template, id, { picture: change, sound: change, select });
    this.#panel = new StatsPanel(this.tile.stats, {
      video: this.tile.video,
      tell: (text) => this.#peer.tell(text),
      detail: options.detail,
      buffer: options.buffer,
      label: () => this.label,
    });
    this.#peer = new AnsweringPeer({
      id,
      iceServers: options.iceServers,
      relayOnly: options.relayOnly,
      send: options.send,
      track: ({ track, receiver }) => this.#attach(track, receiver),
      message: (text) => this.#panel.receive(text),
      change: (state, error) => this.#changed(state, error),
    });
    this.#peer.prepare();
  }

  /** Null until the phone has made an offer. */
  get connection() {
    return this.#peer.connection;
  }

  /** Whether its media can arrive. */
  get connected() {
    return this.#connection === "connected";
  }

  /** Whether its media arrives, as far as this page knows. */
  get flowing() {
    return this.connected && !this.#watch.broken;
  }

  /** What its last `state` message said; null before the first. */
  get camera() {
    return this.#camera;
  }

  /** @returns {"none" | "live" | "paused"} */
  get picture() {
    const interrupted = this.#connection === "disconnected" || this.#connection === "failed";
    if (!this.tile.picture || interrupted) {
      return "none";
    }
    return this.#camera?.status === "paused" ? "paused" : "live";
  }

  /** Whether there is sound to hear: as the phone says, or else whether any arrives. */
  get sound() {
    return this.#camera?.microphone ?? this.tile.audible;
  }

  get label() {
    return labelFor(this.title, this.#camera);
  }

  get title() {
    return this.#options.title;
  }

  /** What stays the same when it comes back as a new peer: its title, if the phone has a name of its own. */
  get key() {
    return this.#options.named ? this.title : this.#options.id;
  }

  /** @param {Negotiation} message */
  receive(message) {
    if (message.type === "offer") {
      this.#broken = false;
    }
    this.#peer.receive(message);
  }

  /** @param {object} state what the phone says about its camera */
  setCamera(state) {
    this.#camera = readCameraState({ ...state });
    this.#options.change();
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#peer.setIceServers(iceServers);
  }

  /**
   * It is not in the room, but may be coming back, such as after a restart of the server. Calls `lost` if it does not
   * come in time.
   * @param {number} patience how long the server keeps the place of a phone that is away, in milliseconds
   */
  expect(patience) {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(() => this.#options.lost(), patience);
  }

  /** It is in the room. */
  greet() {
    clearTimeout(this.#awayTimer);
    if (this.#connection === "disconnected" || this.#connection === "failed") {
      this.restart();
    }
  }

  /** Ask it to find another network path for its media. */
  restart() {
    this.control({ restart: true });
  }

  /** @param {ControlSettings} settings */
  control(settings) {
    this.#options.send({ type: "control", settings, to: this.#options.id });
  }

  /** @param {number} buffer how long sound and picture wait before they are shown, in milliseconds */
  setBuffer(buffer) {
    this.#buffer = buffer;
    this.#receivers.forEach((receiver) => applyBuffer(receiver, buffer));
  }

  /** Show the current figures. */
  sample() {
    return this.#panel.update(this.#peer.connection);
  }

  /** Start the figures again, after a time in which none were read. */
  resetSamples() {
    this.#panel.reset();
  }

  /** @param {{ full: boolean }} stats whether all figures are shown, or only the first few */
  render({ full }) {
    const note = noteFor({
      connection: this.#connection,
      broken: this.#broken,
      picture: this.tile.picture,
      camera: this.#camera,
    });
    const notice = this.#camera?.notice ?? "";
    this.tile.render({ label: this.label, note, notice, sound: this.sound });
    this.#panel.render({ full, buffer: this.#buffer });
  }

  /** End the connection and take the tile away. */
  close() {
    clearTimeout(this.#repairTimer);
    clearTimeout(this.#awayTimer);
    this.#watch.close();
    this.#peer.close();
    this.tile.remove();
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {RTCRtpReceiver} receiver
   */
  #attach(track, receiver) {
    // The tracks of an earlier connection have ended.
    this.#receivers = this.#receivers.filter((other) => other.track.readyState === "live");
    this.#receivers.push(receiver);
    applyBuffer(receiver, this.#buffer);
    this.tile.attach(track);
  }

  /**
   * @param {RTCPeerConnectionState} state
   * @param {Error} [error]
   */
  #changed(state, error) {
    this.#connection = state;
    clearTimeout(this.#repairTimer);
    if (state === "disconnected" || state === "failed") {
      this.#repairLater(state === "failed" ? 0 : PATIENCE);
    }
    if (error) {
      console.warn(`Connection to ${this.#options.id}: ${error.message}`);
      this.#broken = state === "failed";
    }
    this.#options.change();
  }

  /** @param {number} delay in milliseconds */
  #repairLater(delay) {
    this.#repairTimer = setTimeout(() => {
      this.#repair(true);
      this.#repairLater(ASKING_INTERVAL);
    }, delay);
  }

  /** @param {true | "anew"} restart */
  #repair(restart) {
    this.#options.interrupted();
    this.control({ restart });
  }

  /** Whether frames should be arriving and somebody may be watching. */
  #due() {
    return this.#camera?.status === "live" && this.connected && this.#inView();
  }

  #inView() {
    // The picture-in-picture window stays while the page is hidden.
    const apart = document.pictureInPictureElement === this.tile.video;
    return apart || document.visibilityState === "visible";
  }

  #videoReceiver() {
    const receivers = this.#receivers.filter(({ track }) => track.readyState === "live");
    return receivers.find(({ track }) => track.kind === "video") ?? null;
  }
}
