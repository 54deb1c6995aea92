/**
 * Words to compare: four words that follow from the DTLS certificates at both ends of a connection. Loaded when a
 * person asks for them.
 *
 * Media is encrypted between the two certificates whose fingerprints stand in the offer and in the answer (RFC 5763).
 * The server carries these descriptions. It could replace the fingerprints by its own and sit in between; then the
 * two pages see different pairs and show different words. ZRTP's Short Authentication String has the same idea
 * (RFC 6189, 7).
 *
 * Why 44 bits. ZRTP needs only 16, because each side commits to its key before it sees the other's (RFC 6189,
 * 4.4.1.1). WebRTC has no such commitment: somebody in between may make certificates until the words happen to match.
 * But a page has a new certificate for each connection, so the search starts when the page sends its description, and
 * must end before the page gives up waiting for the answer, 10 s later. It takes 2^44 certificates, nearly 2 x 10^13.
 * A plain hash is too weak for that: a graphics card computes 2 x 10^10 SHA-256 hashes a second, and eighty cards
 * would more often than not find a match in time. With PBKDF2 each try costs twice ITERATIONS hashes, and the same
 * eighty cards have a chance of one in 400,000, each time that they interrupt the connection to try.
 *
 * The limits. The words are good while a connection keeps the fingerprints that it began with: somebody who could
 * change both sides' fingerprints later would have time to search for a pair, and needs only 2^22 certificates for
 * each side (birthday attack). And the pages come from the server: a server that serves other pages can make them
 * show any words.
 */

import { WORDS } from "./list.js";

const BITS_PER_WORD = 11;
const COUNT = 4;
/** About a quarter of a second on a slow phone. Both pages need the same number. */
const ITERATIONS = 200_000;
const SALT = "lenscast words 1";

/**
 * What the words of a connection are made from.
 * @param {RTCPeerConnection} connection
 * @returns {string | null} null until both descriptions are in force, or if one has no fingerprint
 */
export function certificatesOf({ currentLocalDescription, currentRemoteDescription }) {
  if (!currentLocalDescription || !currentRemoteDescription) {
    return null;
  }
  const local = fingerprints(currentLocalDescription.sdp);
  const remote = fingerprints(currentRemoteDescription.sdp);
  if (local === "" || remote === "") {
    return null;
  }
  // One side makes every offer: with its fingerprints first, the order is the same on both pages.
  return currentLocalDescription.type === "offer" ? `${local}\n${remote}` : `${remote}\n${local}`;
}

/**
 * All fingerprints of a description, of every hash: a browser may use any of them.
 * @param {string} sdp
 * @returns {string}
 */
export function fingerprints(sdp) {
  const found = [...sdp.matchAll(/^a=fingerprint:(\S+) +(\S+)/gm)].map(
    ([, hash, value]) => `${hash.toLowerCase()} ${value.toUpperCase()}`,
  );
  return [...new Set(found)].sort().join(" ");
}

/**
 * @param {string} certificates as `certificatesOf` gives them
 * @returns {Promise<string>} four words, separated by spaces
 */
export async function wordsOf(certificates) {
  const encoder = new TextEncoder();
  const { subtle } = crypto;
  const key = await subtle.importKey("raw", encoder.encode(certificates), "PBKDF2", false, [
    "deriveBits",
  ]);
  const bits = await subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt: encoder.encode(SALT), iterations: ITERATIONS },
    key,
    64,
  );
  let number = new DataView(bits).getBigUint64(0);
  const words = [];
  for (let count = 0; count < COUNT; count += 1) {
    words.push(WORDS[Number(number % BigInt(WORDS.length))]);
    number >>= BigInt(BITS_PER_WORD);
  }
  return words.join(" ");
}
