/**
 * What can stop the sender page, in plain sentences: what happened, what to do, and a button or a link for it. Pure.
 */

import { appleDevice } from "./device.js";

/** @typedef {"camera-refused" | "no-camera" | "camera-busy" | "insecure" | "bad-link" | "room-full" | "server-full" | "replaced" | "no-room" | "removed" | "ended" | "link-ended"} ErrorKind */

/**
 * @typedef {object} Problem
 * @property {string} title
 * @property {string[]} help one step in each
 * @property {string} [retry] the button's text
 * @property {{ text: string, href: string }} [link]
 */

const REFUSED = {
  ios: [
    "Tap the page menu at the left of the address bar, then Website Settings, and set Camera to Allow.",
    "If you do not find it there, open Settings, Apps, Safari, Camera, and choose Ask or Allow.",
    "Then reload this page.",
  ],
  android: [
    "Tap the icon at the left of the address bar, then Permissions, and allow the camera.",
    "If you do not find it there, open the phone’s Settings, Apps, your browser, Permissions, Camera, and allow it.",
    "Then reload this page.",
  ],
  other: [
    "Click the icon at the left of the address bar, and allow the camera for this page.",
    "Then reload this page.",
  ],
};

/** @type {Record<string, ErrorKind>} */
const REFUSALS = {
  "bad-key": "bad-link",
  "wrong-role": "bad-link",
  "bad-field": "bad-link",
  "missing-field": "bad-link",
  "room-full": "room-full",
  "server-full": "server-full",
  replaced: "replaced",
  "no-room": "no-room",
  removed: "removed",
  ended: "ended",
  "link-ended": "link-ended",
};

/**
 * The screen for the code of a refused registration (docs/protocol.md); undefined if the problem passes by itself.
 * @param {string} code
 * @returns {ErrorKind | undefined}
 */
export function refusalKind(code) {
  return REFUSALS[code];
}

/**
 * Whether it may pass by itself: the page keeps trying.
 * @param {ErrorKind | null} kind
 */
export function passes(kind) {
  return kind === "room-full" || kind === "server-full";
}

/**
 * @param {ErrorKind} kind
 * @param {{ userAgent: string, maxTouchPoints: number }} device such as `navigator`
 * @param {{ host: string, pathname: string, hash: string }} page such as `location`
 * @returns {Problem}
 */
export function problem(kind, device, page) {
  switch (kind) {
    case "camera-refused":
      return {
        title: "The camera is not allowed",
        help: REFUSED[platform(device)],
        retry: "Reload this page",
      };
    case "no-camera":
      return {
        title: "No camera was found",
        help: [
          "The browser does not find a camera on this device.",
          "If you opened the link inside another app, open it in Safari or Chrome instead.",
          "If the camera has a cable, check it.",
        ],
        retry: "Try again",
      };
    case "camera-busy":
      return {
        title: "The camera is in use",
        help: [
          "Another app or page is using the camera, or the camera did not start.",
          "Close other camera apps and end video calls. Then try again.",
        ],
        retry: "Try again",
      };
    case "insecure":
      return {
        title: "This page needs a secure connection",
        help: [
          "Browsers allow the camera only on pages that are opened over https.",
          "Open the secure page. If your phone warns about the certificate, the page /trust shows how to install it.",
        ],
        link: {
          text: "Open the secure page",
          href: `https://${page.host}${page.pathname}${page.hash}`,
        },
      };
    case "bad-link":
      return {
        title: "This link does not work",
        help: ["It may be old or incomplete.", "Scan the QR code on the laptop again."],
      };
    case "room-full":
      return {
        title: "No room for another phone",
        help: [
          "As many phones as the server allows are already sending to this laptop.",
          "Stop one of them, or wait. This page keeps trying.",
        ],
        retry: "Try now",
      };
    case "server-full":
      return {
        title: "The server is full",
        help: [
          "It cannot open any more rooms at the moment.",
          "Wait a little. This page keeps trying.",
        ],
        retry: "Try now",
      };
    case "replaced":
      return {
        title: "This page is open somewhere else",
        help: [
          "A newer copy of this page is sending in its place.",
          "Close this one, or send from here again.",
        ],
        retry: "Send from here",
      };
    case "link-ended":
      return {
        title: "This link has ended",
        help: [
          "It was good for some time or for one visit, or all links were replaced by new ones.",
          "Scan the QR code on the laptop again, or ask for a new link.",
        ],
      };
    case "no-room":
      return {
        title: "This room does not exist",
        help: [
          "It has ended, or the link is not complete.",
          "Scan the QR code on the laptop again, or ask for a new link.",
        ],
      };
    case "removed":
      return {
        title: "This phone was removed",
        help: [
          "Somebody removed it from the room. The laptop gets nothing from it any more.",
          "If that was a mistake, ask whoever runs the room to let you in again.",
        ],
      };
    case "ended":
      return {
        title: "The room has ended",
        help: [
          "It was closed for everyone. The laptop gets nothing from this phone any more.",
          "To go on, ask for a new link, or scan the new QR code on the laptop.",
        ],
      };
  }
}

/** @param {{ userAgent: string, maxTouchPoints: number }} device */
function platform(device) {
  if (appleDevice(device)) {
    return "ios";
  }
  return device.userAgent.includes("Android") ? "android" : "other";
}
