/**
 * What a page starts with: the link's fragment, and the video presets, which the server writes into the page as
 * `<meta name="lenscast:video" content="JSON">`.
 */

/**
 * @typedef {object} Preset
 * @property {string} label
 * @property {number} width in pixels
 * @property {number} height in pixels
 * @property {number} frameRate in frames per second
 * @property {number} maxBitrate in bits per second
 */

/** @typedef {{ presets: Record<string, Preset>, default: string }} Presets */

/**
 * What a person chose: wishes for the camera, and the name of their preset; null for other values.
 * @typedef {import("../media/media.js").CameraWish & { preset: string | null }} Choice
 */

/**
 * Read the presets from the page's head.
 * @returns {Presets}
 * @throws {SyntaxError | TypeError} if the server has not filled them in
 */
export function readPresets() {
  const meta = document.querySelector('meta[name="lenscast:video"]');
  if (!(meta instanceof HTMLMetaElement)) {
    throw new TypeError("The page has no video presets.");
  }
  return JSON.parse(meta.content);
}

/**
 * What the camera is opened with until a person chooses something else.
 * @param {Presets} known
 * @returns {Choice}
 */
export function firstChoice({ presets, default: preset }) {
  const { width, height, frameRate } = presets[preset];
  return { facing: "environment", width, height, frameRate, preset };
}

/**
 * The limits of what is sent at first.
 * @param {Presets} known
 * @returns {import("../media/video.js").VideoLimits}
 */
export function firstLimits({ presets, default: preset }) {
  const { maxBitrate, frameRate } = presets[preset];
  return { maxBitrate, maxFramerate: frameRate };
}

/**
 * The bitrate limit for settings that are no preset: between two presets, interpolated by the pixels per second;
 * outside of them, in proportion to the nearest.
 * @param {{ width: number, height: number, frameRate: number }} settings
 * @param {Presets} presets
 * @returns {number} in bits per second
 */
export function bitrateFor(settings, presets) {
  const wanted = pixelRate(settings);
  const known = Object.values(presets.presets)
    .map((preset) => ({ rate: pixelRate(preset), bitrate: preset.maxBitrate }))
    .sort((a, b) => a.rate - b.rate);
  const above = known.findIndex((point) => point.rate >= wanted);
  if (above <= 0) {
    const edge = above === 0 ? known[0] : known[known.length - 1];
    return Math.round((edge.bitrate * wanted) / edge.rate);
  }
  const [low, high] = [known[above - 1], known[above]];
  const share = (wanted - low.rate) / (high.rate - low.rate);
  return Math.round(low.bitrate + share * (high.bitrate - low.bitrate));
}

/** @param {{ width: number, height: number, frameRate: number }} settings */
function pixelRate({ width, height, frameRate }) {
  return width * height * frameRate;
}

/**
 * Read a link's fragment: `#ROOM.KEY`, `#ROOM` or nothing.
 * @param {string} hash such as `location.hash`
 * @returns {{ room?: string, key?: string }}
 */
export function readFragment(hash) {
  const text = hash.replace(/^#/, "");
  if (text === "") {
    return {};
  }
  const dot = text.indexOf(".");
  if (dot < 0) {
    return { room: text };
  }
  const key = text.slice(dot + 1);
  return key === "" ? { room: text.slice(0, dot) } : { room: text.slice(0, dot), key };
}

/**
 * Read the link of this page, and take its key out of the address bar, where others could see or copy it. A reload finds
 * the key in the tab's session storage. Nothing is kept for longer: another program may use this address tomorrow.
 * @returns {{ room?: string, key?: string }}
 */
export function takeLink() {
  const link = readFragment(location.hash);
  const name = `lenscast:${location.pathname}`;
  try {
    if (link.key === undefined) {
      const kept = JSON.parse(sessionStorage.getItem(name) ?? "{}");
      return link.room === undefined || link.room === kept.room ? kept : link;
    }
    sessionStorage.setItem(name, JSON.stringify(link));
  } catch (error) {
    // The browser keeps nothing for this page, so the key has to stay where it is.
    console.warn(`The key stays in the address: ${error}`);
    return link;
  }
  history.replaceState(history.state, "", `${location.pathname}${location.search}#${link.room}`);
  return link;
}
