/**
 * The one camera that the sender page has open, and changing it while it is live.
 * Imports media; knows neither the page nor peers.
 */

import { cameraConstraints, facingOf, MediaError, openCamera } from "./media.js";

/** @typedef {import("./media.js").CameraWish} CameraWish */
/** @typedef {import("./sender-state.js").Actual} Actual */

/** How long a muted track may take to come back before its camera is opened again, in milliseconds. */
const UNMUTE_TIMEOUT = 1_000;

export class Camera {
  #ended;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {CameraWish | null} */
  #wish = null;
  #generation = 0;

  /** @param {() => void} ended the track ended by itself: unplugged, taken away, forbidden */
  constructor(ended) {
    this.#ended = ended;
  }

  get track() {
    return this.#track;
  }

  /**
   * Open a camera; the one that is open is closed first, for many phones cannot have two.
   * @param {CameraWish} wish
   * @returns {Promise<boolean>} false when `close` or another `open` came in between
   * @throws {MediaError}
   */
  async open(wish) {
    this.close();
    const generation = this.#generation;
    const track = await openCamera(wish);
    if (generation !== this.#generation) {
      track.stop();
      return false;
    }
    track.onended = () => this.#ended();
    this.#track = track;
    this.#wish = wish;
    return true;
  }

  /**
   * Change the open camera: its settings where that is enough, else another one is opened.
   * @param {CameraWish} wish
   * @returns {Promise<boolean>} false when it failed and what was there before is back
   * @throws {MediaError} when what was there before cannot be had either
   */
  async change(wish) {
    const before = this.#wish;
    if (before && sameLens(before, wish) && (await this.#adjust(wish))) {
      return true;
    }
    try {
      await this.open(wish);
      return true;
    } catch (error) {
      if (!before || !(error instanceof MediaError)) {
        throw error;
      }
      console.warn("The camera could not be changed:", error);
      await this.open(before);
      return false;
    }
  }

  /**
   * Whether the track gives pictures, waiting a moment for one that the system muted.
   * @returns {Promise<boolean>}
   */
  async works() {
    const track = this.#track;
    if (!track || track.readyState === "ended") {
      return false;
    }
    return !track.muted || (await unmuted(track));
  }

  /** Release the camera. */
  close() {
    this.#generation += 1;
    if (this.#track) {
      this.#track.onended = null;
      this.#track.stop();
      this.#track = null;
    }
  }

  /** @returns {Actual | null} what the camera really gives */
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
   * @param {CameraWish} wish
   * @returns {Promise<boolean>} false when the camera must be opened again for it
   */
  async #adjust(wish) {
    const track = this.#track;
    if (track?.readyState !== "live") {
      return false;
    }
    try {
      const { width, height, frameRate } = cameraConstraints(wish);
      await track.applyConstraints({ width, height, frameRate });
    } catch (error) {
      console.warn("The settings could not be applied to the open camera:", error);
      return false;
    }
    if (tooSmall(track, wish)) {
      return false;
    }
    this.#wish = wish;
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
 * Whether the camera gives less than wished although it could give more.
 * @param {MediaStreamTrack} track
 * @param {CameraWish} wish
 */
function tooSmall(track, wish) {
  const { width = 0, height = 0 } = track.getSettings();
  const able = track.getCapabilities?.();
  // A phone held upright gives the same sizes with the sides exchanged.
  const most = Math.max(able?.width?.max ?? 0, able?.height?.max ?? 0);
  return Math.max(width, height) < Math.min(wish.width, most);
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
