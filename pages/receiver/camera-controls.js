/**
 * Controls a phone's camera from the laptop: its quality, what matters more when the network or the phone is too slow,
 * and which of its cameras is used.
 */

import { readPresets } from "../lib/page/settings.js";
import { byId, show } from "../lib/page/view.js";

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */
/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */

/** The value that stands for settings which are no preset. */
const CUSTOM = "";

export class CameraControls {
  #group = byId("camera-controls", HTMLElement);
  #quality = byId("quality", HTMLSelectElement);
  #priority = byId("priority", HTMLSelectElement);
  #flip = byId("flip-camera", HTMLButtonElement);
  #known = readPresets().presets;
  #offered = "";
  /** @type {CameraState | null} */
  #camera = null;
  /** Whether the camera sent news that is not shown yet, because a person is choosing. */
  #missed = false;

  /** @param {(settings: ControlSettings) => void} control */
  constructor(control) {
    this.#listen(this.#quality, (preset) => control({ preset }));
    this.#listen(this.#priority, (value) =>
      control({ priority: value === "sharp" ? "sharp" : "smooth" }),
    );
    this.#flip.addEventListener("click", () =>
      control({ facing: this.#camera?.facing === "user" ? "environment" : "user" }),
    );
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {(value: string) => void} choose
   */
  #listen(select, choose) {
    // Chromium's :focus-visible is no help: it also matches a select that was clicked.
    let clicked = false;
    select.addEventListener("pointerdown", () => (clicked = true));
    select.addEventListener("keydown", () => (clicked = false));
    select.addEventListener("change", () => {
      this.#missed = false;
      choose(select.value);
      // After a click, the letters of the shortcuts would go on choosing entries. Somebody at the keyboard is not done
      // yet: on Windows and Linux each arrow key is a choice.
      if (clicked) {
        select.blur();
      }
    });
    select.addEventListener("blur", () => {
      if (this.#missed) {
        this.render(this.#camera);
      }
    });
  }

  /** @param {CameraState | null} camera of the selected phone; null hides the controls */
  render(camera) {
    const choosing = [this.#quality, this.#priority].some((it) => it === document.activeElement);
    this.#missed = choosing && (this.#missed || camera !== this.#camera);
    this.#camera = camera;
    show(this.#group, camera !== null);
    const allowed = camera?.control !== false;
    show(byId("control-refused", HTMLElement), !allowed);
    this.#flip.disabled = this.#quality.disabled = this.#priority.disabled = !allowed;
    const presets = camera?.presets ?? [];
    show(byId("quality-field", HTMLElement), presets.length > 0);
    this.#offer(presets);
    const priority = camera?.priority;
    show(byId("priority-field", HTMLElement), priority !== undefined);
    if (priority !== undefined && document.activeElement !== this.#priority) {
      this.#priority.value = priority;
    }
    const value = camera?.preset ?? CUSTOM;
    if (document.activeElement !== this.#quality) {
      this.#quality.value = presets.includes(value) ? value : CUSTOM;
    }
  }

  /** @param {string[]} presets */
  #offer(presets) {
    const offered = JSON.stringify(presets);
    if (offered === this.#offered) {
      return;
    }
    this.#offered = offered;
    const custom = new Option("Custom", CUSTOM);
    custom.hidden = true;
    this.#quality.replaceChildren(
      custom,
      ...presets.map((name) => new Option(this.#known[name]?.label ?? name, name)),
    );
  }
}
