/**
 * The one camera that the sender page has open: changes it while it is live, and gets it back when a call or another
 * app has taken it. Knows neither the page nor peers.
 */

import {
  cameraConstraints,
  cameraPermission,
  facingOf,
  MediaError,
  openCamera,
} from "../lib/media/media.js";
import { Retry } from "../lib/media/retry.js";

/** @typedef {import("../lib/media/media.js").CameraWish} CameraWish */
/** @typedef {import("../lib/media/media.js").MediaErrorKind} MediaErrorKind */
/** @typedef {import("../lib/signaling/protocol.js").Facing} Facing */
/** @typedef {import("../lib/page/settings.js").Choice} Choice */

/**
 * @typedef {object} Actual The real settings of the open camera, in pixels and frames per second.
 * @property {number} width
 * @property {number} height
 * @property {number} frameRate
 * @property {Facing} [facing]
 * @property {string} [deviceId]
 * @property {string} label
 */

/** How long a track may stay muted before its camera is opened again, in milliseconds. */
const UNMUTE_TIMEOUT = 1_000;

/**
 * @typedef {object} CameraHandlers
 * @property {() => void} opened a camera is open, or the open one has new settings
 * @property {(failures: number) => void} interrupted it gives no picture any more, and is opened again until it does;
 *   how many attempts have failed
 * @property {(track: MediaStreamTrack) => Promise<boolean>} delivers whether a track produces pictures
 * @property {(choice: Choice) => void} restored the newest choice could not be opened, the one before is back
 * @property {(kind: MediaErrorKind) => void} failed no camera could be opened
 */

export class Camera {
  #handlers;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {Choice | null} that of the open track */
  #choice = null;
  /** @type {Choice | null} the newest */
  #wanted = null;
  #busy = false;
  /** Grows with every `close`, so that a camera that opens too late is noticed. */
  #generation = 0;
  /** @type {MediaStreamTrack | null} one that gave no new frames although it was live */
  #still = null;
  #retry = new Retry({
    attempt: () => this.#attempt(),
    failed: (failures) => this.#handlers.interrupted(failures),
  });

  /** @param {CameraHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  get track() {
    return this.#track;
  }

  /** Whether a change is being made. */
  get busy() {
    return this.#busy;
  }

  /**
   * Open a camera. Closes the open one first, because many phones cannot use two at once.
   * @param {Choice} choice
   * @param {Promise<MediaStreamTrack>} [opening] of this choice, if it has begun already
   */
  async open(choice, opening) {
    this.close();
    this.#wanted = choice;
    const failure = await this.#work(() => this.#replace(choice, opening));
    if (failure) {
      this.#handlers.failed(failure.kind);
    }
  }

  /**
   * Change the open camera. If more changes are asked for meanwhile, the newest counts.
   * @param {Choice} choice
   */
  async change(choice) {
    this.#wanted = choice;
    if (this.#retry.running) {
      this.#retry.now();
    } else if (!this.#busy && this.#track && (await this.#work(() => this.#follow()))) {
      this.#interrupt();
    }
  }

  /** The page is visible again: reopen the camera if the system has taken it away. */
  async check() {
    const track = this.#track;
    if (!track || this.#busy || this.#retry.running) {
      return;
    }
    if (!flows(track)) {
      this.#interrupt();
    } else if (!(await this.#handlers.delivers(track)) && track === this.#track && !this.#busy) {
      this.#still = track;
      this.#interrupt();
    }
  }

  /** Try at once, if it is interrupted. */
  retry() {
    this.#retry.now();
  }

  /** Release the camera. May be called more than once. */
  close() {
    this.#generation += 1;
    this.#busy = false;
    this.#wanted = null;
    this.#retry.stop();
    this.#drop();
  }

  /** @returns {Actual | null} the real settings of the open camera */
  actual() {
    if (!this.#track) {
      return null;
    }
    const { width = 0, height = 0, frameRate = 0, deviceId } = this.#track.getSettings();
    const { label } = this.#track;
    const facing = facingOf(this.#track);
    return { width, height, frameRate: Math.round(frameRate), facing, deviceId, label };
  }

  /**
   * Do something that ends with an open camera, and report it. Does not reject if no camera can be opened.
   * @param {() => Promise<void>} work
   * @returns {Promise<MediaError | null>} why there is no camera
   */
  async #work(work) {
    const generation = this.#generation;
    /** @type {MediaError | null} */
    let failure = null;
    this.#busy = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof MediaError)) {
        throw error;
      }
      console.warn("Camera:", error, error.cause);
      failure = error;
    } finally {
      if (generation === this.#generation) {
        this.#busy = false;
      }
    }
    if (generation !== this.#generation || failure) {
      return generation === this.#generation ? failure : null;
    }
    this.#retry.stop();
    this.#handlers.opened();
    this.#lost();
    return null;
  }

  /** The open track ended or was muted: by a call, another app, a cable, or a permission that was withdrawn. */
  #lost() {
    if (this.#track && !this.#busy && !flows(this.#track)) {
      this.#interrupt();
    }
  }

  #interrupt() {
    if (!this.#retry.running) {
      this.#handlers.interrupted(0);
      this.#retry.start();
    }
  }

  /** @returns {Promise<boolean>} whether there is nothing more to try */
  async #attempt() {
    if (this.#busy) {
      return false;
    }
    const generation = this.#generation;
    const failure = await this.#work(() => this.#regain());
    if (failure?.kind === "camera-refused" && (await cameraPermission()) === "denied") {
      this.#handlers.failed(failure.kind);
      return true;
    }
    return failure === null || generation !== this.#generation;
  }

  /** @throws {MediaError} if it still gives no picture */
  async #regain() {
    const same = this.#wanted === this.#choice && this.#track !== this.#still;
    if (!same || !(await this.#works())) {
      if (this.#wanted) {
        await this.#replace(this.#wanted);
      }
      if (!(await this.#works())) {
        throw new MediaError("camera-busy", "The camera is open, but gives no picture.");
      }
    }
    await this.#follow();
  }

  async #works() {
    const track = this.#track;
    if (track?.readyState !== "live" || (track.muted && !(await unmuted(track)))) {
      return false;
    }
    return this.#handlers.delivers(track);
  }

  async #follow() {
    const generation = this.#generation;
    while (generation === this.#generation && this.#wanted && this.#wanted !== this.#choice) {
      await this.#changeTo(this.#wanted);
    }
  }

  /** @param {Choice} choice */
  async #changeTo(choice) {
    const before = this.#choice;
    if (before && sameLens(before, choice) && (await this.#adjust(choice))) {
      return;
    }
    try {
      await this.#replace(choice);
    } catch (error) {
      if (!before || !(error instanceof MediaError)) {
        throw error;
      }
      console.warn("The camera could not be changed:", error, error.cause);
      await this.#replace(before);
      if (this.#wanted === choice) {
        this.#wanted = before;
        this.#handlers.restored(before);
      }
    }
  }

  /**
   * @param {Choice} choice
   * @param {Promise<MediaStreamTrack>} [opening]
   */
  async #replace(choice, opening) {
    this.#drop();
    const generation = this.#generation;
    const track = await (opening ?? openCamera(choice));
    if (generation !== this.#generation) {
      track.stop();
      return;
    }
    track.onended = track.onmute = () => this.#lost();
    track.onunmute = () => this.#retry.now();
    this.#track = track;
    this.#choice = choice;
  }

  #drop() {
    if (this.#track) {
      this.#track.onended = this.#track.onmute = this.#track.onunmute = null;
      this.#track.stop();
      this.#track = null;
    }
  }

  /**
   * @param {Choice} choice
   * @returns {Promise<boolean>} false when the camera must be opened again for it
   */
  async #adjust(choice) {
    const track = this.#track;
    if (track?.readyState !== "live") {
      return false;
    }
    try {
      const { width, height, frameRate } = cameraConstraints(choice);
      await track.applyConstraints({ width, height, frameRate });
    } catch (error) {
      console.warn("The settings could not be applied to the open camera:", error);
      return false;
    }
    if (tooSmall(track, choice)) {
      return false;
    }
    this.#choice = choice;
    return true;
  }
}

/**
 * @param {CameraWish} a
 * @param {CameraWish} b
 */
function sameLens(a, b) {
  return a.deviceId === b.deviceId && (a.deviceId !== undefined || a.facing === b.facing);
}

/**
 * Whether the camera gives less than asked for although it can give more.
 * @param {MediaStreamTrack} track
 * @param {CameraWish} wish
 */
function tooSmall(track, wish) {
  const { width = 0, height = 0 } = track.getSettings();
  const able = track.getCapabilities?.();
  // For a phone held upright, width and height are exchanged.
  const most = Math.max(able?.width?.max ?? 0, able?.height?.max ?? 0);
  return Math.max(width, height) < Math.min(wish.width, most);
}

/** @param {MediaStreamTrack} track */
function flows({ readyState, muted }) {
  return readyState === "live" && !muted;
}

/** @param {MediaStreamTrack} track */
function unmuted(track) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), UNMUTE_TIMEOUT);
    track.addEventListener(
      "unmute",
      () => {
        clearTimeout(timer);
        resolve(true);
      },
      { once: true },
    );
  });
}
