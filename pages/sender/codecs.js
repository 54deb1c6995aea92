/** What codecs are called. */

/** @type {Record<import("../lib/signaling/protocol.js").Codec, string>} */
export const CODECS = { auto: "Automatic", h264: "H.264", vp8: "VP8", vp9: "VP9", av1: "AV1" };
