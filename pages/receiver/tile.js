/**
 * One camera's place in the grid: its video, its label, its note, its sound.
 */

import { show, text } from "../lib/page/view.js";

/** @typedef {import("./texts.js").Note} Note */

/**
 * @typedef {object} TileHandlers
 * @property {() => void} picture the first frame of a stream is there, or the picture has a new size
 * @property {() => void} select a person chose this tile
 * @property {() => void} sound was switched on or off, started or ended
 */

/** @typedef {{ mirrored: boolean, turns: number }} Orientation `turns`: quarter turns clockwise */

export class Tile {
  #handlers;
  #parts;
  #stream = new MediaStream();
  #picture = false;
  /** @type {Orientation} */
  #orientation = { mirrored: false, turns: 0 };

  /**
   * @param {HTMLTemplateElement} template
   * @param {string} id the peer's
   * @param {TileHandlers} handlers
   */
  constructor(template, id, handlers) {
    this.#handlers = handlers;
    this.root = find(document.importNode(template.content, true), ".tile", HTMLElement);
    this.root.dataset.peer = id;
    this.#parts = {
      note: find(this.root, ".tile-note", HTMLElement),
      noteTitle: find(this.root, ".tile-note-title", HTMLElement),
      noteText: find(this.root, ".tile-note-text", HTMLElement),
      notice: find(this.root, ".tile-notice", HTMLElement),
      play: find(this.root, ".tile-play", HTMLButtonElement),
      name: find(this.root, ".tile-name", HTMLButtonElement),
      mute: find(this.root, ".tile-mute", HTMLButtonElement),
    };
    this.video = find(this.root, "video", HTMLVideoElement);
    this.stats = find(this.root, ".stats", HTMLElement);
    // The attribute alone does not mute a cloned element in every browser.
    this.video.muted = true;
    this.#listen();
  }

  #listen() {
    const { play, mute } = this.#parts;
    this.root.addEventListener("click", this.#handlers.select);
    this.video.addEventListener("resize", this.#handlers.picture);
    play.addEventListener("click", () => this.play());
    // A person may pause it from the small window of picture in picture.
    this.video.addEventListener("pause", () => show(play, true));
    this.video.addEventListener("play", () => show(play, false));
    mute.addEventListener("click", () => this.setMuted(!this.video.muted));
  }

  /** Whether a frame of the current stream has been shown. */
  get picture() {
    return this.#picture;
  }

  get orientation() {
    return this.#orientation;
  }

  /** Whether sound may be arriving. */
  get audible() {
    return this.#stream
      .getAudioTracks()
      .some((track) => track.readyState === "live" && !track.muted);
  }

  /** Width divided by height of the picture on the screen; 16:9 while there is none. */
  get aspect() {
    const { videoWidth, videoHeight } = this.video;
    const aspect = videoHeight > 0 ? videoWidth / videoHeight : 16 / 9;
    return this.#orientation.turns % 2 === 0 ? aspect : 1 / aspect;
  }

  /**
   * Show a track, in place of one of the same kind.
   * @param {MediaStreamTrack} track
   */
  attach(track) {
    const kept = this.#stream.getTracks().filter((other) => other.kind !== track.kind);
    if (track.kind === "video") {
      this.#stream = new MediaStream([track, ...kept]);
      this.#picture = false;
      this.video.srcObject = this.#stream;
      this.#awaitFrame(this.#stream);
      this.play();
    } else {
      this.#stream.getAudioTracks().forEach((old) => this.#stream.removeTrack(old));
      this.#stream.addTrack(track);
      track.addEventListener("mute", this.#handlers.sound);
      track.addEventListener("unmute", this.#handlers.sound);
      this.#handlers.sound();
    }
  }

  /** @param {MediaStream} stream */
  #awaitFrame(stream) {
    const seen = () => {
      if (stream === this.#stream) {
        this.#picture = true;
        this.#handlers.picture();
      }
    };
    if ("requestVideoFrameCallback" in this.video) {
      this.video.requestVideoFrameCallback(seen);
    } else {
      /** @type {HTMLVideoElement} */ (this.video).addEventListener("loadeddata", seen, {
        once: true,
      });
    }
  }

  /** Play with sound if the browser allows it, else without, else when a person clicks. */
  async play() {
    show(this.#parts.play, false);
    try {
      await this.video.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") {
        // Another stream has replaced this one, and calls play() itself.
        return;
      }
      if (this.video.muted) {
        show(this.#parts.play, true);
        return;
      }
      this.setMuted(true);
      await this.play();
    }
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.video.muted = muted;
    this.#handlers.sound();
  }

  /** @param {Partial<Orientation>} change */
  orient(change) {
    this.#orientation = { ...this.#orientation, ...change };
    this.#orientation.turns %= 4;
    this.root.dataset.turns = String(this.#orientation.turns);
    this.root.toggleAttribute("data-mirrored", this.#orientation.mirrored);
  }

  /**
   * @param {object} shown
   * @param {string} shown.label
   * @param {Note | null} shown.note
   * @param {string} shown.notice a sentence from the phone, or ""
   * @param {boolean} shown.sound whether there is sound to switch on or off
   */
  render({ label, note, notice, sound }) {
    const { name, mute, ...parts } = this.#parts;
    text(name, label);
    this.video.setAttribute("aria-label", label);
    this.stats.setAttribute("aria-label", `Statistics of ${label}`);
    this.root.toggleAttribute("data-picture", this.#picture);
    this.root.toggleAttribute("data-dimmed", note !== null && this.#picture);
    this.root.toggleAttribute("data-busy", note?.busy === true);
    show(parts.note, note !== null);
    text(parts.noteTitle, note?.title ?? "");
    text(parts.noteText, note?.text ?? "");
    show(parts.notice, notice !== "" && note === null);
    text(parts.notice, notice);
    show(mute, sound);
    mute.setAttribute("aria-pressed", String(!this.video.muted));
  }

  /**
   * @param {boolean} selected
   * @param {boolean} choice whether there are others to choose from
   */
  setSelected(selected, choice) {
    this.root.toggleAttribute("data-selected", selected && choice);
    this.#parts.name.disabled = !choice;
    this.#parts.name.setAttribute("aria-pressed", String(selected));
    this.#parts.name.title = choice ? "Use the toolbar for this camera" : "";
  }

  /** Take it off the page, and its last frame with it. */
  remove() {
    this.video.srcObject = null;
    this.root.remove();
  }
}

/**
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
function find(parent, selector, kind) {
  const element = parent.querySelector(selector);
  if (!(element instanceof kind)) {
    throw new TypeError(`The template has no ${kind.name} at "${selector}".`);
  }
  return element;
}
