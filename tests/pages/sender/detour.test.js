import assert from "node:assert/strict";
import { test } from "node:test";

import { Detours } from "../../../pages/sender/detour.js";

const SECOND = 1000;

/**
 * Statistics as browsers give them.
 * @param {{ candidateType: string, relayProtocol?: string }} local
 * @param {{ selected?: boolean }} [pair] as Firefox marks it
 * @returns {RTCStatsReport}
 */
function report(local, pair) {
  const chosen = { id: "p", type: "candidate-pair", localCandidateId: "l", ...pair };
  const transport = { id: "t", type: "transport", selectedCandidatePairId: "p" };
  const stats = [
    { id: "l", type: "local-candidate", ...local },
    chosen,
    ...(pair ? [] : [transport]),
  ];
  return new Map(stats.map((stat) => [stat.id, stat]));
}

const TCP = report({ candidateType: "relay", relayProtocol: "tcp" });

/**
 * At which seconds another way is looked for.
 * @param {(second: number) => RTCStatsReport} at
 */
function attempts(at) {
  const detours = new Detours();
  const connection = /** @type {RTCPeerConnection} */ ({});
  const seconds = [...Array(100).keys()];
  return seconds.filter((second) => detours.isDue(connection, at(second), second * SECOND));
}

test("a relay over TCP is left after four seconds, or after twenty more, and then it stays", () => {
  assert.deepEqual(
    attempts(() => TCP),
    [4, 24],
  );
  assert.deepEqual(
    attempts(() => report({ candidateType: "relay", relayProtocol: "tls" })),
    [4, 24],
  );
  assert.deepEqual(
    attempts(() => report({ candidateType: "relay", relayProtocol: "tcp" }, { selected: true })),
    [4, 24],
  );
});

test("every other way is good", () => {
  for (const local of [
    { candidateType: "relay", relayProtocol: "udp" },
    { candidateType: "host" },
    { candidateType: "srflx" },
  ]) {
    assert.deepEqual(
      attempts(() => report(local)),
      [],
    );
  }
  assert.deepEqual(
    attempts(() => new Map()),
    [],
  );
});

test("the seconds count from when it went that way", () => {
  const host = report({ candidateType: "host" });
  assert.deepEqual(
    attempts((second) => (second < 50 ? host : TCP)),
    [53, 73],
  );
});

test("each connection is tried for itself", () => {
  const detours = new Detours();
  const [one, other] = [{}, {}].map((it) => /** @type {RTCPeerConnection} */ (it));
  for (const connection of [one, other]) {
    assert.equal(detours.isDue(connection, TCP, 0), false);
  }
  assert.equal(detours.isDue(one, TCP, 5 * SECOND), true);
  assert.equal(detours.isDue(other, TCP, 5 * SECOND), true);
});
