/**
 * What the connection check says to a person: the result, the likely cause, and what to do. Pure; names no address, no
 * credential and no candidate.
 */

/** @typedef {import("./ice.js").StunOutcome} StunOutcome */
/** @typedef {import("./ice.js").RelayOutcome} RelayOutcome */
/** @typedef {import("./servers.js").Transport} Transport */

/** @typedef {"running" | "ok" | "partly" | "problem" | "none" | "unclear" | "skipped"} Status */

/**
 * @typedef {object} Result
 * @property {Status} status
 * @property {string} text what was found
 * @property {string} [advice] the likely cause, and what to do
 * @property {{ text: string, href: string }} [link]
 */

/** @type {Record<Status, string>} */
export const STATUS = {
  running: "Checking",
  ok: "OK",
  partly: "Partly",
  problem: "Not OK",
  none: "Not set up",
  unclear: "Unclear",
  skipped: "Not checked",
};

/** @type {Result} */
export const NOT_TOLD = {
  status: "skipped",
  text: "The server names its STUN and relay servers only to a page that is connected.",
};

/** @type {Result} */
export const NO_WEBRTC = {
  status: "problem",
  text: "This browser does not support WebRTC, or an extension or a policy has turned it off.",
  advice: "Open the link in an up-to-date Chrome, Edge, Firefox or Safari.",
};

/**
 * @param {boolean} secure
 * @returns {Result}
 */
export function secureText(secure) {
  return secure
    ? { status: "ok", text: "The browser trusts this page’s connection." }
    : {
        status: "problem",
        text: "This page was loaded over plain HTTP, so the browser does not allow the camera.",
        advice: "Open the link that starts with https.",
      };
}

/**
 * @param {object} camera
 * @param {boolean} camera.secure whether the page may ask for a camera
 * @param {boolean} camera.open
 * @param {string | null} camera.error why it could not be opened the last time
 * @param {PermissionState | "unknown"} camera.permission
 * @param {number} camera.count how many cameras this device has, as far as the browser says
 * @returns {Result}
 */
export function cameraText({ secure, open, error, permission, count }) {
  const cameras = count === 1 ? "1 camera" : `${count} cameras`;
  if (open) {
    return { status: "ok", text: `Allowed, and on. This device has ${cameras}.` };
  }
  if (!secure) {
    return {
      status: "problem",
      text: "Not allowed by the browser, because this page is not secure.",
    };
  }
  if (permission === "denied" || error === "camera-refused") {
    return {
      status: "problem",
      text: "The browser does not allow this page to use the camera.",
      advice: "Allow the camera with the icon beside the address. Then reload this page.",
    };
  }
  if (count === 0 || error === "no-camera") {
    return {
      status: "problem",
      text: "The browser does not find a camera.",
      advice:
        "If you opened the link inside another app, open it in Safari or Chrome instead. If the camera has a cable, check it.",
    };
  }
  if (error === "camera-busy") {
    return {
      status: "problem",
      text: "There is a camera, but it did not start.",
      advice: "Close other camera apps and end video calls. Then try again.",
    };
  }
  return permission === "granted"
    ? { status: "ok", text: `Allowed, and off now. This device has ${cameras}.` }
    : { status: "ok", text: "There is a camera. The browser will ask for it when you tap Start." };
}

/**
 * @param {object} socket
 * @param {number | null} socket.ms how long it took to open a WebSocket, in milliseconds; null if it did not open
 * @param {import("../signaling/signaling.js").SignalingStatus} socket.signaling
 * @param {boolean} socket.secure whether the page was loaded over HTTPS
 * @returns {Result}
 */
export function socketText({ ms, signaling, secure }) {
  if (ms !== null && signaling.refusal !== null) {
    return {
      status: "problem",
      text: `The server answers, but does not let this page in: ${signaling.refusal.message}`,
      advice: "If the problem is the link or its key, scan the QR code or copy the link again.",
    };
  }
  if (ms !== null) {
    const rest = signaling.registered ? "This page is in its room" : "This page is not in its room";
    return { status: "ok", text: `Opened in ${milliseconds(ms)}. ${rest}.` };
  }
  if (signaling.registered) {
    return {
      status: "partly",
      text: "This page is connected, but could not open a second WebSocket.",
      advice:
        "Run the check again. If the result is the same, a proxy may limit the number of connections.",
    };
  }
  if (signaling.everOpened || !secure) {
    return {
      status: "problem",
      text: "The server no longer answers.",
      advice:
        "Check that lenscast is still running, and that this device is still on the same network.",
    };
  }
  return {
    status: "problem",
    text: "The page loaded, but no WebSocket could be opened.",
    advice:
      "On an iPhone, installing the server’s certificate may help. Otherwise a proxy or a content blocker may be stopping the connection.",
    link: { text: "How to install the certificate", href: "/trust" },
  };
}

/**
 * @param {StunOutcome | null} outcome null if there is no server
 * @returns {Result}
 */
export function stunText(outcome) {
  switch (outcome) {
    case null:
      return {
        status: "none",
        text: "No STUN server is set up.",
        advice: "None is needed while phone and laptop are on the same network.",
      };
    case "answered":
      return { status: "ok", text: "The STUN server answered." };
    case "unclear":
      return {
        status: "unclear",
        text: "The server did not report another address. This browser does not say why.",
        advice: "Between devices on the same network this is normal.",
      };
    case "silent":
      return {
        status: "problem",
        text: "The STUN server did not answer.",
        advice:
          "It is not running, or a firewall blocks UDP to it. Video may still work on the same network, or through a relay over TCP.",
      };
    case "bad-url":
      return BAD_URL;
  }
}

/** @type {Result} */
const BAD_URL = {
  status: "problem",
  text: "The browser does not accept the URL from the server.",
  advice: "Whoever runs the server should check turn in config.yaml.",
};

/** @type {Record<Transport, string>} */
const UNREACHED = {
  udp: "It is not running, its address is wrong, or a firewall blocks UDP to it. If the relay over TCP is OK, video still works.",
  tcp: "It is not running, its address is wrong, or a firewall blocks TCP to its port.",
  tls: "It is not running, its certificate is not valid for its name, or a firewall blocks TCP to its port.",
};

/** @type {Record<Transport, string>} */
const NO_RELAY = {
  udp: "Phone and laptop must reach each other directly, such as on one Wi-Fi network without client isolation. If there is no picture, set up TURN on the server.",
  tcp: "It is needed only on a network that blocks UDP.",
  tls: "It is needed only on a network that allows nothing but HTTPS.",
};

/**
 * @param {RelayOutcome | null} probed null if there is no such relay
 * @param {Transport} transport
 * @param {boolean} registered whether the page is connected, so that its credentials are current
 * @returns {Result}
 */
export function relayText(probed, transport, registered) {
  switch (probed?.outcome) {
    case undefined:
      return { status: "none", text: "No such relay is set up.", advice: NO_RELAY[transport] };
    case "works":
      return {
        status: "ok",
        text: `It works: data took ${milliseconds(probed.ms ?? 0)} through it and back.`,
      };
    case "no-way":
      return {
        status: "partly",
        text: "The relay gave an address, but data sent from one of its addresses to another did not arrive.",
        advice:
          probed.code === undefined
            ? "It may still help if one side connects directly. The relay’s rules for peers may forbid its own address."
            : refusal(probed.code, registered).advice,
      };
    case "refused":
      return { status: "problem", ...refusal(probed.code ?? 0, registered) };
    case "silent":
      return { status: "problem", text: "The relay did not answer.", advice: UNREACHED[transport] };
    case "bad-url":
      return BAD_URL;
  }
}

/**
 * @param {number} code of the relay's error response (RFC 8489, 14.8; RFC 8656, 19)
 * @param {boolean} registered
 * @returns {{ text: string, advice: string }}
 */
function refusal(code, registered) {
  if (code === 401 || code === 441) {
    return {
      text: `The relay refused the user name or password (${code}).`,
      advice: registered
        ? "The secret or the password in config.yaml is not the relay’s, or the two clocks differ. Whoever runs the server should compare them."
        : "They may have expired. Run the check again when this page is connected.",
    };
  }
  if (code === 486 || code === 508) {
    return {
      text: `The relay is full (${code}).`,
      advice: "Run the check again in a few minutes. Whoever runs the relay can raise its quotas.",
    };
  }
  if (code === 403) {
    return {
      text: "The relay does not allow this (403).",
      advice: "Whoever runs the relay should check its rules for addresses.",
    };
  }
  if (code >= 500 && code < 600) {
    return {
      text: `The relay has an internal error (${code}).`,
      advice: "Run the check again. If the result is the same, the relay’s log says more.",
    };
  }
  return {
    text: `The relay refused the request (${code}).`,
    advice: "The relay’s log says more. Its version or its settings may be the cause.",
  };
}

/** @param {number} ms */
function milliseconds(ms) {
  return ms < 1 ? "less than 1 ms" : `${Math.round(ms)} ms`;
}
