/**
 * Messages over HTTP, where something on the way lets no WebSocket through: they come as server-sent events and go out
 * as requests (docs/protocol.md). Fetched before it is needed.
 */

/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./transport.js").TransportHandlers} TransportHandlers */

/** How long one request may take, in milliseconds. */
const TIMEOUT = 10_000;
/** After so many missed heartbeats a stream counts as cut off: it can end without a word. */
const MISSED_PINGS = 2.5;
/** The code for a lost connection: that of a WebSocket which ended without a close frame (RFC 6455, 7.4.1). */
const CUT_OFF = 1006;

/** @implements {Transport} */
export class HttpTransport {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {TransportHandlers | null} null once it has ended */
  #handlers = null;
  /** The server's name for this connection; a secret. */
  #session = "";
  /** How long the server may be silent, in milliseconds. */
  #patience = 0;
  #silence = 0;
  /** Each request waits for the one before: messages must not overtake each other. */
  #tail = Promise.resolve();
  #leaving = () => this.#sayGoodbye();

  /** @param {TransportHandlers} handlers */
  open(handlers) {
    this.#handlers = handlers;
    const source = new EventSource("/events");
    this.#source = source;
    source.addEventListener("open", (event) => {
      // The browser has an event of this name of its own, without data.
      if (event instanceof MessageEvent) {
        const { session, ping } = JSON.parse(event.data);
        this.#session = session;
        this.#patience = MISSED_PINGS * ping * 1000;
        this.#alive();
        handlers.opened();
      }
    });
    source.addEventListener("message", ({ data }) => {
      this.#alive();
      handlers.message(data);
    });
    source.addEventListener("ping", () => {
      this.#alive();
      void this.#post("");
    });
    source.addEventListener("close", ({ data }) => {
      const { code, reason } = JSON.parse(data);
      this.#end(code, reason);
    });
    // The browser would open the stream again by itself, but as another client.
    source.addEventListener("error", () => this.#end(CUT_OFF));
    // By the time of "pagehide" Chromium has ended the stream, and the server may have forgotten the session; Safari on
    // phones has no "beforeunload". If the page stays after all, the server ends the stream, and the page joins again.
    window.addEventListener("beforeunload", this.#leaving);
    window.addEventListener("pagehide", this.#leaving);
  }

  /** @param {string} text */
  send(text) {
    this.#tail = this.#tail.then(() => this.#post(text));
  }

  /** Say goodbye, and end it. May be called more than once. */
  close() {
    this.#sayGoodbye();
    this.drop();
  }

  /** End it without a goodbye: the server keeps this page's place for a while. */
  drop() {
    window.removeEventListener("beforeunload", this.#leaving);
    window.removeEventListener("pagehide", this.#leaving);
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = this.#handlers = null;
    this.#session = "";
  }

  #alive() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end(CUT_OFF), this.#patience);
  }

  #sayGoodbye() {
    if (this.#session) {
      navigator.sendBeacon("/bye", this.#session);
      this.#session = "";
    }
  }

  /** @param {string} body empty to answer a ping */
  async #post(body) {
    const session = this.#session;
    if (!session) {
      return;
    }
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), TIMEOUT);
    try {
      const { ok } = await fetch("/send", {
        method: "POST",
        headers: { "Lenscast-Session": session },
        body,
        signal: aborter.signal,
      });
      if (!ok) {
        this.#end(CUT_OFF);
      }
    } catch {
      // The network failed, or the time is up: as if the stream had ended.
      this.#end(CUT_OFF);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * @param {number} code
   * @param {string} [reason]
   */
  #end(code, reason = "") {
    const handlers = this.#handlers;
    this.drop();
    handlers?.closed(code, reason);
  }
}
