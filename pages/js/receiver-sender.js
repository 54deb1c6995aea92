/**
 * One phone that sends: its connection, what it tells of its camera, and its tile.
 * Imports peer, the tile, its panel, the buffer, the state's reader and the texts; knows neither the socket nor the
 * other senders.
 */

import { Peer } from "./peer.js";
import { applyBuffer } from "./receiver-buffer.js";
import { StatsPanel } from "./receiver-panel.js";
import { readCameraState } from "./receiver-state.js";
import { labelFor, noteFor } from "./receiver-texts.js";
import { Tile } from "./receiver-tile.js";

/** @typedef {import("./protocol.js").CameraState} CameraState */
/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("./protocol.js").Negotiation} Negotiation */

/**
 * @typedef {object} SenderOptions
 * @property {string} id
 * @property {string} [name]
 * @property {RTCIceServer[]} iceServers
 * @property {boolean} relayOnly
 * @property {HTMLTemplateElement} template of its tile
 * @property {(message: ClientMessage) => void} send
 * @property {() => void} change anything that the page shows may have changed
 * @property {() => void} select a person chose its tile
 * @property {() => void} detail a person asked for the other view of the statistics
 * @property {(buffer: number) => void} buffer a person chose how long media waits, in milliseconds
 */

export class Sender {
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

  /** @param {SenderOptions} options */
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
    this.#peer = new Peer({
      id,
      offers: false,
      iceServers: options.iceServers,
      relayOnly: options.relayOnly,
      send: options.send,
      track: ({ track, receiver }) => this.#attach(track, receiver),
      message: (text) => this.#panel.receive(text),
      change: (state, error) => this.#changed(state, error),
    });
  }

  /** What its `state` said last; null until there was one. */
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

  /** Whether there is sound to hear: what the sender says, else whether any arrives. */
  get sound() {
    return this.#camera?.microphone ?? this.tile.audible;
  }

  get label() {
    return labelFor(this.#options.name, this.#camera);
  }

  /** What tells this phone from others when it comes back with another id. */
  get name() {
    return this.#options.name ?? "";
  }

  /** @param {Negotiation} message */
  receive(message) {
    if (message.type === "offer") {
      this.#broken = false;
    }
    this.#peer.receive(message);
  }

  /** @param {object} state what the sender told of its camera */
  setCamera(state) {
    this.#camera = readCameraState({ ...state });
    this.#options.change();
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#peer.setIceServers(iceServers);
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

  /** Show the figures of this moment. */
  sample() {
    return this.#panel.update(this.#peer.connection);
  }

  /** Begin the figures anew, after a time in which none were taken. */
  resetSamples() {
    this.#panel.reset();
  }

  /** @param {{ full: boolean }} stats whether all figures are shown, or the first few */
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
    this.#peer.close();
    this.tile.remove();
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {RTCRtpReceiver} receiver
   */
  #attach(track, receiver) {
    // Those of an earlier connection have ended.
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
    if (error) {
      console.warn(`Connection to ${this.#options.id}: ${error.message}`);
      this.#broken = state === "failed";
    }
    this.#options.change();
  }
}
