/**
 * What the connection check says to a person: a result's words, the likely cause and what to do.
 * Imports types only. Pure; names no address, no credential and no candidate.
 */

/** @typedef {import("./ice.js").StunOutcome} StunOutcome */
/** @typedef {import("./ice.js").RelayOutcome} RelayOutcome */
/** @typedef {import("./servers.js").Transport} Transport */

/** @typedef {"running" | "ok" | "partly" | "problem" | "none" | "unclear" | "skipped"} Status */

/**
 * @typedef {object} Result
 * @property {Status} status
 * @property {string} text what came out
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
  text: "The server tells which it has only to a page that is connected.",
};

/** @type {Result} */
export const NO_WEBRTC = {
  status: "problem",
  text: "This browser has no WebRTC, or an add-on or a policy turned it off.",
  advice: "Open the link in a current Chrome, Edge, Firefox or Safari.",
};

/**
 * @param {boolean} secure
 * @returns {Result}
 */
export function secureText(secure) {
  return secure
    ? { status: "ok", text: "The browser trusts how this page came here." }
    : {
        status: "problem",
        text: "This page came over plain HTTP, so the browser hides the camera.",
        advice: "Open the link that begins with https.",
      };
}

/**
 * @param {object} camera
 * @param {boolean} camera.secure whether the page may ask for a camera at all
 * @param {boolean} camera.open
 * @param {string | null} camera.error the kind of the last failure to open it
 * @param {PermissionState | "unknown"} camera.permission
 * @param {number} camera.count the cameras of this device, as far as the browser tells
 * @returns {Result}
 */
export function cameraText({ secure, open, error, permission, count }) {
  const cameras = count === 1 ? "1 camera" : `${count} cameras`;
  if (open) {
    return { status: "ok", text: `Allowed and on; this device has ${cameras}.` };
  }
  if (!secure) {
    return { status: "problem", text: "Hidden by the browser, as this page is not secure." };
  }
  if (permission === "denied" || error === "camera-refused") {
    return {
      status: "problem",
      text: "The browser does not let this page use the camera.",
      advice:
        "Allow the camera for this page, by the icon beside the address. Then load the page again.",
    };
  }
  if (count === 0 || error === "no-camera") {
    return {
      status: "problem",
      text: "The browser sees no camera.",
      advice:
        "If the link was opened inside another app, open it in Safari or Chrome. If the camera plugs in, check its cable.",
    };
  }
  if (error === "camera-busy") {
    return {
      status: "problem",
      text: "There is a camera, but it did not start.",
      advice: "Close other camera apps and video calls, then try again.",
    };
  }
  return permission === "granted"
    ? { status: "ok", text: `Allowed, and off now; this device has ${cameras}.` }
    : { status: "ok", text: "There is a camera. The browser asks for it when you tap Start." };
}

/**
 * @param {object} socket
 * @param {number | null} socket.ms how long a WebSocket took to open, in milliseconds; null if it did not
 * @param {import("../signaling/signaling.js").SignalingStatus} socket.signaling
 * @param {boolean} socket.secure whether the page came over HTTPS
 * @returns {Result}
 */
export function socketText({ ms, signaling, secure }) {
  if (ms !== null && signaling.refusal !== null) {
    return {
      status: "problem",
      text: `The server answers, but does not let this page in: ${signaling.refusal.message}`,
      advice: "If it is about the link or its key, scan the code or copy the link again.",
    };
  }
  if (ms !== null) {
    const rest = signaling.registered ? "this page is in its room" : "this page is not in its room";
    return { status: "ok", text: `Opened in ${milliseconds(ms)}; ${rest}.` };
  }
  if (signaling.registered) {
    return {
      status: "partly",
      text: "This page's own WebSocket is open, but a second one was not let through.",
      advice: "Run the check again. If it stays like this, a proxy may limit connections.",
    };
  }
  if (signaling.everOpened || !secure) {
    return {
      status: "problem",
      text: "The server does not answer any more.",
      advice: "See whether lenscast still runs, and whether this device is still in its network.",
    };
  }
  return {
    status: "problem",
    text: "The page loaded, but no WebSocket ever opened.",
    advice:
      "On an iPhone the server's certificate has to be installed first. Elsewhere a proxy or a blocker may stop WebSockets.",
    link: { text: "How to install it", href: "/trust" },
  };
}

/**
 * @param {StunOutcome | null} outcome null if there is no server to ask
 * @returns {Result}
 */
export function stunText(outcome) {
  switch (outcome) {
    case null:
      return {
        status: "none",
        text: "None is set up.",
        advice: "Nothing is missing while phone and laptop are in one network.",
      };
    case "answered":
      return { status: "ok", text: "The STUN server answered." };
    case "unclear":
      return {
        status: "unclear",
        text: "No outside address came; this browser does not say why.",
        advice: "Between devices in one network that is how it should be.",
      };
    case "silent":
      return {
        status: "problem",
        text: "No answer.",
        advice:
          "The STUN server does not run, or a firewall stops UDP to it. Inside one network, or by a relay over TCP, video may still come through.",
      };
    case "bad-url":
      return BAD_URL;
  }
}

/** @type {Result} */
const BAD_URL = {
  status: "problem",
  text: "The browser does not take the URL that the server gave.",
  advice: "Whoever runs the server should look at turn in config.yaml.",
};

/** @type {Record<Transport, string>} */
const UNREACHED = {
  udp: "It does not run, its address is wrong, or a firewall stops UDP to it. If a relay over TCP is OK, video still comes through.",
  tcp: "It does not run, its address is wrong, or a firewall stops TCP to its port.",
  tls: "It does not run, its certificate is not valid for its name, or a firewall stops TCP to its port.",
};

/** @type {Record<Transport, string>} */
const NO_RELAY = {
  udp: "Phone and laptop must reach each other directly, as in one Wi-Fi without client isolation. If no picture comes, set up TURN on the server.",
  tcp: "It would help only in a network that stops UDP.",
  tls: "It would help only in a network that lets nothing but HTTPS through.",
};

/**
 * @param {RelayOutcome | null} probed null if there is no such relay
 * @param {Transport} transport
 * @param {boolean} registered whether the credentials are those of a connected page
 * @returns {Result}
 */
export function relayText(probed, transport, registered) {
  switch (probed?.outcome) {
    case undefined:
      return { status: "none", text: "None is set up.", advice: NO_RELAY[transport] };
    case "works":
      return {
        status: "ok",
        text: `Works: data went through it and back in ${milliseconds(probed.ms ?? 0)}.`,
      };
    case "no-way":
      return {
        status: "partly",
        text: "It gave an address, but data sent from one of its addresses to another did not arrive.",
        advice:
          probed.code === undefined
            ? "It may still help where one side connects directly. The relay's rules for peers may forbid its own address."
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
        ? "The secret or the password in config.yaml is not the relay's, or their clocks differ. Whoever runs the server should compare them."
        : "They may have run out. Run the check again once this page is connected.",
    };
  }
  if (code === 486 || code === 508) {
    return {
      text: `The relay has no place left for this page (${code}).`,
      advice: "Run the check again in some minutes. Whoever runs the relay can raise its quotas.",
    };
  }
  if (code === 403) {
    return {
      text: "The relay does not allow this (403).",
      advice: "Whoever runs the relay should look at its rules for addresses.",
    };
  }
  if (code >= 500 && code < 600) {
    return {
      text: `The relay has a fault of its own (${code}).`,
      advice: "Run the check again. If it stays like this, its log says more.",
    };
  }
  return {
    text: `The relay refused (${code}).`,
    advice: "The relay's log says more. Its version or its settings may not fit.",
  };
}

/** @param {number} ms */
function milliseconds(ms) {
  return ms < 1 ? "less than 1 ms" : `${Math.round(ms)} ms`;
}
