/**
 * What the sender page does: one room, one camera, one microphone, and what a person or the laptop asks of them.
 * Imports the library modules and the sender's own; touches no element, the view draws what it sets.
 */

import { hintContent, listCameras } from "../lib/media/media.js";
import { Camera } from "./camera.js";
import { passes, refusalKind } from "./errors.js";
import { LoadWatch } from "./load.js";
import { Microphone } from "./microphone.js";
import { cameraState, limitsOf, pauseOf, phaseOf } from "./state.js";
import { WakeLock } from "../lib/page/wake-lock.js";

/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Facing} Facing */
/** @typedef {import("../lib/signaling/protocol.js").Priority} Priority */
/** @typedef {import("../lib/page/settings.js").Choice} Choice */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("./state.js").SenderState} SenderState */
/** @typedef {import("./errors.js").ErrorKind} ErrorKind */
/** @typedef {import("./latency.js").SenderReports} SenderReports */
/** @typedef {import("../lib/media/peer.js").Peer} Peer */
/** @typedef {import("./room.js").Room} Room */

/** From this attempt on a socket that never opened counts as blocked: one failure may be a slow start. */
const BLOCKED_ATTEMPT = 2;

/** After this many attempts in vain to get the camera back a person is asked to help. */
const LONG_OUTAGE = 4;

const RESTORED = "That camera could not be opened. The one before is back.";

/** Before the cameras are listed, in milliseconds: it takes the browser a while, and the first picture comes first. */
const LISTING_DELAY = 1_000;

export class Sender {
  #view;
  #presets;
  #room;
  #camera = new Camera({
    opened: () => this.#opened(),
    restored: (choice) => this.#update({ choice, notice: RESTORED }),
    failed: (kind) => this.fail(kind),
    interrupted: (failures) => this.#interrupted(failures),
    delivers: (track) => this.#delivers(track),
  });
  #microphone = new Microphone({
    changed: () => {
      this.#update({ microphone: this.#microphone.on });
      this.#send();
    },
    told: (notice) => this.#update({ notice }),
  });
  #wakeLock = new WakeLock();
  #load = new LoadWatch({
    outcomes: async () =>
      pauseOf(this.#view.state) === null ? this.#room.receivers.outcomes() : [],
    changed: (step) => this.#limit({ step }),
  });
  #told = "";
  #listing = 0;
  #devicesChanged = () => void this.#list();
  /** @type {Promise<SenderReports> | null} */
  #reports = null;
  #delivers;

  /**
   * @param {object} options
   * @param {Room} options.room
   * @param {Presets} options.presets
   * @param {import("../lib/page/view.js").View<SenderState>} options.view
   * @param {(track: MediaStreamTrack) => Promise<boolean>} options.delivers whether a track gives pictures
   */
  constructor({ room, presets, view, delivers }) {
    this.#view = view;
    this.#delivers = delivers;
    this.#presets = presets;
    this.#room = room;
  }

  /** The open camera's track, for the preview. */
  get track() {
    return this.#camera.track;
  }

  /** How the connection to the server is, for the connection check. */
  get signaling() {
    return this.#room.signaling.status;
  }

  /** Connect at once, where there is reason to think that it works again. */
  reconnect() {
    if (this.#view.state.signaling === "lost") {
      this.#room.signaling.open();
    }
  }

  /** Take part in the room from now; the camera may follow later. */
  join() {
    this.#room.listen({
      registered: () => this.#registered(),
      arrived: (id) => this.#tell(id),
      counted: () => this.#counted(),
      control: (settings) => void this.#control(settings),
      told: (peer, text) => void this.#hear(peer, text),
      refused: (code, sentence) => this.#refused(code, sentence),
      reconnecting: (attempt) => this.#reconnecting(attempt),
    });
  }

  /** Begin, or begin anew, where a person asks for it. */
  async start() {
    const { run, error } = this.#view.state;
    if (run === "stopped" || error !== null) {
      this.#update({ signaling: "connecting", error: null });
      this.#room.signaling.open();
    }
    await this.begin();
  }

  /**
   * Open the camera and send it, while the connections to the receivers are being made. An error that is shown stays.
   * @param {Promise<MediaStreamTrack>} [opening] of the camera chosen, where it has begun already
   */
  async begin(opening) {
    const { choice } = this.#view.state;
    this.#update({ run: "started", notice: "", camera: false });
    this.#room.receivers.begin(this.#limits());
    this.#wakeLock.acquire();
    this.#load.start();
    await this.#camera.open(choice, opening);
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
    await this.#list();
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
    this.#room.receivers.setCodec(codec);
  }

  /** @param {boolean} on */
  async setMicrophone(on) {
    this.#update({ notice: "" });
    await (on ? this.#microphone.open() : this.#microphone.close());
  }

  /** @param {boolean} hidden whether the page went to the background */
  async setHidden(hidden) {
    this.#update({ hidden });
    this.#send();
    if (!hidden) {
      this.reconnect();
      this.#microphone.check();
      await this.#camera.check();
    }
  }

  /** While the camera is interrupted: try at once to get it back. */
  retryCamera() {
    this.#camera.retry();
  }

  /** The connections to those that get the video, for their words. */
  async connections() {
    const outcomes = await this.#room.receivers.outcomes();
    return outcomes.flatMap(({ peer }) => peer.connection ?? []);
  }

  /**
   * What answers is loaded when a receiver asks first: the first picture does not wait for it.
   * @param {Peer} peer
   * @param {string} text
   */
  async #hear(peer, text) {
    try {
      this.#reports ??= loadReports();
      (await this.#reports).receive(peer, text);
    } catch (error) {
      console.warn("Reports:", error);
      this.#reports = null;
    }
  }

  #registered() {
    // What was told last may have been lost with the connection; the server keeps no state.
    this.#told = "";
    const { error } = this.#view.state;
    this.#update({ signaling: "registered", blocked: false, error: passes(error) ? null : error });
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
    if (error === "bad-link" || error === "replaced") {
      this.fail(error);
    } else if (error) {
      this.#update({ error });
    }
  }

  /** @param {number} attempt */
  #reconnecting(attempt) {
    const blocked = !this.#room.signaling.status.everOpened && attempt >= BLOCKED_ATTEMPT;
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
  #opened() {
    const track = this.#camera.track;
    if (!track) {
      return;
    }
    hintContent(track, this.#view.state.priority);
    this.#limit({ camera: true, outage: "none", actual: this.#camera.actual() });
    this.#send();
    clearTimeout(this.#listing);
    this.#listing = setTimeout(() => void this.#list(), LISTING_DELAY);
    navigator.mediaDevices.addEventListener("devicechange", this.#devicesChanged);
  }

  async #list() {
    const cameras = await listCameras();
    this.#update({ cameras: cameras.map(({ deviceId, label }) => ({ deviceId, label })) });
  }

  /** @param {number} failures attempts in vain to get it back */
  #interrupted(failures) {
    this.#update({ outage: failures < LONG_OUTAGE ? "short" : "long" });
    this.#send();
  }

  /** Put in what is to be sent: nothing while the receivers are told that it is paused. */
  #send() {
    const pause = pauseOf(this.#view.state);
    const { receivers } = this.#room;
    receivers.setTrack("video", pause === null ? this.#camera.track : null);
    receivers.setTrack("audio", pause === "hidden" ? null : this.#microphone.track);
  }

  /** @param {Partial<SenderState>} changes that what is sent at most follows from */
  #limit(changes) {
    this.#update(changes);
    this.#room.receivers.setLimits(this.#limits());
  }

  #limits() {
    return limitsOf(this.#view.state, this.#presets);
  }

  #leave() {
    clearTimeout(this.#listing);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#devicesChanged);
    this.#room.leave();
    this.#camera.close();
    this.#microphone.close();
    this.#wakeLock.release();
    this.#load.stop();
    this.#update({
      camera: false,
      outage: "none",
      actual: null,
      step: 0,
      signaling: "connecting",
      blocked: false,
    });
  }

  #counted() {
    const { count, connected, interrupted } = this.#room.receivers;
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
      this.#room.tell(state, to);
    }
  }
}

async function loadReports() {
  const { SenderReports } = await import("./latency.js");
  return new SenderReports(() => document.querySelector("video"));
}
