/** What one page tells another and must arrive, in order: a data channel of its own, for a Peer that is given one. */

import { Bucket } from "./bucket.js";

/**
 * @typedef {object} ReliableHandlers
 * @property {(text: string) => void} said the remote page said something
 * @property {() => void} [ready] `say` works from now on, or again after it has refused something
 */

/**
 * The same on both sides, so that it needs no negotiation of its own (RFC 8832, 4).
 * @type {RTCDataChannelInit}
 */
const CHANNEL = { negotiated: true, id: 1 };
/** How much may wait to be sent, in bytes. */
const MAX_BUFFERED = 1_048_576;
/** The longest message in bytes: what a peer takes that does not say how much it does (RFC 8841, 6.1). */
const MAX_MESSAGE = 65_536;
/** How many messages are taken at once, and in a second. */
const HEARD_BURST = 2_000;
const HEARD_RATE = 200;

const utf8 = new TextEncoder();

export class ReliableChannel {
  #handlers;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  /** Whether something was refused since there last was room. */
  #full = false;

  /** @param {ReliableHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * Say something that must arrive. When a connection is replaced, what was said through it may be lost; `ready` is
   * called when the new one can be used.
   * @param {string} text
   * @returns {boolean} false where it cannot be taken now: `ready` is called when it can
   * @throws {RangeError} it is too long for one message
   */
  say(text) {
    const channel = this.#channel;
    const size = utf8.encode(text).length;
    if (size > MAX_MESSAGE) {
      throw new RangeError(`A message has at most ${MAX_MESSAGE} bytes.`);
    }
    if (channel?.readyState !== "open") {
      return false;
    }
    if (channel.bufferedAmount + size > MAX_BUFFERED) {
      this.#full = true;
      return false;
    }
    channel.send(text);
    return true;
  }

  /**
   * Go through this connection from now on. For the Peer.
   * @param {RTCPeerConnection} pc
   */
  attach(pc) {
    const channel = pc.createDataChannel("lenscast-reliable", CHANNEL);
    this.#channel = channel;
    channel.bufferedAmountLowThreshold = MAX_BUFFERED / 2;
    channel.onopen = () => this.#handlers.ready?.();
    channel.onbufferedamountlow = () => this.#emptied();
    const bucket = new Bucket(HEARD_BURST, HEARD_RATE);
    channel.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        return;
      }
      if (data.length <= MAX_MESSAGE && bucket.take()) {
        this.#handlers.said(data);
      } else {
        // What is said in order must not have gaps: there is no more of it until the next connection.
        console.warn("The other side says too much; what it says is not heard any more.");
        channel.close();
        this.detach();
      }
    };
  }

  /** The connection is gone. For the Peer. */
  detach() {
    if (this.#channel) {
      this.#channel.onopen = this.#channel.onbufferedamountlow = this.#channel.onmessage = null;
    }
    this.#channel = null;
    this.#full = false;
  }

  #emptied() {
    if (this.#full) {
      this.#full = false;
      this.#handlers.ready?.();
    }
  }
}
