/**
 * The toolbar over the video: its buttons, their keys, and when it hides. What a button does is up to the page.
 */

import { byId, mirror, show, text } from "../lib/page/view.js";
import { wordsPossible } from "../lib/words/opener.js";

/**
 * @typedef {object} ToolbarActions
 * @property {() => void} mirror
 * @property {() => void} rotate
 * @property {() => void} pip
 * @property {() => void} fullscreen
 * @property {() => void} stats
 * @property {() => void} detail show all figures, or only the first few
 * @property {() => void} unmute
 * @property {() => void} invite
 * @property {() => void} words
 */

/**
 * @typedef {object} ToolbarState
 * @property {boolean} visible whether there is a camera
 * @property {boolean} playing whether a picture is shown, which the toolbar would cover
 * @property {boolean} mirrored
 * @property {number} turns quarter turns clockwise
 * @property {boolean} stats whether the figures are shown
 * @property {boolean} sound whether there is sound to switch on or off
 * @property {boolean} unmuted
 */

/** How long the pointer must not move before the toolbar hides, in milliseconds. */
const IDLE_AFTER = 3000;

/** @type {Record<string, string>} the button's id for each key; the tooltips name the keys */
const KEYS = {
  f: "fullscreen",
  m: "mirror",
  r: "rotate",
  p: "pip",
  s: "stats-toggle",
  u: "unmute",
  c: "words-open",
};
/** With the shift key. */
const DETAIL_KEY = "s";

export class Toolbar {
  #root = byId("toolbar", HTMLElement);
  #timer = 0;
  #playing = false;
  #actions;

  /** @param {ToolbarActions} actions */
  constructor(actions) {
    this.#actions = actions;
    button("mirror").addEventListener("click", actions.mirror);
    button("rotate").addEventListener("click", actions.rotate);
    button("pip").addEventListener("click", actions.pip);
    button("fullscreen").addEventListener("click", actions.fullscreen);
    button("stats-toggle").addEventListener("click", actions.stats);
    button("unmute").addEventListener("click", actions.unmute);
    button("invite").addEventListener("click", actions.invite);
    button("words-open").addEventListener("click", actions.words);
    show(button("words-open"), wordsPossible());
    show(button("pip"), document.pictureInPictureEnabled === true);
    show(button("fullscreen"), document.fullscreenEnabled === true);
    this.#listen();
  }

  #listen() {
    document.addEventListener("keydown", (event) => this.#key(event));
    for (const type of ["pointermove", "pointerdown", "keydown", "focusin"]) {
      document.addEventListener(type, () => this.#wake(), { passive: true });
    }
    document.addEventListener("fullscreenchange", () =>
      press("fullscreen", document.fullscreenElement !== null),
    );
    // These two bubble up from the video.
    document.addEventListener("enterpictureinpicture", () => press("pip", true));
    document.addEventListener("leavepictureinpicture", () => press("pip", false));
  }

  /** @param {ToolbarState} state */
  render({ visible, playing, mirrored, turns, stats, sound, unmuted }) {
    show(this.#root, visible);
    press("mirror", mirrored);
    press("rotate", turns > 0);
    press("stats-toggle", stats);
    show(button("unmute"), sound);
    // Its name changes, so it has no pressed state: "Mute, pressed" would say the opposite (ARIA APG, Button Pattern).
    mirror(button("unmute"), "sound", unmuted ? "on" : "off");
    text(byId("unmute-text", HTMLElement), unmuted ? "Mute" : "Unmute");
    button("unmute").title = unmuted ? "Mute (u)" : "Unmute (u)";
    if (playing !== this.#playing) {
      this.#playing = playing;
      this.#wake();
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const typing =
      event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
    const { ctrlKey, metaKey, altKey, repeat } = event;
    if (ctrlKey || metaKey || altKey || repeat || typing || this.#root.hidden) {
      return;
    }
    const key = event.key.toLowerCase();
    if (event.shiftKey && key === DETAIL_KEY) {
      this.#actions.detail();
    } else if (key in KEYS && !button(KEYS[key]).hidden) {
      button(KEYS[key]).click();
    }
  }

  #wake() {
    mirror(document.documentElement, "idle", null);
    clearTimeout(this.#timer);
    if (this.#playing) {
      this.#timer = setTimeout(() => this.#rest(), IDLE_AFTER);
    }
  }

  #rest() {
    if (this.#inUse()) {
      this.#wake();
    } else {
      mirror(document.documentElement, "idle", "");
    }
  }

  #inUse() {
    const focused = document.activeElement;
    const inside = focused !== null && this.#root.contains(focused);
    return (
      this.#root.matches(":hover") ||
      document.querySelector("dialog[open]") !== null ||
      (inside && (focused.matches(":focus-visible") || focused instanceof HTMLSelectElement))
    );
  }
}

/** @param {string} id */
function button(id) {
  return byId(id, HTMLButtonElement);
}

/**
 * @param {string} id
 * @param {boolean} pressed
 */
function press(id, pressed) {
  button(id).setAttribute("aria-pressed", String(pressed));
}
