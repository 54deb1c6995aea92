/**
 * The sender page's microphone: off at first, released whenever it is off, and got back after an interruption. Knows
 * neither the page nor peers.
 */

import { MediaError, openMicrophone } from "../lib/media/media.js";
import { Retry } from "../lib/media/retry.js";

const REFUSED = "The browser does not allow this page to use the microphone.";
const BUSY = "The microphone could not be opened.";
const INTERRUPTED =
  "A call or another app is using the microphone. It will be back when that is over.";

export class Microphone {
  #handlers;
  #on = false;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #generation = 0;
  #retry = new Retry({
    attempt: () => this.#attempt(),
    failed: () => this.#handlers.told(INTERRUPTED),
  });

  /**
   * @param {object} handlers
   * @param {() => void} handlers.changed it was switched on or off, or has another track
   * @param {(sentence: string) => void} handlers.told what is wrong, or "" when it is over
   */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Whether it is switched on; it stays so while it is interrupted. */
  get on() {
    return this.#on;
  }

  /** The track to send. */
  get track() {
    return this.#track;
  }

  /** Open it. Does not reject: reports what is wrong. */
  async open() {
    this.close();
    const generation = this.#generation;
    const error = await this.#take();
    if (error && generation === this.#generation) {
      this.#handlers.told(error.kind === "camera-refused" ? REFUSED : BUSY);
    }
  }

  /** The page is visible again: reopen it if the system has taken it away. */
  check() {
    if (this.#track && (this.#track.readyState !== "live" || this.#track.muted)) {
      this.#lost();
    }
  }

  /** Release it. May be called more than once. */
  close() {
    this.#generation += 1;
    this.#retry.stop();
    this.#drop();
    if (this.#on) {
      this.#on = false;
      this.#handlers.changed();
    }
  }

  #lost() {
    this.#drop();
    this.#handlers.changed();
    this.#retry.start();
  }

  /** @returns {Promise<boolean>} whether there is nothing more to try */
  async #attempt() {
    const generation = this.#generation;
    const error = await this.#take();
    if (generation !== this.#generation) {
      return true;
    }
    if (error?.kind === "camera-refused") {
      this.close();
      this.#handlers.told(REFUSED);
      return true;
    }
    if (!error) {
      this.#handlers.told("");
    }
    return error === null;
  }

  /** @returns {Promise<MediaError | null>} why it could not be opened */
  async #take() {
    const generation = this.#generation;
    try {
      const track = await openMicrophone();
      if (generation !== this.#generation) {
        track.stop();
        return null;
      }
      track.onended = () => this.#lost();
      this.#track = track;
      this.#on = true;
      this.#handlers.changed();
      return null;
    } catch (error) {
      if (!(error instanceof MediaError)) {
        throw error;
      }
      console.warn("Microphone:", error, error.cause);
      return error;
    }
  }

  #drop() {
    if (this.#track) {
      this.#track.onended = null;
      this.#track.stop();
      this.#track = null;
    }
  }
}
