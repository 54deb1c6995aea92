/**
 * Control of a phone's camera from the laptop: its quality, what it keeps up when there is too little
 * for all, and which of its cameras. Imports presets and
 * the DOM helpers of view.
 */

import { readPresets } from "./settings.js";
import { byId, show } from "./view.js";

/** @typedef {import("./protocol.js").CameraState} CameraState */
/** @typedef {import("./protocol.js").ControlSettings} ControlSettings */

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

  /** @param {(settings: ControlSettings) => void} control */
  constructor(control) {
    this.#quality.addEventListener("change", () => {
      control({ preset: this.#quality.value });
      // Otherwise the letters of the shortcuts would go on choosing entries.
      this.#quality.blur();
    });
    this.#priority.addEventListener("change", () => {
      control({ priority: this.#priority.value === "sharp" ? "sharp" : "smooth" });
      this.#priority.blur();
    });
    byId("flip-camera", HTMLButtonElement).addEventListener("click", () =>
      control({ facing: this.#camera?.facing === "user" ? "environment" : "user" }),
    );
  }

  /** @param {CameraState | null} camera that of the chosen sender; null before it said anything */
  render(camera) {
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
