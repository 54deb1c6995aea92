/**
 * What the receiver page and the viewer page say to a person, and when.
 */

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */

/** @typedef {"bad-link" | "room-full" | "server-full" | "server-gone" | "replaced" | "no-room" | "removed" | "ended" | "link-ended" | "no-webrtc"} Problem */

/** @typedef {{ title: string, text: string, advice: string }} ProblemText */

/** @typedef {{ title: string, text: string, busy: boolean }} Note `busy`: it may pass by itself */

/** @type {Record<Problem, ProblemText>} */
export const PROBLEMS = {
  "bad-link": {
    title: "This link does not work",
    text: "Its key is wrong, or it is for another server.",
    advice: "Copy the receiver link again from the terminal where lenscast is running.",
  },
  replaced: {
    title: "This page is open somewhere else",
    text: "A newer copy of this page has taken its place.",
    advice: "Use the newer window, or reload this page.",
  },
  "no-room": {
    title: "This room does not exist",
    text: "It has ended, or the link is not complete.",
    advice: "Ask for a new link, or start lenscast again.",
  },
  removed: {
    title: "This page was removed",
    text: "Somebody removed it from the room.",
    advice: "If that was a mistake, ask whoever runs the room to let you in again.",
  },
  ended: {
    title: "The room has ended",
    text: "It was closed for everyone.",
    advice: "To go on, ask for a new link, or start lenscast again.",
  },
  "link-ended": {
    title: "This link has ended",
    text: "It was good for some time or for one visit, or all links were replaced by new ones.",
    advice: "Ask for a new link. Where lenscast runs, “lenscast links” prints it.",
  },
  "room-full": {
    title: "This room is full",
    text: "The server does not allow any more windows to watch it.",
    advice: "Close one of the others. This page joins as soon as there is room.",
  },
  "server-full": {
    title: "The server is full",
    text: "It cannot open any more rooms.",
    advice: "This page keeps trying. Whoever runs the server can raise rooms.max_rooms.",
  },
  "server-gone": {
    title: "The server does not answer",
    text: "It was stopped, or this laptop is no longer on its network.",
    advice: "Start lenscast again, or check the network. This page keeps trying.",
  },
  "no-webrtc": {
    title: "This browser cannot receive video",
    text: "It does not support WebRTC, or an extension or a policy has turned it off.",
    advice: "Open the link in an up-to-date Chrome, Edge, Firefox or Safari.",
  },
};

const NO_KEY = {
  title: "This link is incomplete",
  text: "The key after the # is missing.",
};

const ASK_AGAIN = "Ask the person who sent you the link to send it again.";

/**
 * @param {string} error
 * @param {object} page
 * @param {boolean} page.hasKey whether the link has a key at all
 * @param {boolean} page.viewer
 * @returns {ProblemText}
 */
export function problemText(error, { hasKey, viewer }) {
  const known = PROBLEMS[/** @type {Problem} */ (error)] ?? PROBLEMS["server-gone"];
  if (error !== "bad-link") {
    return known;
  }
  return { ...known, ...(hasKey ? {} : NO_KEY), ...(viewer ? { advice: ASK_AGAIN } : {}) };
}

/** The codes that are problems of their own. */
const OWN_WORDS = new Set([
  "room-full",
  "server-full",
  "replaced",
  "no-room",
  "removed",
  "ended",
  "link-ended",
]);

/**
 * The problem to show when the server does not let this page in; null if the next attempt may succeed.
 * @param {string} code of docs/protocol.md
 * @param {boolean} final
 * @returns {Problem | null}
 */
export function problemOf(code, final) {
  if (OWN_WORDS.has(code)) {
    return /** @type {Problem} */ (code);
  }
  return final ? "bad-link" : null;
}

/**
 * Why a phone sends nothing, by the reason in its state.
 * @type {Record<string, Note>}
 */
const PAUSES = {
  hidden: {
    title: "Paused",
    text: "The phone is locked, or shows another app or page. Open the camera page on the phone again.",
    busy: false,
  },
  interrupted: {
    title: "Camera interrupted",
    text: "A call or another app is using the phone’s camera. The video resumes when the camera is free.",
    busy: true,
  },
};

/** @type {Note} */
const PAUSED = { title: "Paused", text: "Resume it on the phone.", busy: false };

/**
 * @param {object} tile
 * @param {RTCPeerConnectionState} tile.connection
 * @param {boolean} tile.broken the connection is beyond repair
 * @param {boolean} tile.picture whether a frame has been shown
 * @param {CameraState | null} tile.camera
 * @returns {Note | null} what stands over the picture
 */
export function noteFor({ connection, broken, picture, camera }) {
  if (broken || connection === "failed") {
    return {
      title: "Connection failed",
      text: "Check the network of the phone and of this laptop. If that does not help, reload the page on the phone.",
      busy: false,
    };
  }
  if (connection === "disconnected") {
    return {
      title: "Connection interrupted",
      text: "The video resumes as soon as the network is back.",
      busy: true,
    };
  }
  if (camera?.status === "paused") {
    const { reason = "" } = camera;
    return Object.hasOwn(PAUSES, reason) ? PAUSES[reason] : PAUSED;
  }
  if (picture) {
    return null;
  }
  return {
    title: connection === "connected" ? "Waiting for the picture" : "Connecting",
    text: "If the phone asks for the camera, allow it.",
    busy: true,
  };
}

/**
 * @param {string} title of the phone
 * @param {CameraState | null} camera
 * @returns {string} such as "iPhone 2 · Back camera"
 */
export function labelFor(title, camera) {
  return [title, camera?.camera].filter(Boolean).join(" · ");
}
