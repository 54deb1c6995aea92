/**
 * The signaling connection: registers over a WebSocket, hands messages on, and comes back when it is lost.
 * Imports types only; knows neither media nor pages.
 */

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Registered} Registered */
/** @typedef {import("./protocol.js").Role} Role */

/**
 * @typedef {object} SignalingOptions
 * @property {Role} role
 * @property {string} [room]
 * @property {string} [key]
 * @property {string} [name] shown to the other side
 * @property {string} [url] where the server listens; /ws of the page's own host if left out
 */

/**
 * @typedef {object} SignalingHandlers
 * @property {(message: Registered) => void} registered after every (re)connection
 * @property {(message: ServerMessage) => void} message everything else, errors after registration included
 * @property {(code: string, message: string, final: boolean) => void} refused registration was refused;
 *   unless `final` it is tried again by itself
 * @property {(attempt: number) => void} reconnecting the connection is lost or was never made; the first
 *   attempt to come is 1
 */

/**
 * @typedef {object} SignalingStatus
 * @property {boolean} registered
 * @property {boolean} everOpened whether a WebSocket to this server was ever opened: if not, its certificate may be
 *   refused
 * @property {{ code: string, message: string } | null} refusal of the last attempt
 * @property {RTCIceServer[] | null} iceServers those that the server named last; null before, and after leaving
 */

/** Delays before each attempt to reconnect, in milliseconds; the last one repeats. */
const DELAYS = [300, 1200, 2700, 4800, 7000];
/** How long opening and registering may take, in milliseconds, before the attempt counts as failed. */
const REGISTER_TIMEOUT = 10_000;
/** What no later attempt can mend. */
const FINAL = new Set(["bad-key", "wrong-role", "bad-field", "missing-field"]);
const FULL = new Set(["room-full", "server-full"]);
/** The server drops what exceeds 60 messages at once or 20 a second; these stay below. */
const BURST = 50;
const PER_SECOND = 18;
const MAX_WAITING = 512;

export class Signaling {
  #options;
  #handlers;
  /** @type {WebSocket | null} */
  #socket = null;
  #registered = false;
  #closed = false;
  #attempt = 0;
  #retryTimer = 0;
  #registerTimer = 0;
  /** @type {SignalingStatus["refusal"]} what the current attempt was refused with */
  #refusal = null;
  #everOpened = false;
  /** @type {RTCIceServer[] | null} */
  #iceServers = null;
  #outbox = new Outbox();

  /**
   * @param {SignalingOptions} options
   * @param {SignalingHandlers} handlers
   */
  constructor(options, handlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  /** @returns {SignalingStatus} */
  get status() {
    return {
      registered: this.#registered,
      everOpened: this.#everOpened,
      refusal: this.#refusal,
      iceServers: this.#iceServers,
    };
  }

  /** Connect and register; also drops what is there and connects again at once. */
  open() {
    this.#closed = false;
    this.#drop();
    this.#connect();
  }

  /**
   * Send a message. Without a registered connection it is dropped: whoever reconnects starts anew.
   * @param {ClientMessage} message
   */
  send(message) {
    if (this.#registered && this.#socket) {
      this.#outbox.put(JSON.stringify(message));
    }
  }

  /** Leave for good. May be called more than once. */
  close() {
    this.#closed = true;
    this.#iceServers = null;
    this.#drop();
  }

  #connect() {
    this.#refusal = null;
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new WebSocket(this.#options.url ?? socketUrl(location));
    } catch {
      // A browser may refuse the URL itself (a policy, a blocked port): the same as a failed attempt.
      this.#retry();
      return;
    }
    this.#socket = socket;
    this.#registerTimer = setTimeout(() => this.#lost(socket), REGISTER_TIMEOUT);
    socket.onopen = () => {
      this.#everOpened = true;
      const { role, room, key, name } = this.#options;
      socket.send(JSON.stringify({ type: "register", role, room, key, name }));
    };
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = () => this.#lost(socket);
  }

  /**
   * @param {WebSocket} socket
   * @param {unknown} data
   */
  #receive(socket, data) {
    if (socket !== this.#socket) {
      return;
    }
    const message = parse(data);
    if (message === null) {
      console.warn("The server sent something that is not a message.");
    } else if (this.#registered) {
      if (message.type === "turn-config") {
        this.#iceServers = message.turnConfig.iceServers;
      }
      this.#handlers.message(message);
    } else if (message.type === "registered") {
      this.#registered = true;
      this.#iceServers = message.turnConfig.iceServers;
      this.#attempt = 0;
      clearTimeout(this.#registerTimer);
      this.#outbox.open(socket);
      this.#handlers.registered(message);
    } else if (message.type === "error") {
      this.#refuse(message.code ?? "", message.message);
    }
  }

  /**
   * @param {string} code
   * @param {string} message
   */
  #refuse(code, message) {
    const final = FINAL.has(code);
    this.#refusal = { code, message };
    if (final) {
      this.close();
    }
    this.#handlers.refused(code, message, final);
  }

  /** @param {WebSocket} socket */
  #lost(socket) {
    if (socket === this.#socket && !this.#closed) {
      this.#drop();
      this.#retry();
    }
  }

  #retry() {
    const full = this.#refusal !== null && FULL.has(this.#refusal.code);
    const step = full ? DELAYS.length - 1 : Math.min(this.#attempt, DELAYS.length - 1);
    this.#attempt += 1;
    // Jitter keeps many clients from coming back in the same moment after a restart of the server.
    const delay = DELAYS[step] * (0.8 + 0.4 * Math.random());
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    this.#handlers.reconnecting(this.#attempt);
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#registerTimer);
    this.#outbox.clear();
    this.#registered = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}

/** Paces what is sent, so that many candidates at once do not exceed the server's rate. */
class Outbox {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {string[]} */
  #waiting = [];
  #tokens = BURST;
  #refilled = 0;
  #timer = 0;

  /** @param {WebSocket} socket */
  open(socket) {
    this.#socket = socket;
    this.#tokens = BURST;
    this.#refilled = performance.now();
  }

  /** @param {string} text */
  put(text) {
    if (this.#waiting.length >= MAX_WAITING) {
      console.warn("Too many messages wait for the server; the oldest is dropped.");
      this.#waiting.shift();
    }
    this.#waiting.push(text);
    this.#flush();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#waiting = [];
    this.#socket = null;
  }

  #flush() {
    const now = performance.now();
    const earned = ((now - this.#refilled) / 1000) * PER_SECOND;
    this.#tokens = Math.min(BURST, this.#tokens + earned);
    this.#refilled = now;
    while (this.#waiting.length > 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#socket?.send(/** @type {string} */ (this.#waiting.shift()));
    }
    if (this.#waiting.length > 0 && this.#timer === 0) {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#flush();
      }, 1000 / PER_SECOND);
    }
  }
}

/**
 * Where the server of a page listens.
 * @param {Location} page
 */
export function socketUrl(page) {
  return `${page.protocol === "http:" ? "ws" : "wss"}://${page.host}/ws`;
}

/**
 * @param {unknown} data
 * @returns {ServerMessage | null}
 */
function parse(data) {
  try {
    const message = JSON.parse(String(data));
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
