/**
 * The signaling connection: registers, delivers messages, and comes back as the same peer when the connection is lost;
 * over HTTP where WebSockets do not work. Knows neither media nor pages.
 */

import { Outbox } from "./outbox.js";
import { socketUrl, WebSocketTransport } from "./web-socket.js";

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").Limits} Limits */
/** @typedef {import("./protocol.js").Registered} Registered */
/** @typedef {import("./protocol.js").Role} Role */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./transport.js").Transport} Transport */

/** @typedef {Registered & { limits: Limits }} Welcome */

/**
 * @typedef {object} SignalingOptions
 * @property {Role} role
 * @property {string} [roomType] "camera" if left out
 * @property {string} [room]
 * @property {string} [key]
 * @property {string} [name] shown to the other side
 */

/**
 * @typedef {object} SignalingHandlers
 * @property {(message: Welcome) => void} registered after every (re)connection; `resumed` says that this is the same
 *   peer as before: what was sent meanwhile goes out then, otherwise it is dropped
 * @property {(message: ServerMessage) => void} message everything else, including errors after registration
 * @property {(code: string, message: string, final: boolean) => void} refused registration was refused, or this page
 *   was put out of the room; unless `final` it is tried again by itself. The code is the server's, or "replaced",
 *   "removed", "ended" or "link-ended"
 * @property {(attempt: number) => void} reconnecting the connection is lost or was never made; the next attempt has
 *   this number, from 1
 */

/**
 * @typedef {object} SignalingStatus
 * @property {boolean} registered
 * @property {boolean} everOpened whether this server was ever reached, by WebSocket or by HTTP: if not, the browser
 *   may not accept its certificate
 * @property {{ code: string, message: string, final: boolean } | null} refusal of the last attempt
 * @property {RTCIceServer[] | null} iceServers the newest ones; null before registering, and after leaving
 */

/**
 * @typedef {object} Link One connection, or an attempt at one.
 * @property {boolean} http
 * @property {Transport | null} transport
 * @property {number} timer how long the next step may take, until it is registered
 */

/** Delays before each attempt to reconnect, in milliseconds; the last one repeats. */
const DELAYS = [300, 1200, 2700, 4800, 7000];
/** How long a WebSocket may take to open before HTTP is tried, in milliseconds. */
const OPEN_TIMEOUT = 3_000;
/** How long a WebSocket that is open may leave `register` without an answer, in milliseconds, before HTTP is tried. */
const ANSWER_TIMEOUT = 5_000;
/** How long opening and registering may take by HTTP, in milliseconds, before the attempt counts as failed. */
const HTTP_TIMEOUT = 10_000;
/** When the module for HTTP is fetched, in milliseconds: after the first picture, before it may be needed. */
const CALM = 3_000;
/** Refusals that no later attempt can change. */
const FINAL = new Set([
  "bad-key",
  "wrong-role",
  "bad-field",
  "missing-field",
  "no-room",
  "link-ended",
  "removed",
]);
/** Refusals that take time to pass. */
const FULL = new Set(["room-full", "server-full", "too-many-attempts", "too-many-connections"]);
/** The close code of a connection whose peer has come back by another one. */
const REPLACED = 4001;
/** The close code of a connection whose peer may not come back by itself; its reason says why. */
const DISMISSED = 4003;
const CUT_OFF = 1006;
/** @type {Record<string, string>} what is said of each reason */
const DISMISSALS = {
  removed: "Someone removed this page from the room.",
  ended: "The room has ended.",
  "link-ended": "The link of this page has ended.",
};
/** @type {Limits} those of a server that does not say */
const LIMITS = { resume: 45, rate: 20, burst: 60 };

export class Signaling {
  #options;
  #handlers;
  /** @type {Link | null} the one in use or being tried */
  #link = null;
  /** @type {Link | null} the one before, which is listened to until the new one is registered */
  #older = null;
  #registered = false;
  #attempt = 0;
  #retryTimer = 0;
  #calmTimer = 0;
  /** Whether HTTP is tried first, because it has worked. */
  #http = false;
  /** @type {SignalingStatus["refusal"]} why the current attempt was refused */
  #refusal = null;
  #everOpened = false;
  /** @type {RTCIceServer[] | null} */
  #iceServers = null;
  /**
   * Who this page is to the server, and what it heard last; null before and after.
   * @type {{ id?: string, token?: string, heard?: number } | null}
   */
  #self = null;
  #outbox = new Outbox();
  #begun;

  /**
   * @param {SignalingOptions} options
   * @param {SignalingHandlers} handlers
   * @param {WebSocket} [begun] a socket to the server that was opened before, to be used first
   */
  constructor(options, handlers, begun) {
    this.#options = options;
    this.#handlers = handlers;
    this.#begun = begun;
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

  /** Connect and register. Where there is a connection, replace it by a new one, as the same peer. */
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
    const begun = this.#begun;
    this.#begun = undefined;
    this.#use(link, () => new WebSocketTransport(socketUrl(location), begun));
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
        closed: (code, reason) => this.#ended(link, code, reason),
      });
    } catch {
      // A browser may refuse the URL itself (a policy, a blocked port), or lack WebSockets: a failed attempt.
      this.#ended(link, CUT_OFF);
    }
  }

  /** @param {Link} link */
  #opened(link) {
    if (link === this.#link) {
      this.#everOpened = true;
      if (!link.http) {
        // Something on the way may let it open, and still let nothing through.
        this.#limit(link, ANSWER_TIMEOUT);
      }
      const { token: resume, heard } = this.#self ?? {};
      const register = { type: "register", ...this.#options, resume, heard };
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
      this.#note(message);
      this.#handlers.message(message);
    } else if (message.type === "registered") {
      this.#welcome(link, message);
    } else if (message.type === "error") {
      this.#refuse(message.code ?? "", message.message, FINAL.has(message.code ?? ""));
    }
  }

  /** @param {ServerMessage} message */
  #note(message) {
    if (message.type === "turn-config") {
      this.#iceServers = message.turnConfig.iceServers;
    } else if (message.type === "say" && this.#self) {
      this.#self.heard = message.n;
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
    // The server has closed the older one already, or does not know it.
    this.#older?.transport?.drop();
    this.#older = null;
    const resumed = message.resumed === true && message.id === this.#self?.id;
    const heard = resumed ? this.#self?.heard : undefined;
    this.#self = { id: message.id, token: message.resume, heard };
    if (!resumed) {
      this.#outbox.clear();
    }
    const limits = { ...LIMITS, ...message.limits };
    this.#handlers.registered({ ...message, resumed, limits });
    if (link === this.#link && link.transport) {
      this.#outbox.open(link.transport, limits);
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
   * @param {string} [reason]
   */
  #ended(link, code, reason = "") {
    clearTimeout(link.timer);
    if (link !== this.#older && link !== this.#link) {
      return;
    }
    if (code === DISMISSED) {
      const why = Object.hasOwn(DISMISSALS, reason) ? reason : "removed";
      this.#refuse(why, DISMISSALS[why], true);
    } else if (link === this.#older) {
      this.#older = null;
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
    // Jitter keeps many clients from coming back at the same moment after a restart of the server.
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

/** How often the module for HTTP did not come. */
let misses = 0;
/** @type {Promise<typeof import("./http.js") | null> | null} */
let http = null;

/** Fetch the module for HTTP; null while the server is away. */
function loadHttp() {
  // A browser does not ask again under a name that failed.
  const name = `./http.js${misses > 0 ? `?${misses}` : ""}`;
  http ??= import(name).catch(() => {
    misses += 1;
    http = null;
    return null;
  });
  return http;
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
