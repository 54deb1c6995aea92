import assert from "node:assert/strict";
import { test } from "node:test";

import { sortServers } from "../../../../pages/lib/check/servers.js";

const LOGIN = { username: "u", credential: "c" };

test("each URL is asked by itself, with the credentials of its server", () => {
  const { stun, relay } = sortServers([
    { urls: "stun:192.0.2.1:3478" },
    {
      urls: [
        "turn:192.0.2.1",
        "turn:192.0.2.1?transport=udp",
        "TURN:192.0.2.1?transport=TCP",
        "turns:192.0.2.1?transport=tcp",
      ],
      ...LOGIN,
    },
  ]);
  assert.deepEqual(stun, ["stun:192.0.2.1:3478"]);
  assert.deepEqual(relay, {
    udp: [
      { urls: "turn:192.0.2.1", ...LOGIN },
      { urls: "turn:192.0.2.1?transport=udp", ...LOGIN },
    ],
    tcp: [{ urls: "TURN:192.0.2.1?transport=TCP", ...LOGIN }],
    tls: [{ urls: "turns:192.0.2.1?transport=tcp", ...LOGIN }],
  });
});

test("without a STUN server the relay over UDP is asked, which answers STUN too", () => {
  const urls = ["turn:[2001:db8::1]:3478?transport=udp", "turn:192.0.2.1?transport=tcp"];
  assert.deepEqual(sortServers([{ urls, ...LOGIN }]).stun, ["stun:[2001:db8::1]:3478"]);
});

test("what is no URL of a STUN or TURN server is left out", () => {
  const { stun, relay } = sortServers([{ urls: "https://example.org" }]);
  assert.deepEqual([stun, relay], [[], { udp: [], tcp: [], tls: [] }]);
});
