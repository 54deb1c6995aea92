/**
 * What the sender page does: one signaling connection, one camera, one microphone, many receivers.
 * Imports the library modules and the sender's own; touches no element, the view draws what it sets.
 */

import { hintContent, listCameras, WakeLock } from "./media.js";
import { Camera } from "./sender-camera.js";
import { refusalKind } from "./sender-errors.js";
import { LoadWatch } from "./sender-load.js";
import { Microphone } from "./sender-microphone.js";
import { SenderReports } from "./sender-latency.js";
import { Receivers } from "./sender-receivers.js";
import { cameraState, limitsOf, phaseOf } from "./sender-state.js";
import { Signaling } from "./socket.js";

/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("./protocol.js").Codec} Codec */
/** @typedef {import("./protocol.js").Facing} Facing */
/** @typedef {import("./protocol.js").Priority} Priority */
/** @typedef {import("./sender-camera.js").Choice} Choice */
/** @typedef {import("./presets.js").Presets} Presets */
/** @typedef {import("./sender-state.js").SenderState} SenderState */
/** @typedef {import("./sender-errors.js").ErrorKind} ErrorKind */

/** From this attempt on a socket that never opened counts as blocked: one failure may be a slow start. */
const BLOCKED_ATTEMPT = 2;

const RESTORED = "That camera could not be opened. The one before is back.";

export class Sender {
  #view;
  #presets;
  #signaling;
  #receivers;
  #camera = new Camera({
    opened: () => this.#opened(),
    restored: (choice) => this.#update({ choice, notice: RESTORED }),
    failed: (kind) => this.fail(kind),
  });
  #microphone = new Microphone({
    changed: (track) => {
      this.#receivers.setTrack("audio", track);
      this.#update({ microphone: track !== null });
    },
    failed: (notice) => this.#update({ notice }),
  });
  #wakeLock = new WakeLock();
  #load = new LoadWatch({
    limitations: async () => (this.#view.state.hidden ? [] : this.#receivers.limitations()),
    changed: (step) => this.#limit({ step }),
  });
  #told = "";
  #reports = new SenderReports(() => document.querySelector("video"));

  /**
   * @param {object} options
   * @param {{ room?: string, key?: string }} options.link
   * @param {boolean} options.relayOnly
   * @param {Presets} options.presets
   * @param {import("./view.js").View<SenderState>} options.view
   */
  constructor({ link, relayOnly, presets, view }) {
    this.#view = view;
    this.#presets = presets;
    this.#signaling = new Signaling(
      { role: "sender", ...link },
      {
        registered: ({ turnConfig }) => this.#registered(turnConfig.iceServers),
        message: (message) => this.#message(message),
        refused: (code, sentence) => this.#refused(code, sentence),
        reconnecting: (attempt) => this.#reconnecting(attempt),
      },
    );
    this.#receivers = new Receivers({
      relayOnly,
      send: (message) => this.#signaling.send(message),
      changed: () => this.#counted(),
      unreachable: () => this.#signaling.open(),
      told: (peer, text) => this.#reports.receive(peer, text),
    });
  }

  /** The open camera's track, for the preview. */
  get track() {
    return this.#camera.track;
  }

  /** How the connection to the server is, for the connection check. */
  get signaling() {
    return this.#signaling.status;
  }

  /** Join the room; the camera may follow later. */
  connect() {
    this.#update({ signaling: "connecting" });
    this.#signaling.open();
  }

  /** Connect at once, where there is reason to think that it works again. */
  reconnect() {
    if (this.#view.state.signaling === "lost") {
      this.#signaling.open();
    }
  }

  /** Open the camera and send it, while the connections to the receivers are being made. */
  async start() {
    const { run, error, choice } = this.#view.state;
    if (run === "stopped" || error !== null) {
      this.connect();
    }
    this.#update({ run: "started", error: null, notice: "", camera: false });
    this.#receivers.begin(this.#limits());
    this.#wakeLock.acquire();
    this.#load.start();
    await this.#camera.open(choice);
  }

  /** Release everything and leave the room. */
  stop() {
    this.#leave();
    this.#update({ run: "stopped", notice: "" });
  }

  /**
   * Show an error's screen; everything is released until the next `start`.
   * @param {ErrorKind} error
   */
  fail(error) {
    this.#leave();
    this.#update({ error });
  }

  /** Change to the camera on the other side, or to the next one where sides are not known. */
  async flip() {
    const { actual, cameras } = this.#view.state;
    if (actual?.facing) {
      await this.#face(actual.facing === "user" ? "environment" : "user");
    } else if (cameras.length > 1) {
      const index = cameras.findIndex((camera) => camera.deviceId === actual?.deviceId);
      await this.selectCamera(cameras[(index + 1) % cameras.length].deviceId);
    } else {
      this.#update({ notice: "This device has no other camera." });
    }
  }

  /** @param {string} deviceId */
  async selectCamera(deviceId) {
    await this.#change({ deviceId, facing: undefined });
  }

  /** @param {string} preset its name in the configuration; others are passed over */
  async selectPreset(preset) {
    if (Object.hasOwn(this.#presets.presets, preset)) {
      const { width, height, frameRate } = this.#presets.presets[preset];
      await this.#resize({ width, height, frameRate, preset });
    }
  }

  /** @param {{ width?: number, height?: number, frameRate?: number }} values instead of a preset's */
  async selectCustom(values) {
    await this.#resize({ ...values, preset: null });
  }

  /** @param {Priority} priority */
  setPriority(priority) {
    this.#load.reset();
    this.#limit({ priority, step: 0, notice: "" });
    if (this.#camera.track) {
      hintContent(this.#camera.track, priority);
    }
  }

  /** @param {Codec} codec */
  setCodec(codec) {
    this.#load.reset();
    this.#limit({ codec, step: 0, notice: "" });
    this.#receivers.setCodec(codec);
  }

  /** @param {boolean} on */
  async setMicrophone(on) {
    this.#update({ notice: "" });
    await (on ? this.#microphone.open() : this.#microphone.close());
  }

  /** @param {boolean} hidden whether the page went to the background */
  async setHidden(hidden) {
    this.#update({ hidden });
    if (!hidden) {
      this.reconnect();
      await this.#camera.check();
    }
  }

  /** @param {RTCIceServer[]} iceServers */
  #registered(iceServers) {
    // Under a new registration every receiver expects a new offer; the server names them all.
    this.#receivers.clear();
    this.#receivers.setIceServers(iceServers);
    const { error } = this.#view.state;
    const waited = error === "room-full" || error === "server-full";
    this.#update({ signaling: "registered", blocked: false, error: waited ? null : error });
  }

  /** @param {ServerMessage} message */
  #message(message) {
    switch (message.type) {
      case "peer-connected":
        this.#receivers.add(message.id);
        this.#tell(message.id);
        break;
      case "peer-disconnected":
        this.#receivers.remove(message.id);
        break;
      case "answer":
      case "ice-candidate":
        this.#receivers.receive(message);
        break;
      case "control":
        this.#control(message.settings);
        break;
      case "turn-config":
        this.#receivers.setIceServers(message.turnConfig.iceServers);
        break;
      case "error":
        console.warn(`The server refused a message (${message.code}): ${message.message}`);
        break;
    }
  }

  /** @param {ControlSettings} settings */
  async #control({ preset, facing, microphone, priority, codec }) {
    if (!this.#view.state.camera) {
      return;
    }
    if (priority === "sharp" || priority === "smooth") {
      this.setPriority(priority);
    }
    if (codec !== undefined && this.#view.state.codecs.includes(codec)) {
      this.setCodec(codec);
    }
    if (microphone === false) {
      await this.setMicrophone(false);
    } else if (microphone === true && !this.#view.state.microphone) {
      // Nobody is to be listened to without having agreed to it here.
      this.#update({ notice: "The laptop asks for the microphone. Turn it on here if you agree." });
    }
    if (typeof preset === "string") {
      await this.selectPreset(preset);
    }
    const known = facing === "user" || facing === "environment";
    if (known && facing !== this.#view.state.actual?.facing) {
      await this.#face(facing);
    }
    this.#told = "";
    this.#tell();
  }

  /**
   * @param {string} code
   * @param {string} sentence
   */
  #refused(code, sentence) {
    console.warn(`The server refused (${code}): ${sentence}`);
    const error = refusalKind(code);
    if (error === "bad-link") {
      this.fail(error);
    } else if (error) {
      this.#update({ error });
    }
  }

  /** @param {number} attempt */
  #reconnecting(attempt) {
    const blocked = !this.#signaling.status.everOpened && attempt >= BLOCKED_ATTEMPT;
    this.#update({ signaling: "lost", blocked });
  }

  /** @param {Partial<Choice>} values what differs from the choice so far */
  async #change(values) {
    const choice = { ...this.#view.state.choice, ...values };
    this.#update({ choice, notice: "" });
    await this.#camera.change(choice);
  }

  /** @param {Partial<Choice>} values another size or rate, which the phone may have room for */
  async #resize(values) {
    this.#load.reset();
    this.#update({ step: 0 });
    await this.#change(values);
  }

  /** @param {Facing} facing */
  async #face(facing) {
    await this.#change({ facing, deviceId: undefined });
    const { actual, choice } = this.#view.state;
    const settled = !this.#camera.busy && choice.facing === facing;
    if (settled && actual?.facing && actual.facing !== facing) {
      this.#update({ notice: "This device has no camera on that side." });
    }
  }

  /** A camera is open or has new settings: send it, and show what it really gives. */
  async #opened() {
    const track = this.#camera.track;
    if (!track) {
      return;
    }
    hintContent(track, this.#view.state.priority);
    this.#receivers.setTrack("video", track);
    this.#limit({ camera: true, actual: this.#camera.actual() });
    const cameras = await listCameras();
    this.#update({ cameras: cameras.map(({ deviceId, label }) => ({ deviceId, label })) });
  }

  /** @param {Partial<SenderState>} changes that what is sent at most follows from */
  #limit(changes) {
    this.#update(changes);
    this.#receivers.setLimits(this.#limits());
  }

  #limits() {
    return limitsOf(this.#view.state, this.#presets);
  }

  #leave() {
    this.#signaling.close();
    this.#camera.close();
    this.#microphone.close();
    this.#wakeLock.release();
    this.#load.stop();
    this.#receivers.setTrack("video", null);
    this.#receivers.clear({ pause: true });
    this.#update({ camera: false, actual: null, step: 0, signaling: "connecting", blocked: false });
  }

  #counted() {
    const { count, connected, interrupted } = this.#receivers;
    this.#update({ receivers: count, connected, interrupted });
  }

  /** @param {Partial<SenderState>} changes */
  #update(changes) {
    const next = { ...this.#view.state, ...changes };
    this.#view.set({ ...changes, phase: phaseOf(next) });
    this.#tell();
  }

  /**
   * Tell the receivers what the camera does, if that is news, or one receiver in any case.
   * @param {string} [to]
   */
  #tell(to) {
    const { camera, receivers } = this.#view.state;
    if (!camera || receivers === 0) {
      return;
    }
    const state = cameraState(this.#view.state, this.#presets);
    const news = JSON.stringify(state);
    if (to !== undefined || news !== this.#told) {
      this.#told = news;
      this.#signaling.send({ type: "state", state, to });
    }
  }
}
