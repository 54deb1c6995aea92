"""turn.amplification: the relay is of no use for flooding others, and still serves an office."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aioice.turn import TurnClientUdpProtocol

from signaling.config import Config
from tests.running_server import running_server
from tests.turn.attacker import HOST, relay_of
from tests.turn.client import (
    FakeClient,
    Harness,
    RunningTurn,
    channel,
    signed,
    transport,
)
from turn import stun
from turn.amplification import BUCKETS, FACTOR, Amplification
from turn.limits import RelayLimits
from turn.stun import Kind, Method

ALLOWED = RelayLimits().large_answers
PER_SECOND = RelayLimits().large_answers_per_second
EMPTY = stun.encode(Method.ALLOCATE, Kind.REQUEST, bytes(12), [], fingerprint=False)
SMALLEST = stun.encode(Method.ALLOCATE, Kind.REQUEST, bytes(12), [transport()], fingerprint=False)
"""The smallest Allocate request that a client makes (RFC 8656 7.1)."""
BINDING = stun.encode(Method.BINDING, Kind.REQUEST, bytes(12), [], fingerprint=False)
PEOPLE = 12
PATIENCE = 60.0

FLOOD = """
import json, socket, sys
data, port, count = bytes.fromhex(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("127.0.0.1", port))
sent = got = 0
def read(seconds):
    global got
    udp.settimeout(seconds)
    try:
        while True:
            got += len(udp.recv(2048))
    except OSError:
        pass
for _ in range(count):
    sent += udp.send(data)
    read(0)
read(1)
print(json.dumps([sent, got]))
"""


async def flood(port: int, data: bytes, count: int) -> tuple[int, int]:
    """Send a packet many times from another process: bytes sent, and bytes that came back."""
    told = [data.hex(), str(port), str(count)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FLOOD, *told, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    sent, got = json.loads(printed)
    return sent, got


async def test_a_flood_from_another_process(tmp_path: Path) -> None:
    """Whoever pours unsigned requests into a running server gets back at most twice the bytes, but
    for the burst that every network may have; and both are counted.
    """
    async with running_server(Config(), tmp_path) as server:
        for data in (EMPTY, SMALLEST):
            began = time.monotonic()
            sent, got = await flood(server.port, data, 5 * ALLOWED)
            burst = ALLOWED + PER_SECOND * (time.monotonic() - began)
            assert got <= FACTOR * sent + burst * 60
            assert got > 0
        assert relay_of(server).unsigned["withheld"] > ALLOWED
        assert relay_of(server).unsigned["answered"] > ALLOWED


async def test_a_meeting_in_an_office_that_is_flooded(tmp_path: Path) -> None:
    """Twelve peers behind one address allocate for a meeting, eleven connections each, though
    somebody at their address has used up what may be answered.
    """
    async with running_server(Config(), tmp_path) as server:
        await flood(server.port, EMPTY, 2 * ALLOWED)
        turn = relay_of(server)
        assert turn.unsigned["withheld"]
        running = RunningTurn(turn, HOST, server.port)
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(relay_client(running, f"peer {person}"))
                for person in range(PEOPLE)
                for _ in range(PEOPLE - 1)
            ]
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(one.connect() for one in clients))
            assert turn.figures()["allocations"] == PEOPLE * (PEOPLE - 1)


@contextlib.asynccontextmanager
async def relay_client(running: RunningTurn, peer_id: str) -> AsyncIterator[TurnClientUdpProtocol]:
    """A client of the relay that has no allocation yet; the relay deletes it at the end."""
    to = (running.host, running.port)
    user, password = running.credentials(peer_id)
    connection, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: TurnClientUdpProtocol(to, user, password, 600, 500), remote_addr=to
    )
    try:
        yield protocol
    finally:
        running.turn.revoke(peer_id)
        if protocol.refresh_task:
            protocol.refresh_task.cancel()
        connection.close()


# The core


@pytest.fixture
def harness() -> Harness:
    """A relay with the default limits."""
    return Harness()


def answered(harness: Harness, client: FakeClient, data: bytes, times: int) -> int:
    """How many of so many equal requests are answered."""
    return sum(harness.exchange(client, data) is not None for _ in range(times))


def test_large_answers_come_slowly(harness: Harness) -> None:
    """A network gets a burst of answers that are more than twice as large as the request, and then
    only so many a second.
    """
    client = harness.stranger()
    assert answered(harness, client, EMPTY, 2 * ALLOWED) == ALLOWED
    harness.now += 1
    assert answered(harness, client, EMPTY, 2 * ALLOWED) == harness.limits.large_answers_per_second
    counted = harness.figure("unsigned")
    assert counted == {"answered": ALLOWED + 50, "withheld": 4 * ALLOWED - ALLOWED - 50}


@pytest.mark.parametrize(
    ("address", "asked"),
    [("198.51.100.7", SMALLEST), ("2001:db8::7", SMALLEST), ("198.51.100.7", BINDING)],
    ids=["allocate by IPv4", "allocate by IPv6", "binding by IPv4"],
)
def test_what_clients_ask_is_always_answered(harness: Harness, address: str, asked: bytes) -> None:
    """However many ask, a client gets its challenge and, over IPv4, its own address: both are at
    most twice as large as the smallest request.
    """
    client = FakeClient(f"udp {address} 4000")
    assert answered(harness, client, EMPTY, 2 * ALLOWED) == ALLOWED
    harness.give(client, asked)
    (packet,) = client.sent
    assert len(packet) <= FACTOR * len(asked)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("198.51.100.7", "198.51.100.200", True),
        ("198.51.100.7", "198.51.101.7", False),
        ("2001:db8:0:1::7", "2001:db8:0:ff:1::", True),
        ("2001:db8:0:1::7", "2001:db8:0:100::7", False),
    ],
)
def test_networks(monkeypatch: pytest.MonkeyPatch, one: str, other: str, shared: bool) -> None:
    """An IPv4 address counts as its /24, an IPv6 address as its /56."""
    monkeypatch.setattr("turn.amplification.BUCKETS", 1 << 61)  # No two share one by accident.
    gate = Amplification(RelayLimits(large_answers=1))
    assert gate.allows(one, 20, 100, 0)
    assert gate.allows(other, 20, 100, 0) is not shared


def test_the_table_is_bounded() -> None:
    """Forged addresses of any number of networks fill no memory."""
    gate = Amplification(RelayLimits())
    for number in range(3 * BUCKETS):
        gate.allows(f"10.{number >> 8}.{number & 255}.1", 20, 100, 0)
    assert len(gate._buckets) <= BUCKETS


def test_who_has_shown_an_address_is_not_held_back(harness: Harness) -> None:
    """Over TCP, and to signed requests, any number of large answers is sent."""
    tcp = FakeClient("tcp 198.51.100.7 4000")
    ann = harness.allocated("ann")
    assert answered(harness, harness.stranger(), EMPTY, ALLOWED + 1) <= ALLOWED
    assert answered(harness, tcp, EMPTY, ALLOWED + 1) == ALLOWED + 1
    refused = signed(ann, Method.CHANNEL_BIND, [channel(0x3FFF)])
    assert answered(harness, ann.client, refused, ALLOWED + 1) == ALLOWED + 1


def test_a_forged_address_of_a_client(harness: Harness) -> None:
    """To the address of a client that has an allocation, unsigned requests give no more than to any
    other.
    """
    ann = harness.allocated("ann")
    assert answered(harness, ann.client, EMPTY, 2 * ALLOWED) <= ALLOWED
