/**
 * The sender page's microphone: off until it is asked for, got back when it was interrupted, released when it is off.
 * Imports media and sender-retry; knows neither the page nor peers.
 */

import { MediaError, openMicrophone } from "../lib/media/media.js";
import { Retry } from "./retry.js";

const REFUSED = "The microphone is not allowed for this page.";
const BUSY = "The microphone could not be opened.";
const INTERRUPTED = "A call or another app has the microphone. It comes back by itself.";

export class Microphone {
  #handlers;
  #on = false;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #generation = 0;
  #retry = new Retry({
    attempt: () => this.#attempt(),
    vain: () => this.#handlers.told(INTERRUPTED),
  });

  /**
   * @param {object} handlers
   * @param {() => void} handlers.changed it is on or off now, or has another track
   * @param {(sentence: string) => void} handlers.told what goes wrong, or "" when it does no more
   */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Whether it is switched on; interrupted, it is so still. */
  get on() {
    return this.#on;
  }

  /** What is to be sent. */
  get track() {
    return this.#track;
  }

  /** Open it; never rejects, what goes wrong is told. */
  async open() {
    this.close();
    const generation = this.#generation;
    const error = await this.#take();
    if (error && generation === this.#generation) {
      this.#handlers.told(error.kind === "camera-refused" ? REFUSED : BUSY);
    }
  }

  /** The page is in front again: open it anew if the system took it away meanwhile. */
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
