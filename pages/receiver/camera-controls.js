/**
 * Control of a phone's camera from the laptop: its quality, what it keeps up when there is too little
 * for all, and which of its cameras. Imports presets and
 * the DOM helpers of view.
 */

import { readPresets } from "../lib/page/settings.js";
import { byId, show } from "../lib/page/view.js";

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */
/** @typedef {import("../lib/signaling/protocol.js").ControlSettings} ControlSettings */

/** What stands for settings that are none of the presets. */
const CUSTOM = "";

export class CameraControls {
  #group = byId("camera-controls", HTMLElement);
  #quality = byId("quality", HTMLSelectElement);
  #priority = byId("priority", HTMLSelectElement);
  #known = readPresets().presets;
  #offered = "";
  /** @type {CameraState | null} */
  #camera = null;
  /** Whether the camera said something that is not shown yet, because a person is choosing. */
  #missed = false;

  /** @param {(settings: ControlSettings) => void} control */
  constructor(control) {
    this.#listen(this.#quality, (preset) => control({ preset }));
    this.#listen(this.#priority, (value) =>
      control({ priority: value === "sharp" ? "sharp" : "smooth" }),
    );
    byId("flip-camera", HTMLButtonElement).addEventListener("click", () =>
      control({ facing: this.#camera?.facing === "user" ? "environment" : "user" }),
    );
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {(value: string) => void} choose
   */
  #listen(select, choose) {
    // Chromium's :focus-visible does not tell: it matches a select that was clicked, too.
    let clicked = false;
    select.addEventListener("pointerdown", () => (clicked = true));
    select.addEventListener("keydown", () => (clicked = false));
    select.addEventListener("change", () => {
      this.#missed = false;
      choose(select.value);
      // After a click the letters of the shortcuts would go on choosing entries. A keyboard is not done yet: on Windows
      // and Linux each arrow key chooses.
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

  /** @param {CameraState | null} camera that of the chosen sender; null before it said anything */
  render(camera) {
    const choosing = [this.#quality, this.#priority].some((it) => it === document.activeElement);
    this.#missed = choosing && (this.#missed || camera !== this.#camera);
    this.#camera = camera;
    show(this.#group, camera !== null);
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
