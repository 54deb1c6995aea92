/**
 * Asks one STUN or TURN server whether it answers, with peer connections that stay inside the page.
 */

/**
 * @typedef {"answered" | "unclear" | "silent" | "bad-url"} StunOutcome
 * "unclear": in this browser, an answer that adds nothing looks like no answer
 */

/**
 * @typedef {object} RelayOutcome
 * @property {"works" | "no-way" | "refused" | "silent" | "bad-url"} outcome "no-way": it gave an address, but
 *   data sent to it did not come back; "refused": it answered with an error; "silent": it did not answer
 * @property {number} [ms] for "works": the shortest round trip through the relay and back, in milliseconds
 * @property {number} [code] for "refused", and sometimes for "no-way": the STUN error code (RFC 8489, 14.8)
 */

/** How many round trips are measured; the shortest counts. */
const ROUND_TRIPS = 5;
/** The browser's code for a server that it cannot reach (W3C WebRTC, 4.8.2); STUN codes end at 699. */
const UNREACHABLE = 701;

/**
 * Ask a STUN server for this browser's address.
 * @param {string} url such as `stun:192.0.2.1:3478`
 * @param {AbortSignal} signal ends the wait; the outcome is what is known by then
 * @returns {Promise<StunOutcome>}
 */
export async function probeStun(url, signal) {
  const pc = connection({ iceServers: [{ urls: url }] });
  if (pc === null) {
    return "bad-url";
  }
  pc.createDataChannel("check");
  try {
    return await new Promise((resolve, reject) => {
      const hosts = /** @type {Set<number | null>} */ (new Set());
      const failed = /** @type {Set<number | null>} */ (new Set());
      pc.onicecandidateerror = ({ port }) => failed.add(port);
      pc.onicecandidate = ({ candidate }) => {
        if (candidate?.type === "srflx") {
          resolve("answered");
        } else if (candidate?.type === "host" && candidate.protocol === "udp") {
          hosts.add(candidate.port);
        }
      };
      pc.onicegatheringstatechange = () => {
        if (pc.iceGatheringState === "complete") {
          resolve(withoutAddress(hosts, failed));
        }
      };
      signal.addEventListener("abort", () => resolve("silent"), { once: true });
      pc.setLocalDescription().catch(reject);
    });
  } finally {
    pc.close();
  }
}

/**
 * An answer with an address that the browser knows already makes no candidate (RFC 8445, 5.1.3). So if the browser
 * reports errors at all, a socket that finished without an error got an answer.
 * @param {Set<number | null>} hosts ports of the sockets that asked
 * @param {Set<number | null>} failed ports of the sockets that got no answer
 * @returns {StunOutcome}
 */
function withoutAddress(hosts, failed) {
  if (!("onicecandidateerror" in RTCPeerConnection.prototype)) {
    return "unclear";
  }
  return [...hosts].some((port) => !failed.has(port)) ? "answered" : "silent";
}

/**
 * Open a data channel from this page to itself, with both ends relayed, and measure the round trip.
 * @param {RTCIceServer} server with one URL
 * @param {AbortSignal} signal ends the wait; the outcome is what is known by then
 * @returns {Promise<RelayOutcome>}
 */
export async function probeRelay(server, signal) {
  /** @type {RTCConfiguration} */
  const configuration = { iceServers: [server], iceTransportPolicy: "relay" };
  const near = connection(configuration);
  const far = connection(configuration);
  if (near === null || far === null) {
    return { outcome: "bad-url" };
  }
  try {
    return await new Promise((resolve, reject) => {
      const ends = [new End(near, far), new End(far, near)];
      for (const end of ends) {
        end.ended = () => resolve(withoutWay(ends));
      }
      signal.addEventListener("abort", () => resolve(withoutWay(ends)), { once: true });
      const channel = near.createDataChannel("check");
      far.ondatachannel = (event) => echo(event.channel);
      roundTrip(channel, (ms) => resolve({ outcome: "works", ms }));
      connect(near, far).catch(reject);
    });
  } finally {
    near.close();
    far.close();
  }
}

/** One of the two ends: gives its candidates to the other, and remembers what the relay said. */
class End {
  relayed = false;
  /** @type {number | undefined} */
  code;
  /** Called when it is certain that this end gets no relayed address. */
  ended = () => {};

  /**
   * @param {RTCPeerConnection} pc
   * @param {RTCPeerConnection} other
   */
  constructor(pc, other) {
    pc.onicecandidateerror = ({ errorCode }) => {
      if (errorCode < UNREACHABLE) {
        this.code = errorCode;
      }
    };
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) {
        this.relayed = true;
        // Without a candidate the other end gets no path, and the outcome says so.
        other.addIceCandidate(candidate).catch((error) => console.warn("Connection check:", error));
      }
    };
    pc.onicegatheringstatechange = () => {
      if (pc.iceGatheringState === "complete" && !this.relayed) {
        this.ended();
      }
    };
  }
}

/**
 * @param {End[]} ends
 * @returns {RelayOutcome}
 */
function withoutWay(ends) {
  const code = ends.find((end) => end.code !== undefined)?.code;
  if (ends.some((end) => end.relayed)) {
    return { outcome: "no-way", code };
  }
  return code === undefined ? { outcome: "silent" } : { outcome: "refused", code };
}

/**
 * @param {RTCPeerConnection} near
 * @param {RTCPeerConnection} far
 */
async function connect(near, far) {
  const offer = await near.createOffer();
  // Candidates come from setLocalDescription on; by then each end must know the other.
  await far.setRemoteDescription(offer);
  await near.setLocalDescription(offer);
  const answer = await far.createAnswer();
  await near.setRemoteDescription(answer);
  await far.setLocalDescription(answer);
}

/** @param {RTCDataChannel} channel */
function echo(channel) {
  channel.onmessage = ({ data }) => channel.send(data);
}

/**
 * @param {RTCDataChannel} channel
 * @param {(ms: number) => void} done
 */
function roundTrip(channel, done) {
  let sent = 0;
  let shortest = Infinity;
  let count = 0;
  const send = () => {
    sent = performance.now();
    channel.send("there and back");
  };
  channel.onopen = send;
  channel.onmessage = () => {
    shortest = Math.min(shortest, performance.now() - sent);
    count += 1;
    if (count < ROUND_TRIPS) {
      send();
    } else {
      done(shortest);
    }
  };
}

/**
 * @param {RTCConfiguration} configuration
 * @returns {RTCPeerConnection | null} null for a URL that the browser does not accept
 */
function connection(configuration) {
  try {
    return new RTCPeerConnection(configuration);
  } catch (error) {
    // The message would contain the URL, so only the name is logged.
    console.warn("Connection check:", error instanceof Error ? error.name : "not made");
    return null;
  }
}
