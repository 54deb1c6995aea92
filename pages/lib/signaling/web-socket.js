/** Messages over a WebSocket: the transport that is tried first. */

/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./transport.js").TransportHandlers} TransportHandlers */

/** @implements {Transport} */
export class WebSocketTransport {
  #url;
  #begun;
  /** @type {WebSocket | null} */
  #socket = null;

  /**
   * @param {string} url
   * @param {WebSocket} [begun] one to this address that was opened before
   */
  constructor(url, begun) {
    this.#url = url;
    this.#begun = begun;
  }

  /** @param {TransportHandlers} handlers */
  open(handlers) {
    const socket = this.#begun ?? new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = handlers.opened;
    socket.onmessage = ({ data }) => handlers.message(data);
    socket.onclose = ({ code, reason }) => handlers.closed(code, reason);
    if (this.#begun) {
      catchUp(this.#begun, handlers);
    }
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
 * Tell what has happened before anybody listened.
 * @param {WebSocket} socket
 * @param {TransportHandlers} handlers
 */
function catchUp({ readyState }, handlers) {
  if (readyState === WebSocket.OPEN) {
    handlers.opened();
  } else if (readyState === WebSocket.CLOSED) {
    handlers.closed(1006, "");
  }
}

/**
 * Where the server of a page listens.
 * @param {Location} page
 */
export function socketUrl(page) {
  return `${page.protocol === "http:" ? "ws" : "wss"}://${page.host}/ws`;
}
