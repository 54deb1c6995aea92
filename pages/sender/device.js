/**
 * What this device is called, as far as its browser says, so that several phones can be told apart.
 */

/** The longest name that the server takes (docs/protocol.md). */
const MAX_NAME = 64;

/** @typedef {{ getHighEntropyValues?: (hints: string[]) => Promise<{ model?: string }> }} UserAgentData TypeScript lacks it. */

export class Device {
  #model = "";

  constructor() {
    /** Settles once the browser has told the model, or has said that it does not. */
    this.asked = this.#ask();
  }

  /**
   * The name that is known by now: Chrome tells the model a moment after it was asked.
   * @returns {string | undefined} such as "Pixel 8" or "iPhone"; undefined if the browser does not say
   */
  get name() {
    return (this.#model || modelIn(navigator))?.slice(0, MAX_NAME);
  }

  async #ask() {
    const { userAgentData } = /** @type {{ userAgentData?: UserAgentData }} */ (navigator);
    try {
      this.#model = (await userAgentData?.getHighEntropyValues?.(["model"]))?.model ?? "";
    } catch (error) {
      // A browser may refuse to say more than its user agent does.
      console.warn("Model:", error);
    }
  }
}

/**
 * @param {{ userAgent: string, maxTouchPoints: number }} device such as `navigator`
 * @returns {"iPhone" | "iPad" | "iPod" | undefined}
 */
export function appleDevice({ userAgent, maxTouchPoints }) {
  const [named] = /iPhone|iPad|iPod/.exec(userAgent) ?? [];
  // An iPad says that it is a Macintosh, but no Macintosh has a touch screen.
  const disguised = userAgent.includes("Macintosh") && maxTouchPoints > 1;
  return /** @type {"iPhone" | "iPad" | "iPod" | undefined} */ (
    named ?? (disguised ? "iPad" : undefined)
  );
}

/**
 * @param {{ userAgent: string, maxTouchPoints: number }} device such as `navigator`
 * @returns {string | undefined}
 */
export function modelIn(device) {
  // Android's browsers write "Linux; Android 14; Pixel 8 Build/UD1A)"; Chrome itself says "K" for every model.
  const [, model] = /Android [\d.]+; ([^;)]+?)(?: Build\/[^;)]*)?[;)]/.exec(device.userAgent) ?? [];
  const says = model !== undefined && !["K", "Mobile", "Tablet"].includes(model);
  return says ? model : appleDevice(device);
}
