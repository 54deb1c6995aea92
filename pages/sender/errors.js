/**
 * What can end the sender page, in plain sentences: what happened, what to do, and a button or a link for it.
 * Imports nothing. Pure text.
 */

/** @typedef {"camera-refused" | "no-camera" | "camera-busy" | "insecure" | "bad-link" | "room-full" | "server-full" | "replaced"} ErrorKind */

/**
 * @typedef {object} Problem
 * @property {string} title
 * @property {string[]} help one step in each
 * @property {string} [retry] the button's text
 * @property {{ text: string, href: string }} [link]
 */

const REFUSED = {
  ios: [
    "Tap the page menu on the left of the address bar, then Website Settings, and set Camera to Allow.",
    "If it is not there: Settings, Apps, Safari, Camera: Ask or Allow.",
    "Then load the page again.",
  ],
  android: [
    "Tap the icon on the left of the address bar, then Permissions, and allow the camera.",
    "If it is not there: the phone's Settings, Apps, your browser, Permissions, Camera: Allow.",
    "Then load the page again.",
  ],
  other: [
    "Click the icon on the left of the address bar and allow the camera for this page.",
    "Then load the page again.",
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
};

/**
 * The screen for a code that registration was refused with (docs/protocol.md); undefined for what passes by itself.
 * @param {string} code
 * @returns {ErrorKind | undefined}
 */
export function refusalKind(code) {
  return REFUSALS[code];
}

/**
 * Whether it passes by itself: the page keeps trying.
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
        retry: "Load the page again",
      };
    case "no-camera":
      return {
        title: "No camera was found",
        help: [
          "This browser sees no camera.",
          "If the link was opened inside another app, open it in Safari or Chrome.",
          "If the camera plugs in, check its cable.",
        ],
        retry: "Try again",
      };
    case "camera-busy":
      return {
        title: "The camera is in use",
        help: [
          "Another app or page has the camera, or it did not start.",
          "Close other camera apps and video calls, then try again.",
        ],
        retry: "Try again",
      };
    case "insecure":
      return {
        title: "This page needs https",
        help: [
          "Browsers give the camera only to pages opened over https.",
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
        title: "All places are taken",
        help: [
          "Other phones are already sending to this laptop.",
          "Stop one of them, or wait: this page keeps trying by itself.",
        ],
        retry: "Try now",
      };
    case "server-full":
      return {
        title: "The server is full",
        help: [
          "It can open no more rooms at the moment.",
          "Wait: this page keeps trying by itself.",
        ],
        retry: "Try now",
      };
    case "replaced":
      return {
        title: "This page was replaced",
        help: [
          "A newer connection sends in its place.",
          "Close this page, or send from here again.",
        ],
        retry: "Send from here",
      };
  }
}

/** @param {{ userAgent: string, maxTouchPoints: number }} device */
function platform({ userAgent, maxTouchPoints }) {
  // An iPad says that it is a Macintosh; no Macintosh has a touch screen.
  if (/iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1)) {
    return "ios";
  }
  return /Android/.test(userAgent) ? "android" : "other";
}
