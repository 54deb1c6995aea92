/**
 * One phone that sends: its connection, what it tells of its camera, and its tile.
 * Knows neither the socket nor the other senders.
 */

import { AnsweringPeer } from "../lib/media/answering-peer.js";
import { applyBuffer } from "../lib/media/buffer.js";
import { StatsPanel } from "../lib/stats/panel.js";
import { readCameraState } from "./camera-state.js";
import { labelFor, noteFor } from "./texts.js";
import { Tile } from "./tile.js";
import { FrameWatch } from "./frame-watch.js";

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */
/** @typedef {import("../lib/signaling/protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("../lib/signaling/protocol.js").Negotiation} Negotiation */

/**
 * @typedef {object} SenderOptions
 * @property {string} id
 * @property {string} [name]
 * @property {RTCIceServer[]} iceServers
 * @property {boolean} relayOnly
 * @property {HTMLTemplateElement} template of its tile
 * @property {(message: ClientMessage) => void} send
 * @property {() => void} change anything that the page shows may have changed
 * @property {() => void} interrupted the media does not come any more
 * @property {() => void} lost it was away for too long
 * @property {() => void} select a person chose its tile
 * @property {() => void} detail a person asked for the other view of the statistics
 * @property {(buffer: number) => void} buffer a person chose how long media waits, in milliseconds
 */

/** How long "disconnected" may last before a restart is asked for, in milliseconds; often it mends itself. */
const PATIENCE = 2_000;
/** Before it is asked for once more, in milliseconds. */
const ASKING_INTERVAL = 5_000;

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
  #mendTimer = 0;
  #awayTimer = 0;
  #watch = new FrameWatch(() => ({
    receiver: this.#due() ? this.#videoReceiver() : null,
    ask: (restart) => this.#mend(restart),
  }));

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

  /** The connection, for its words; null until there is an offer. */
  get connection() {
    return this.#peer.connection;
  }

  /** Whether its media can come. */
  get connected() {
    return this.#connection === "connected";
  }

  /** Whether its media comes, as far as is known. */
  get flowing() {
    return this.connected && !this.#watch.broken;
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

  /** What tells this phone from others: its name, by which it is known with another id too, or else its id. */
  get key() {
    return this.#options.name || this.#options.id;
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

  /**
   * It is not among those in the room, but may be on its way, as after a restart of the server. `lost` is called where
   * it does not come in time.
   * @param {number} patience how long the server keeps the place of a sender that is away, in milliseconds
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

  /** Ask it to find another way for its media. */
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
    clearTimeout(this.#mendTimer);
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
    clearTimeout(this.#mendTimer);
    if (state === "disconnected" || state === "failed") {
      this.#mendLater(state === "failed" ? 0 : PATIENCE);
    }
    if (error) {
      console.warn(`Connection to ${this.#options.id}: ${error.message}`);
      this.#broken = state === "failed";
    }
    this.#options.change();
  }
  /** @param {number} delay in milliseconds */
  #mendLater(delay) {
    this.#mendTimer = setTimeout(() => {
      this.#mend(true);
      this.#mendLater(ASKING_INTERVAL);
    }, delay);
  }

  /** @param {true | "anew"} restart */
  #mend(restart) {
    this.#options.interrupted();
    this.control({ restart });
  }

  /** Whether frames are to come and somebody may see them. */
  #due() {
    return this.#camera?.status === "live" && this.connected && this.#inView();
  }

  #inView() {
    // The small window stays while the page is hidden.
    const apart = document.pictureInPictureElement === this.tile.video;
    return apart || document.visibilityState === "visible";
  }

  #videoReceiver() {
    const receivers = this.#receivers.filter(({ track }) => track.readyState === "live");
    return receivers.find(({ track }) => track.kind === "video") ?? null;
  }
}
