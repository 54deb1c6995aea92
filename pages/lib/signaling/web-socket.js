/** Messages over a WebSocket: the transport that is tried first. */

/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./transport.js").TransportHandlers} TransportHandlers */

/** @implements {Transport} */
export class WebSocketTransport {
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
    socket.onclose = ({ code, reason }) => handlers.closed(code, reason);
  }

  /** @param {string} text */
  send(text) {
    this.#socket?.send(text);
  }

  close() {
    this.drop();
  }

  /** An open one says goodbye in any case: a browser can close a WebSocket in no other way. */
  drop() {
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
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
