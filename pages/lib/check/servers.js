/**
 * Sorts the ICE servers of a page by what they can be asked for. Pure.
 */

/** @typedef {"udp" | "tcp" | "tls"} Transport between this browser and the relay */

/**
 * @typedef {object} Servers
 * @property {string[]} stun URLs
 * @property {Record<Transport, RTCIceServer[]>} relay one URL in each
 */

/** RFC 7064 and RFC 7065. */
const URL_PATTERN = /^(stuns?|turns?):([^?]+)(?:\?transport=(udp|tcp))?$/i;

/**
 * @param {RTCIceServer[]} iceServers
 * @returns {Servers}
 */
export function sortServers(iceServers) {
  const stun = new Set(/** @type {string[]} */ ([]));
  // A TURN server over UDP also answers STUN (RFC 8656, 3): it is asked if there is no STUN server.
  const turn = new Set(/** @type {string[]} */ ([]));
  /** @type {Servers["relay"]} */
  const relay = { udp: [], tcp: [], tls: [] };
  for (const server of iceServers) {
    for (const url of [server.urls].flat()) {
      const [, scheme, host, named] = URL_PATTERN.exec(url) ?? [];
      if (scheme?.toLowerCase().startsWith("stun")) {
        stun.add(url);
      } else if (scheme) {
        const secure = scheme.toLowerCase() === "turns";
        const transport = secure ? "tls" : named?.toLowerCase() === "tcp" ? "tcp" : "udp";
        relay[transport].push({ ...server, urls: url });
        if (transport === "udp") {
          turn.add(`stun:${host}`);
        }
      }
    }
  }
  return { stun: [...(stun.size > 0 ? stun : turn)], relay };
}
