import assert from "node:assert/strict";
import { test } from "node:test";

import { withMostBitrate, withStartBitrate } from "../../../../pages/lib/media/video.js";

const ANSWER = `v=0
o=- 42 2 IN IP4 127.0.0.1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:98 H264/90000
a=fmtp:98 profile-level-id=42e01f
`.replaceAll("\n", "\r\n");

test("the start bitrate is on every video codec, and not on audio or retransmission", () => {
  const before = new Set(ANSWER.split("\r\n"));
  const added = withStartBitrate(ANSWER, 1000)
    .split("\r\n")
    .filter((line) => !before.has(line));
  assert.deepEqual(added.sort(), [
    "a=fmtp:96 x-google-start-bitrate=1000",
    "a=fmtp:98 profile-level-id=42e01f;x-google-start-bitrate=1000",
  ]);
});

test("the video section's bandwidth follows its connection data, and replaces another one", () => {
  // RFC 8866, 5.
  const lines = [
    "v=0",
    "m=audio 9 X 111",
    "c=IN IP4 0.0.0.0",
    "m=video 9 X 96",
    "c=IN IP4 0.0.0.0",
  ];
  const answer = [...lines, "a=x", ""].join("\r\n");
  const once = withMostBitrate(answer, 2000);
  assert.equal(once, answer.replace("a=x", "b=AS:2000\r\na=x"));
  // The browser keeps the limit of the section that it read last.
  assert.equal(withMostBitrate(answer + answer, 2000), once + once);
  assert.equal(withMostBitrate(once, 1), once.replace("2000", "1"));
});
