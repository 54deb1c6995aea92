/**
 * What a connection's statistics say about the video that arrives, as figures and as text.
 *
 * Pure. A figure that the browser does not give is null, and its text is a dash.
 */

/** @typedef {Record<string, any>} Stat one RTCStats dictionary (W3C webrtc-stats) */

/** @typedef {ReadonlyMap<string, Stat> | RTCStatsReport} Report */

/**
 * @typedef {object} Figures
 * @property {number | null} width pixels of the decoded picture
 * @property {number | null} height pixels
 * @property {number | null} frameRate frames a second
 * @property {number | null} bitrate bits a second of the video's RTP payload
 * @property {number | null} loss share of the packets that were lost between the two reports, 0 to 1
 * @property {number | null} latency round trip on the network, ms
 * @property {number | null} jitter ms
 * @property {string | null} codec such as "VP8"
 * @property {"direct" | "relay" | null} path
 * @property {string | null} transport "udp", "tcp" or "tls": how this end reaches the other, or its relay
 * @property {number | null} dropped frames that arrived but were never shown, since the start
 */

/** @typedef {"resolution" | "framerate" | "bitrate" | "loss" | "latency" | "jitter" | "codec" | "path" | "dropped"} FigureName */

export const DASH = "–";

/**
 * Compute the figures of the video that arrives.
 *
 * @param {Report} report
 * @param {Report} [previous] an earlier one of the same connection; without it, bitrate and loss are
 *   null
 * @returns {Figures}
 */
export function readFigures(report, previous) {
  const stats = all(report);
  const video = inboundVideo(stats);
  const before = video && previous ? lookUp(previous, video.id) : undefined;
  const pair = selectedPair(report, stats, video);
  return {
    width: positive(video?.frameWidth),
    height: positive(video?.frameHeight),
    frameRate: frameRate(video, before),
    bitrate: perSecond(video, before, "bytesReceived", 8),
    loss: loss(video, before),
    latency: milliseconds(roundTrip(pair, stats)),
    jitter: milliseconds(number(video?.jitter)),
    codec: codecName(video && lookUp(report, video.codecId)),
    ...path(report, pair),
    dropped: number(video?.framesDropped),
  };
}

/**
 * Write the figures for a person, with a dash for each that is missing.
 *
 * @param {Figures} figures
 * @returns {Record<FigureName, string>}
 */
export function formatFigures(figures) {
  const { width, height, loss: lost, path: kind, transport } = figures;
  return {
    resolution: width === null || height === null ? DASH : `${width} × ${height}`,
    framerate: unit(figures.frameRate, (value) => `${Math.round(value)} fps`),
    bitrate: unit(figures.bitrate, bitrateText),
    loss: unit(lost, (value) => `${(value * 100).toFixed(1)} %`),
    latency: unit(figures.latency, millisecondsText),
    jitter: unit(figures.jitter, millisecondsText),
    codec: figures.codec ?? DASH,
    path: kind === null ? DASH : transport ? `${kind}, ${transport.toUpperCase()}` : kind,
    dropped: unit(figures.dropped, String),
  };
}

/** @param {Report} report @returns {Stat[]} */
export function all(report) {
  /** @type {Stat[]} */
  const stats = [];
  report.forEach((/** @type {Stat} */ stat) => stats.push(stat));
  return stats;
}

/** @param {Report} report @param {unknown} id @returns {Stat | undefined} */
export function lookUp(report, id) {
  return typeof id === "string" ? report.get(id) : undefined;
}

/** @param {unknown} value @returns {number | null} */
export function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** @param {unknown} value @returns {number | null} */
export function positive(value) {
  const read = number(value);
  return read !== null && read > 0 ? read : null;
}

/**
 * The stream of the picture. After a renegotiation an old one may still be listed, so this takes the
 * one that last received something and, of equals, the one that received most.
 *
 * @param {Stat[]} stats
 * @returns {Stat | undefined}
 */
export function inboundVideo(stats) {
  // Older Safari and Firefox have mediaType instead of kind.
  return stats
    .filter((stat) => stat.type === "inbound-rtp" && (stat.kind ?? stat.mediaType) === "video")
    .sort(
      (a, b) =>
        (number(b.lastPacketReceivedTimestamp) ?? 0) -
          (number(a.lastPacketReceivedTimestamp) ?? 0) ||
        (number(b.bytesReceived) ?? 0) - (number(a.bytesReceived) ?? 0),
    )[0];
}

/**
 * The candidate pair in use: the transport names it (Chromium, Safari), or the pair says so itself
 * (`selected`, only in Firefox).
 *
 * @param {Report} report
 * @param {Stat[]} stats
 * @param {Stat | undefined} video
 * @returns {Stat | undefined}
 */
export function selectedPair(report, stats, video) {
  const transport =
    lookUp(report, video?.transportId) ?? stats.find((stat) => stat.type === "transport");
  const named = lookUp(report, transport?.selectedCandidatePairId);
  if (named) return named;
  const pairs = stats.filter((stat) => stat.type === "candidate-pair");
  return (
    pairs.find((pair) => pair.selected === true) ??
    pairs.find((pair) => pair.nominated === true && pair.state === "succeeded")
  );
}

/** @param {Stat | undefined} now @param {Stat | undefined} before @param {string} name */
export function difference(now, before, name) {
  const [a, b] = [number(before?.[name]), number(now?.[name])];
  return a === null || b === null ? null : b - a;
}

/**
 * How fast a counter grows. Null if it fell: then it belongs to another stream.
 *
 * @param {Stat | undefined} now
 * @param {Stat | undefined} before
 * @param {string} name
 * @param {number} [factor]
 */
function perSecond(now, before, name, factor = 1) {
  const grown = difference(now, before, name);
  const elapsed = difference(now, before, "timestamp");
  if (grown === null || elapsed === null || grown < 0 || elapsed <= 0) return null;
  return (grown * factor * 1000) / elapsed;
}

/**
 * Not every browser has framesPerSecond, and Chromium leaves it out while no frame arrives; all
 * count the decoded frames.
 *
 * @param {Stat | undefined} video
 * @param {Stat | undefined} before
 */
function frameRate(video, before) {
  return number(video?.framesPerSecond) ?? perSecond(video, before, "framesDecoded");
}

/** @param {Stat | undefined} video @param {Stat | undefined} before */
function loss(video, before) {
  const received = difference(video, before, "packetsReceived");
  const lost = difference(video, before, "packetsLost");
  if (received === null || lost === null || received < 0) return null;
  // Late packets and duplicates count as received, so the number of lost packets can fall (RFC 3550, 6.4.1).
  const missing = Math.max(lost, 0);
  return received + missing > 0 ? missing / (received + missing) : null;
}

/**
 * The newest measurement: of the last STUN check, else of RTCP, else the mean of all STUN checks so
 * far (the only one in Firefox).
 *
 * @param {Stat | undefined} pair
 * @param {Stat[]} stats
 * @returns {number | null} seconds
 */
function roundTrip(pair, stats) {
  const reported = stats.find(
    (stat) => stat.type === "remote-outbound-rtp" && number(stat.roundTripTime) !== null,
  );
  const total = number(pair?.totalRoundTripTime);
  const checks = positive(pair?.responsesReceived);
  return (
    number(pair?.currentRoundTripTime) ??
    number(reported?.roundTripTime) ??
    (total === null || checks === null ? null : total / checks)
  );
}

/** @param {Stat | undefined} codec @returns {string | null} */
function codecName(codec) {
  const type = codec?.mimeType;
  return typeof type === "string" ? (type.split("/").pop() ?? null) : null;
}

/**
 * @param {Report} report
 * @param {Stat | undefined} pair
 * @returns {Pick<Figures, "path" | "transport">}
 */
function path(report, pair) {
  const local = lookUp(report, pair?.localCandidateId);
  const remote = lookUp(report, pair?.remoteCandidateId);
  if (!local && !remote) return { path: null, transport: null };
  const relayed = [local, remote].some((candidate) => candidate?.candidateType === "relay");
  // A relay may be reached over TCP, but the address that it provides is always UDP (RFC 8656).
  const viaLocalRelay = local?.candidateType === "relay" ? local.relayProtocol : undefined;
  const transport = viaLocalRelay ?? local?.protocol ?? remote?.protocol;
  return {
    path: relayed ? "relay" : "direct",
    transport: typeof transport === "string" ? transport.toLowerCase() : null,
  };
}

/** @param {number | null} seconds */
export function milliseconds(seconds) {
  return seconds === null ? null : seconds * 1000;
}

/** @param {number | null} value @param {(value: number) => string} write */
export function unit(value, write) {
  return value === null ? DASH : write(value);
}

/** @param {number} bits a second */
function bitrateText(bits) {
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}

/** @param {number} value ms */
export function millisecondsText(value) {
  if (value < 1) return "< 1 ms";
  return `${Math.round(value)} ms`;
}
