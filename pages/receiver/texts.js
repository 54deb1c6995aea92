/**
 * What the receiver page says to a person, and when. Imports types only.
 */

/** @typedef {import("../lib/signaling/protocol.js").CameraState} CameraState */

/** @typedef {"bad-link" | "room-full" | "server-full" | "server-gone" | "replaced" | "no-webrtc"} Problem */

/** @typedef {{ title: string, text: string, advice: string }} ProblemText */

/** @typedef {{ title: string, text: string, busy: boolean }} Note `busy`: it may pass by itself */

/** @type {Record<Problem, ProblemText>} */
export const PROBLEMS = {
  "bad-link": {
    title: "This link does not open the room",
    text: "Its key is wrong, or belongs to another server.",
    advice: "Copy the receiver link again from the terminal where lenscast runs.",
  },
  replaced: {
    title: "This page was replaced",
    text: "Its place in the room was taken by a newer connection of the same page.",
    advice: "Go on in the newer window, or load this page again.",
  },
  "room-full": {
    title: "This room is full",
    text: "As many receivers watch already as the server allows.",
    advice: "Close a receiver in another window. This page joins as soon as there is room.",
  },
  "server-full": {
    title: "The server is full",
    text: "It has no more rooms to give.",
    advice: "This page keeps trying. Whoever runs the server can raise rooms.max_rooms.",
  },
  "server-gone": {
    title: "The server does not answer",
    text: "It was stopped, or this laptop is not on its network any more.",
    advice: "Start lenscast again, or check the network. This page keeps trying.",
  },
  "no-webrtc": {
    title: "This browser cannot receive video",
    text: "It has no WebRTC, or an add-on or a policy turned it off.",
    advice: "Open the link in a current Chrome, Edge, Firefox or Safari.",
  },
};

const NO_KEY = {
  title: "This link has no key",
  text: "The part after the # is missing or was cut off, so it does not open a room.",
  advice: PROBLEMS["bad-link"].advice,
};

/**
 * @param {string} error
 * @param {boolean} hasKey whether the link carries a key at all
 * @returns {ProblemText}
 */
export function problemText(error, hasKey) {
  if (error === "bad-link" && !hasKey) {
    return NO_KEY;
  }
  return PROBLEMS[/** @type {Problem} */ (error)] ?? PROBLEMS["server-gone"];
}

/**
 * The problem that a refused registration shows; null for what the next attempt mends.
 * @param {string} code of docs/protocol.md
 * @param {boolean} final
 * @returns {Problem | null}
 */
export function problemOf(code, final) {
  if (code === "room-full" || code === "server-full" || code === "replaced") {
    return code;
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
    text: "The phone is locked, or another app or page is in front. Open the page on the phone again.",
    busy: false,
  },
  interrupted: {
    title: "Camera interrupted",
    text: "A call or another app has the phone’s camera. The picture comes back by itself when it is free.",
    busy: true,
  },
};

/** @type {Note} */
const PAUSED = { title: "Paused", text: "Resume it on the phone.", busy: false };

/**
 * @param {object} tile
 * @param {RTCPeerConnectionState} tile.connection
 * @param {boolean} tile.broken the connection is beyond repair
 * @param {boolean} tile.picture whether a frame was shown
 * @param {CameraState | null} tile.camera
 * @returns {Note | null} what stands over the picture
 */
export function noteFor({ connection, broken, picture, camera }) {
  if (broken || connection === "failed") {
    return {
      title: "Connection failed",
      text: "Check the network of the phone and of this laptop. If it stays like this, reload the page on the phone.",
      busy: false,
    };
  }
  if (connection === "disconnected") {
    return {
      title: "Connection interrupted",
      text: "It comes back by itself as soon as the network does.",
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
    text: "If the phone asks, allow the camera.",
    busy: true,
  };
}

/**
 * @param {string | undefined} name the sender's
 * @param {CameraState | null} camera
 * @returns {string}
 */
export function labelFor(name, camera) {
  return [name || "Phone", camera?.camera].filter(Boolean).join(" · ");
}
