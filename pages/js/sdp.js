/**
 * What is read from and written into session descriptions (RFC 8829, RFC 8866). Pure text; imports nothing.
 */

/** Payload formats that carry no picture of their own. */
const NO_CODEC = /^(rtx|red|ulpfec|flexfec-03)$/i;

/**
 * Ask the sending browser to begin at a bitrate instead of feeling its way up from 300 kbit/s.
 *
 * libwebrtc reads `x-google-start-bitrate` from the fmtp line of the codec in the description that the
 * sender applies; others pass over it. VP8 has no fmtp line, so it gets one.
 * @param {string} sdp the answer, before the sender applies it
 * @param {number} kbps
 * @returns {string}
 */
export function withStartBitrate(sdp, kbps) {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => (section.startsWith("m=video ") ? hint(section, kbps) : section))
    .join("");
}

/**
 * @param {string} section one `m=video` section
 * @param {number} kbps
 */
function hint(section, kbps) {
  const value = `x-google-start-bitrate=${kbps}`;
  let text = section;
  for (const [line, type, codec] of section.matchAll(/^a=rtpmap:(\d+) ([^/\r\n]+)[^\r\n]*/gm)) {
    if (NO_CODEC.test(codec)) {
      continue;
    }
    const format = new RegExp(`^a=fmtp:${type} [^\\r\\n]*`, "m");
    text = format.test(text)
      ? text.replace(format, (found) => `${found};${value}`)
      : text.replace(line, `${line}\r\na=fmtp:${type} ${value}`);
  }
  return text;
}

/**
 * The session id of a description's `o=` line. It stays the same for all descriptions of one RTCPeerConnection
 * (RFC 8829, 5.2.1), so another one means that the peer began anew.
 * @param {string} sdp
 * @returns {string}
 */
export function sessionId(sdp) {
  return /^o=\S+ (\S+)/m.exec(sdp)?.[1] ?? "";
}
