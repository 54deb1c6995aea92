/** What a script in the page itself has begun before any module ran. The page must work without all of it. */

/**
 * @typedef {object} Begun
 * @property {WebSocket} [socket] to this page's server; nothing was sent yet
 * @property {RTCPeerConnection} [connection] one that goes nowhere yet
 * @property {Promise<{ opening: Promise<MediaStream> } | null>} [camera] null where it may not be opened without a
 *   person's click
 */

/**
 * Take it over; whoever asks again gets nothing.
 * @returns {Begun}
 */
export function takeBegun() {
  const begun = window.lenscastBegun ?? {};
  delete window.lenscastBegun;
  return begun;
}
