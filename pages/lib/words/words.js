/**
 * The code to compare: four words that follow from the DTLS certificates at both ends of a connection.
 * Imports the list of words. Loaded when a person asks for the words.
 *
 * Media is encrypted between the two certificates whose fingerprints stand in the offer and in the answer (RFC 5763).
 * Whoever carries these descriptions, the server, could put in fingerprints of its own and sit in between; then each
 * page sees another pair, and shows other words. It is the idea of ZRTP's Short Authentication String (RFC 6189, 7).
 *
 * What 44 bits are good for. ZRTP can do with 16, for each side commits to its key before it sees the other's
 * (RFC 6189, 4.4.1.1). WebRTC has no such commitment: somebody in between may make certificates until the words match
 * by chance. But a page has another certificate for each connection, so the search begins when the page's description
 * is on its way, and has to end before the page gives up waiting for the answer, 10 s later. It takes 2^44
 * certificates, nearly 2 x 10^13. A plain hash is too weak for that: a graphics card does 2 x 10^10 SHA-256 a second,
 * and eighty of them find one in time more often than not. With PBKDF2 each try costs twice ITERATIONS hashes, and
 * the same eighty have a chance of one in 400,000, each time that they interrupt the connection to try.
 *
 * Its limits. It holds while a connection keeps the fingerprints that it began with: who could change those of both
 * sides later would have time to search for a pair, and needs 2^22 certificates for each only (birthday attack). And
 * the pages come from the server: one that serves other pages can let them show any words.
 */

import { WORDS } from "./list.js";

const BITS_PER_WORD = 11;
const COUNT = 4;
/** A quarter of a second on a slow phone, about. Part of the code: both pages need the same. */
const ITERATIONS = 200_000;
const SALT = "lenscast words 1";

/**
 * What the words of a connection follow from.
 * @param {RTCPeerConnection} connection
 * @returns {string | null} null while there are no two descriptions in force, or one has no fingerprint
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
  // The side that sends the video makes every offer: with it first, the order is the same on both pages.
  return currentLocalDescription.type === "offer" ? `${local}\n${remote}` : `${remote}\n${local}`;
}

/**
 * All of a description, not only those of one kind: a browser may go by any of them.
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
 * @returns {Promise<string>} four words with a space between two
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
