/**
 * What the sender page does: one room, one camera, one microphone, and what a person or the laptop asks of them.
 * Touches no element: the view draws the state.
 */

import { hintContent, listCameras } from "../lib/media/media.js";
import { WakeLock } from "../lib/page/wake-lock.js";
import { Camera } from "./camera.js";
import { passes, refusalKind } from "./errors.js";
import { LoadWatch } from "./load.js";
import { Microphone } from "./microphone.js";
import { deedOf, rememberControl, titleOf } from "./remote.js";
import { cameraState, limitsOf, pauseOf, phaseOf } from "./state.js";

/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */
/** @typedef {import("../lib/signaling/protocol.js").Codec} Codec */
/** @typedef {import("../lib/signaling/protocol.js").Facing} Facing */
/** @typedef {import("../lib/signaling/protocol.js").Priority} Priority */
/** @typedef {import("../lib/page/settings.js").Choice} Choice */
/** @typedef {import("../lib/page/settings.js").Presets} Presets */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./errors.js").ErrorKind} ErrorKind */
/** @typedef {import("./reports.js").Reports} Reports */
/** @typedef {import("../lib/media/peer.js").Peer} Peer */
/** @typedef {import("./room.js").Room} Room */

/** From this attempt on, a socket that never opened counts as blocked: one failure may be a slow start. */
const BLOCKED_ATTEMPT = 2;

/** After so many failed attempts to get the camera back, the page asks the person for help. */
const LONG_OUTAGE = 4;

const RESTORED = "That camera could not be opened. This is the one you had before.";

/** How many of the things that receivers did are shown. */
const MAX_DEEDS = 3;

/** When the cameras are listed, in milliseconds: it takes the browser a while, and the first picture comes first. */
const LISTING_DELAY = 1_000;

export class Session {
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
  /** @type {Promise<Reports> | null} */
  #reports = null;
  #delivers;

  /**
   * @param {object} options
   * @param {Room} options.room
   * @param {Presets} options.presets
   * @param {import("../lib/page/view.js").View<State>} options.view
   * @param {(track: MediaStreamTrack) => Promise<boolean>} options.delivers whether a track produces pictures
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

  /** The state of the connection to the server, for the connection check. */
  get signaling() {
    return this.#room.signaling.status;
  }

  /** Connect at once, when there is reason to think that it works again. */
  reconnect() {
    if (this.#view.state.signaling === "lost") {
      this.#room.signaling.open();
    }
  }

  /** Take part in the room from now on; the camera may follow later. */
  join() {
    this.#room.listen({
      registered: () => this.#registered(),
      arrived: (id) => this.#tell(id),
      counted: () => this.#counted(),
      control: (settings, from) => void this.#control(settings, from),
      told: (peer, text) => void this.#hear(peer, text),
      refused: (code, sentence, final) => this.#refused(code, sentence, final),
      reconnecting: (attempt) => this.#reconnecting(attempt),
    });
  }

  /** Begin, or begin again, because a person asked for it. */
  async start() {
    const { run, error } = this.#view.state;
    if (run === "stopped" || error !== null) {
      this.#update({ signaling: "connecting", error: null });
      this.#room.signaling.open();
    }
    await this.begin();
  }

  /**
   * Open the camera and send it, while the connections to the receivers are being made. An error on the screen stays.
   * @param {Promise<MediaStreamTrack>} [opening] of the chosen camera, if it has begun already
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
   * Show an error's screen, and release everything until the next `start`.
   * @param {ErrorKind} error
   */
  fail(error) {
    this.#leave();
    this.#update({ error });
  }

  /** Switch to the camera on the other side of the phone, or to the next one if the sides are not known. */
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

  /** @param {string} preset its name in the configuration; unknown names are ignored */
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

  /** @param {boolean} allowed whether receivers may control the camera from now on */
  setControl(allowed) {
    rememberControl(allowed);
    this.#update({ control: allowed, deeds: [] });
  }

  /** The person has seen what receivers did. */
  dismissDeeds() {
    this.#update({ deeds: [] });
  }

  /** @param {boolean} hidden whether the page is in the background */
  async setHidden(hidden) {
    this.#update({ hidden });
    this.#send();
    if (!hidden) {
      this.reconnect();
      this.#microphone.check();
      await this.#camera.check();
    }
  }

  /** Try at once to get back a camera that is interrupted. */
  retryCamera() {
    this.#camera.retry();
  }

  /** The connections to those that get the video, to compare words. */
  async connections() {
    const outcomes = await this.#room.receivers.outcomes();
    return outcomes.flatMap(({ peer: { connection }, visitor }) =>
      connection ? [{ label: titleOf(visitor), connection }] : [],
    );
  }

  /**
   * The module that answers is loaded when a receiver first asks, so that the first picture does not wait for it.
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
    // The last state may have been lost with the connection.
    this.#told = "";
    const { error } = this.#view.state;
    this.#update({ signaling: "registered", blocked: false, error: passes(error) ? null : error });
  }

  /**
   * @param {ControlSettings} settings
   * @param {string} [from] the receiver that asks; left out where there is only one
   */
  async #control(settings, from) {
    if (!this.#view.state.camera) {
      return;
    }
    const visitor = this.#room.receivers.visitor(from);
    if (visitor && this.#view.state.control) {
      await this.#obey(settings, titleOf(visitor));
    }
    this.#told = "";
    this.#tell();
  }

  /**
   * @param {ControlSettings} settings
   * @param {string} who asks for them
   */
  async #obey(settings, who) {
    const { preset, facing, microphone, priority, codec } = settings;
    this.#note(deedOf(who, settings, this.#view.state, this.#presets));
    if (priority === "sharp" || priority === "smooth") {
      this.setPriority(priority);
    }
    if (codec !== undefined && this.#view.state.codecs.includes(codec)) {
      this.setCodec(codec);
    }
    if (microphone === false) {
      await this.setMicrophone(false);
    } else if (microphone === true && !this.#view.state.microphone) {
      // Nobody may be listened to who has not agreed to it here.
      this.#update({
        notice: `${who} would like to hear you. If you agree, turn on the microphone here.`,
      });
    }
    if (typeof preset === "string") {
      await this.selectPreset(preset);
    }
    const known = facing === "user" || facing === "environment";
    if (known && facing !== this.#view.state.actual?.facing) {
      await this.#face(facing);
    }
  }

  /** @param {string} deed what a receiver does to the camera, or "" */
  #note(deed) {
    if (deed !== "") {
      const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      const deeds = [...this.#view.state.deeds, `${time} ${deed}`];
      this.#update({ deeds: deeds.slice(-MAX_DEEDS) });
    }
  }

  /**
   * @param {string} code
   * @param {string} sentence
   * @param {boolean} final
   */
  #refused(code, sentence, final) {
    console.warn(`The server refused (${code}): ${sentence}`);
    const error = refusalKind(code);
    if (error && final) {
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

  /** @param {Partial<Choice>} values those that change */
  async #change(values) {
    const choice = { ...this.#view.state.choice, ...values };
    this.#update({ choice, notice: "" });
    await this.#camera.change(choice);
  }

  /** @param {Partial<Choice>} values another size or frame rate, which the phone may be fast enough for */
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

  /** A camera is open, or has new settings: send it, and show its real settings. */
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

  /** @param {number} failures failed attempts to get it back */
  #interrupted(failures) {
    this.#update({ outage: failures < LONG_OUTAGE ? "short" : "long" });
    this.#send();
  }

  /** Send what is to be sent: nothing while the receivers are told that the video is paused. */
  #send() {
    const pause = pauseOf(this.#view.state);
    const { receivers } = this.#room;
    receivers.setTrack("video", pause === null ? this.#camera.track : null);
    receivers.setTrack("audio", pause === "hidden" ? null : this.#microphone.track);
  }

  /** @param {Partial<State>} changes that the limits depend on */
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

  /** @param {Partial<State>} changes */
  #update(changes) {
    const next = { ...this.#view.state, ...changes };
    this.#view.set({ ...changes, phase: phaseOf(next) });
    this.#tell();
  }

  /**
   * Tell all receivers what the camera does, if that is news; or tell one receiver in any case.
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
  const { Reports } = await import("./reports.js");
  return new Reports(() => document.querySelector("video"));
}
