/**
 * The sender page's microphone: off until it is asked for, released when it is off.
 * Imports media; knows neither the page nor peers.
 */

import { MediaError, openMicrophone } from "./media.js";

export class Microphone {
  #handlers;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #generation = 0;

  /**
   * @param {object} handlers
   * @param {(track: MediaStreamTrack | null) => void} handlers.changed it is open, or closed
   * @param {(sentence: string) => void} handlers.failed it could not be opened
   */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Open it; never rejects, what goes wrong is told to `failed`. */
  async open() {
    this.close();
    const generation = this.#generation;
    try {
      const track = await openMicrophone();
      if (generation !== this.#generation) {
        track.stop();
        return;
      }
      track.onended = () => this.close();
      this.#track = track;
      this.#handlers.changed(track);
    } catch (error) {
      console.warn("Microphone:", error);
      this.#handlers.failed(sentence(error));
    }
  }

  /** Release it. May be called more than once. */
  close() {
    this.#generation += 1;
    if (this.#track) {
      this.#track.onended = null;
      this.#track.stop();
      this.#track = null;
      this.#handlers.changed(null);
    }
  }
}

/** @param {unknown} error */
function sentence(error) {
  if (error instanceof MediaError && error.kind === "camera-refused") {
    return "The microphone is not allowed for this page.";
  }
  return "The microphone could not be opened.";
}
