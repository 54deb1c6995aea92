/**
 * The connection check: what is checked, each with a time limit, and the report as plain text.
 */

import { cameraPermission } from "../media/media.js";
import { socketUrl } from "../signaling/web-socket.js";
import { probeRelay, probeStun } from "./ice.js";
import { sortServers } from "./servers.js";
import {
  cameraText,
  NO_WEBRTC,
  NOT_TOLD,
  relayText,
  secureText,
  socketText,
  STATUS,
  stunText,
} from "./texts.js";

/** @typedef {import("./servers.js").Servers} Servers */
/** @typedef {import("./servers.js").Transport} Transport */
/** @typedef {import("./texts.js").Result} Result */
/** @typedef {import("../signaling/signaling.js").SignalingStatus} SignalingStatus */

/**
 * @typedef {object} Conditions What the page knows when the check starts.
 * @property {SignalingStatus} signaling
 * @property {{ open: boolean, error: string | null }} [camera] left out if the page needs none
 */

/**
 * @typedef {object} Check
 * @property {string} id
 * @property {string} title
 * @property {(signal: AbortSignal) => Promise<Result>} run ends early, with what it knows, when the signal aborts
 */

/** How long each check may take, in milliseconds. */
const LIMIT = 8000;
/** How many servers are asked for the same thing. */
const MAX_SERVERS = 4;
/** @type {Result["status"][]} best first */
const ORDER = ["ok", "partly", "unclear", "problem"];

/**
 * What to check, in the order in which it is shown.
 * @param {Conditions} conditions
 * @returns {Check[]}
 */
export function checks({ signaling, camera }) {
  const { iceServers, registered } = signaling;
  const servers = iceServers && sortServers(iceServers);
  /** @type {Check[]} */
  const list = [
    { id: "secure", title: "Secure page", run: async () => secureText(window.isSecureContext) },
  ];
  if (camera) {
    list.push({ id: "camera", title: "Camera", run: () => checkCamera(camera) });
  }
  list.push(
    { id: "socket", title: "Server (WebSocket)", run: (signal) => checkSocket(signaling, signal) },
    { id: "stun", title: "STUN", run: (signal) => checkStun(servers, signal) },
  );
  for (const transport of /** @type {Transport[]} */ (["udp", "tcp", "tls"])) {
    if (transport !== "tls" || (servers && servers.relay.tls.length > 0)) {
      list.push({
        id: `relay-${transport}`,
        title: `Relay over ${transport.toUpperCase()}`,
        run: (signal) => checkRelay(servers, transport, registered, signal),
      });
    }
  }
  return list;
}

/**
 * Run all checks at once.
 * @param {Check[]} list
 * @param {AbortSignal} signal ends them; nothing is reported after that
 * @param {(id: string, result: Result) => void} tell called for each check when it is done
 */
export async function runChecks(list, signal, tell) {
  await Promise.all(
    list.map(async ({ id, run }) => {
      const result = await bounded(run, signal);
      if (!signal.aborted) {
        tell(id, result);
      }
    }),
  );
}

/**
 * The report for somebody who helps. It contains no key, no credential and no address.
 * @param {string} page its name
 * @param {{ title: string, result: Result }[]} rows
 * @returns {string}
 */
export function report(page, rows) {
  const lines = rows.map(({ title, result: { status, text, advice } }) =>
    [`${title}: ${STATUS[status]}. ${text}`, advice && `  ${advice}`].filter(Boolean).join("\n"),
  );
  const now = new Date().toISOString().slice(0, 16).replace("T", " ");
  const head = [`Lenscast connection check, ${page}, ${now} UTC`, navigator.userAgent, ""];
  return [...head, ...lines, ""].join("\n");
}

/**
 * @param {Check["run"]} run
 * @param {AbortSignal} outer
 * @returns {Promise<Result>}
 */
async function bounded(run, outer) {
  const inner = new AbortController();
  const stop = () => inner.abort();
  const timer = setTimeout(stop, LIMIT);
  outer.addEventListener("abort", stop, { once: true });
  try {
    return await run(inner.signal);
  } catch (error) {
    console.warn("Connection check:", error instanceof Error ? error.name : "failed");
    return { status: "unclear", text: "The check itself failed.", advice: "Run it again." };
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", stop);
  }
}

/** @param {{ open: boolean, error: string | null }} camera */
async function checkCamera(camera) {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const count = devices.filter(({ kind }) => kind === "videoinput").length;
  const permission = await cameraPermission();
  return cameraText({ ...camera, secure: window.isSecureContext, permission, count });
}

/**
 * @param {SignalingStatus} signaling
 * @param {AbortSignal} signal
 */
async function checkSocket(signaling, signal) {
  const ms = await timeToOpen(socketUrl(location), signal);
  return socketText({ ms, signaling, secure: location.protocol === "https:" });
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<number | null>} in milliseconds; null if it does not open
 */
async function timeToOpen(url, signal) {
  const begin = performance.now();
  /** @type {WebSocket} */
  let socket;
  try {
    socket = new WebSocket(url);
  } catch {
    // A policy may refuse the URL itself: that is a socket that does not open, too.
    return null;
  }
  const opened = await new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onclose = () => resolve(false);
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
  socket.close();
  return opened ? performance.now() - begin : null;
}

/**
 * @param {Servers | null} servers null if the page does not know them
 * @param {AbortSignal} signal
 */
async function checkStun(servers, signal) {
  if (!servers) {
    return NOT_TOLD;
  }
  return askAll(
    servers.stun,
    async (url) => stunText(await probeStun(url, signal)),
    () => stunText(null),
  );
}

/**
 * @param {Servers | null} servers null if the page does not know them
 * @param {Transport} transport
 * @param {boolean} registered
 * @param {AbortSignal} signal
 */
async function checkRelay(servers, transport, registered, signal) {
  if (!servers) {
    return NOT_TOLD;
  }
  return askAll(
    servers.relay[transport],
    async (server) => relayText(await probeRelay(server, signal), transport, registered),
    () => relayText(null, transport, registered),
  );
}

/**
 * Ask several servers for the same thing: one good answer is enough.
 * @template T
 * @param {T[]} servers
 * @param {(server: T) => Promise<Result>} ask
 * @param {() => Result} nobody the result if there is no server to ask
 * @returns {Promise<Result>}
 */
async function askAll(servers, ask, nobody) {
  if (servers.length === 0) {
    return nobody();
  }
  if (!("RTCPeerConnection" in window)) {
    return NO_WEBRTC;
  }
  const results = await Promise.all(servers.slice(0, MAX_SERVERS).map(ask));
  const [best] = [...results].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  const good = results.filter(({ status }) => status === "ok").length;
  return good === 0 || good === results.length
    ? best
    : { ...best, text: `${best.text} (${good} of ${results.length} servers)` };
}
