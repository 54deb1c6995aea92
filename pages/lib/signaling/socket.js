/**
 * The signaling connection: registers, hands messages on, and comes back as the same peer when it is lost, over HTTP
 * where WebSockets do not work.
 * Imports types, and socket-http when it may be needed; knows neither media nor pages.
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
 */

/**
 * @typedef {object} SignalingHandlers
 * @property {(message: Registered) => void} registered after every (re)connection; `resumed` says that this is the
 *   same peer as before: what was sent meanwhile goes out then, else it is dropped
 * @property {(message: ServerMessage) => void} message everything else, errors after registration included
 * @property {(code: string, message: string, final: boolean) => void} refused registration was refused;
 *   unless `final` it is tried again by itself. The code is the server's, or "replaced"
 * @property {(attempt: number) => void} reconnecting the connection is lost or was never made; the first
 *   attempt to come is 1
 */

/**
 * @typedef {object} SignalingStatus
 * @property {boolean} registered
 * @property {boolean} everOpened whether this server was ever reached, by WebSocket or by HTTP: if not, its
 *   certificate may be refused
 * @property {{ code: string, message: string, final: boolean } | null} refusal of the last attempt
 * @property {RTCIceServer[] | null} iceServers those that the server named last; null before, and after leaving
 */

/**
 * What carries messages. It reports nothing after `close` or `drop`.
 * @typedef {object} Transport
 * @property {(handlers: TransportHandlers) => void} open
 * @property {(text: string) => void} send
 * @property {() => void} close with a goodbye: the server gives this page's place away
 * @property {() => void} drop without a goodbye
 */

/**
 * @typedef {object} TransportHandlers
 * @property {() => void} opened
 * @property {(text: unknown) => void} message
 * @property {(code: number) => void} closed also where it could not be opened; nothing follows
 */

/**
 * @typedef {object} Link One connection, or one to be.
 * @property {boolean} http
 * @property {Transport | null} transport
 * @property {number} timer of what it is to bring next, until it is registered
 */

/** Delays before each attempt to reconnect, in milliseconds; the last one repeats. */
const DELAYS = [300, 1200, 2700, 4800, 7000];
/** How long a WebSocket may take to open before HTTP is tried, in milliseconds. */
const OPEN_TIMEOUT = 3_000;
/** How long one that has opened may leave registering without an answer, in milliseconds, before HTTP is tried. */
const ANSWER_TIMEOUT = 5_000;
/** How long opening and registering may take by HTTP, in milliseconds, before the attempt counts as failed. */
const HTTP_TIMEOUT = 10_000;
/** When HTTP is fetched, in milliseconds: after the first picture, for when the server is away. */
const CALM = 3_000;
/** What no later attempt can mend. */
const FINAL = new Set(["bad-key", "wrong-role", "bad-field", "missing-field"]);
/** What takes its time to pass. */
const FULL = new Set(["room-full", "server-full", "too-many-attempts", "too-many-connections"]);
/** The close code of a connection whose peer has come back by another one. */
const REPLACED = 4001;
const CUT_OFF = 1006;
/** The server drops what exceeds 60 messages at once or 20 a second; these stay below. */
const BURST = 50;
const PER_SECOND = 18;
const MAX_WAITING = 512;

export class Signaling {
  #options;
  #handlers;
  /** @type {Link | null} the one that is used or being tried */
  #link = null;
  /** @type {Link | null} the one before, which is heard until the new one is registered */
  #older = null;
  #registered = false;
  #attempt = 0;
  #retryTimer = 0;
  #calmTimer = 0;
  /** Whether HTTP is tried first: it has worked. */
  #http = false;
  /** @type {SignalingStatus["refusal"]} what the current attempt was refused with */
  #refusal = null;
  #everOpened = false;
  /** @type {RTCIceServer[] | null} */
  #iceServers = null;
  /** @type {{ id?: string, token?: string } | null} who this page is to the server; null before and after */
  #self = null;
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

  /** Connect and register; where there is a connection already, by a new one, as the same peer. */
  open() {
    if (this.#registered) {
      this.#older?.transport?.drop();
      this.#older = this.#link;
      this.#link = null;
    }
    this.#release();
    this.#connect();
  }

  /**
   * Send a message, or keep it for when the connection is back. It is dropped before the first registration.
   * @param {ClientMessage} message
   */
  send(message) {
    if (this.#self) {
      this.#outbox.put(JSON.stringify(message));
    }
  }

  /** Leave for good. May be called more than once. */
  close() {
    this.#iceServers = this.#self = null;
    this.#link?.transport?.close();
    this.#older?.transport?.close();
    this.#older = null;
    this.#release();
    this.#outbox.clear();
    clearTimeout(this.#calmTimer);
  }

  #connect() {
    this.#refusal = null;
    void (this.#http ? this.#tryHttp() : this.#tryWebSocket());
  }

  #tryWebSocket() {
    const link = { http: false, transport: null, timer: 0 };
    this.#limit(link, OPEN_TIMEOUT);
    this.#link = link;
    this.#use(link, () => new WebSocketTransport(socketUrl(location)));
  }

  async #tryHttp() {
    const link = { http: true, transport: null, timer: 0 };
    this.#limit(link, HTTP_TIMEOUT);
    this.#link = link;
    const module = await loadHttp();
    if (link === this.#link) {
      this.#use(link, () => {
        if (!module) {
          throw new Error("The module for HTTP could not be loaded.");
        }
        return new module.HttpTransport();
      });
    }
  }

  /**
   * @param {Link} link
   * @param {number} time in milliseconds
   */
  #limit(link, time) {
    clearTimeout(link.timer);
    link.timer = setTimeout(() => this.#ended(link, CUT_OFF), time);
  }

  /**
   * @param {Link} link
   * @param {() => Transport} make
   */
  #use(link, make) {
    try {
      link.transport = make();
      link.transport.open({
        opened: () => this.#opened(link),
        message: (text) => this.#receive(link, text),
        closed: (code) => this.#ended(link, code),
      });
    } catch {
      // A browser may refuse the URL itself (a policy, a blocked port), or lack it: the same as a failed attempt.
      this.#ended(link, CUT_OFF);
    }
  }

  /** @param {Link} link */
  #opened(link) {
    if (link === this.#link) {
      this.#everOpened = true;
      if (!link.http) {
        // What lets it open may still let nothing through it.
        this.#limit(link, ANSWER_TIMEOUT);
      }
      const { role, room, key, name } = this.#options;
      const resume = this.#self?.token;
      const register = { type: "register", role, room, key, name, resume };
      link.transport?.send(JSON.stringify(register));
    }
  }

  /**
   * @param {Link} link
   * @param {unknown} data
   */
  #receive(link, data) {
    const known = link === this.#older || (link === this.#link && this.#registered);
    if (!known && link !== this.#link) {
      return;
    }
    const message = parse(data);
    if (message === null) {
      console.warn("The server sent something that is not a message.");
    } else if (known) {
      if (message.type === "turn-config") {
        this.#iceServers = message.turnConfig.iceServers;
      }
      this.#handlers.message(message);
    } else if (message.type === "registered") {
      this.#welcome(link, message);
    } else if (message.type === "error") {
      this.#refuse(message.code ?? "", message.message, FINAL.has(message.code ?? ""));
    }
  }

  /**
   * @param {Link} link
   * @param {Registered} message
   */
  #welcome(link, message) {
    clearTimeout(link.timer);
    this.#registered = true;
    this.#iceServers = message.turnConfig.iceServers;
    this.#attempt = 0;
    this.#http = link.http;
    // The server has closed it already, or does not know it.
    this.#older?.transport?.drop();
    this.#older = null;
    const resumed = message.resumed === true && message.id === this.#self?.id;
    this.#self = { id: message.id, token: message.resume };
    if (!resumed) {
      this.#outbox.clear();
    }
    this.#handlers.registered({ ...message, resumed });
    if (link === this.#link && link.transport) {
      this.#outbox.open(link.transport);
    }
    clearTimeout(this.#calmTimer);
    this.#calmTimer = setTimeout(() => void loadHttp(), CALM);
  }

  /**
   * @param {string} code
   * @param {string} message
   * @param {boolean} final
   */
  #refuse(code, message, final) {
    if (final) {
      this.close();
    }
    this.#refusal = { code, message, final };
    this.#handlers.refused(code, message, final);
  }

  /**
   * @param {Link} link
   * @param {number} code
   */
  #ended(link, code) {
    clearTimeout(link.timer);
    if (link === this.#older) {
      this.#older = null;
    } else if (link !== this.#link) {
      return;
    } else if (code === REPLACED) {
      this.#refuse("replaced", "This page's place was taken by a newer connection.", true);
    } else if (this.#registered || link.http || this.#refusal) {
      this.#lost();
    } else {
      link.transport?.drop();
      void this.#tryHttp();
    }
  }

  #lost() {
    if (this.#link?.http && !this.#registered) {
      this.#http = false;
    }
    this.#release();
    this.#retry();
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

  /** Let go of the connection, and of any attempt. */
  #release() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#link?.timer);
    this.#outbox.pause();
    this.#registered = false;
    const link = this.#link;
    this.#link = null;
    link?.transport?.drop();
  }
}

/** @implements {Transport} */
class WebSocketTransport {
  #url;
  /** @type {WebSocket | null} */
  #socket = null;

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
  }

  /** @param {TransportHandlers} handlers */
  open(handlers) {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = handlers.opened;
    socket.onmessage = ({ data }) => handlers.message(data);
    socket.onclose = ({ code }) => handlers.closed(code);
  }

  /** @param {string} text */
  send(text) {
    this.#socket?.send(text);
  }

  close() {
    this.drop();
  }

  /** One that is open says goodbye in any case: a browser can close a WebSocket in no other way. */
  drop() {
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
  }
}

/** How often HTTP was asked for in vain. */
let misses = 0;
/** @type {Promise<typeof import("./socket-http.js") | null> | null} */
let http = null;

/** Fetch what speaks HTTP; null while the server is away. */
function loadHttp() {
  // Under the name of one that failed, a browser does not ask again.
  const name = `./socket-http.js${misses > 0 ? `?${misses}` : ""}`;
  http ??= import(name).catch(() => {
    misses += 1;
    http = null;
    return null;
  });
  return http;
}

/** Paces what is sent, so that many candidates at once do not exceed the server's rate. */
class Outbox {
  /** @type {Transport | null} null while the connection is lost */
  #transport = null;
  /** @type {string[]} */
  #waiting = [];
  #tokens = BURST;
  #refilled = 0;
  #timer = 0;

  /**
   * Send what waits, and all that comes.
   * @param {Transport} transport
   */
  open(transport) {
    this.#transport = transport;
    // One was registering.
    this.#tokens = BURST - 1;
    this.#refilled = performance.now();
    this.#flush();
  }

  /** Keep what comes. */
  pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#transport = null;
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
    this.#waiting = [];
  }

  #flush() {
    if (!this.#transport) {
      return;
    }
    const now = performance.now();
    const earned = ((now - this.#refilled) / 1000) * PER_SECOND;
    this.#tokens = Math.min(BURST, this.#tokens + earned);
    this.#refilled = now;
    while (this.#waiting.length > 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#transport.send(/** @type {string} */ (this.#waiting.shift()));
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
