"""Fuzzes the embedded relay in a running server: over UDP, and over TCP and TLS on the shared
port.
"""

import asyncio
import contextlib
import gc
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aioice.turn import TurnClientTcpProtocol, TurnClientUdpProtocol
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from signaling.config import Config
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.raw import SECONDS
from tests.turn.attacker import HOST, attacker, relay_of, trusting
from tests.turn.client import (
    Peer,
    channel,
    channel_data,
    code,
    lifetime,
    request,
    send_indication,
    signed,
    transport,
)
from tests.turn.coturn_server import Inbox, TurnClient
from turn import stun
from turn.allocations import RELAY_HOST
from turn.stun import Attribute, Kind, Method

# No shrinking: the values are small, and shrinking an example that times out takes minutes.
MODERATE = settings(max_examples=80, deadline=None, phases=(Phase.reuse, Phase.generate))
BY = pytest.mark.parametrize("by", ["udp", "tcp", "tls"])


# Clients


@contextlib.asynccontextmanager
async def behaved(server: SignalingServer, by: str, peer_id: str) -> AsyncIterator[TurnClient]:
    """A real aioice client, with an allocation that it deletes at the end."""
    grant = relay_of(server).issue(peer_id, "room", f"http://{HOST}", time.time())
    user, password = (grant.ice_servers[0][name] for name in ("username", "credential"))
    to = (HOST, server.port)
    loop = asyncio.get_running_loop()
    connection: asyncio.BaseTransport
    protocol: TurnClient
    if by == "udp":
        connection, protocol = await loop.create_datagram_endpoint(
            lambda: TurnClientUdpProtocol(to, user, password, 600, 500), remote_addr=to
        )
    else:
        connection, protocol = await loop.create_connection(
            lambda: TurnClientTcpProtocol(to, user, password, 600, 500),
            *to,
            ssl=trusting() if by == "tls" else None,
        )
    protocol.receiver = Inbox()
    try:
        await asyncio.wait_for(protocol.connect(), SECONDS)
        yield protocol
        await asyncio.wait_for(protocol.delete(), SECONDS)
    finally:
        connection.close()


@contextlib.asynccontextmanager
async def pair(server: SignalingServer, by: str, name: str) -> AsyncIterator[list[TurnClient]]:
    """Two real clients with a channel to each other."""
    async with behaved(server, by, f"{name}-1") as one, behaved(server, by, f"{name}-2") as other:
        await one.send_data(b"", relayed(other))  # Binds a channel, so that data can arrive.
        await carries(other, one)
        yield [one, other]


async def carries(one: TurnClient, other: TurnClient) -> None:
    """Whether data gets through from one client to the other, unchanged."""
    assert isinstance(other.receiver, Inbox)
    data = secrets.token_bytes(800)
    await asyncio.wait_for(one.send_data(data, relayed(other)), SECONDS)
    found = await asyncio.wait_for(other.receiver.received.get(), SECONDS)
    assert found == (data, relayed(one))


def relayed(client: TurnClient) -> tuple[str, int]:
    """The address where a client that has allocated can be reached."""
    assert client.relayed_address
    return client.relayed_address


# What must hold


def descriptors() -> int:
    """How many descriptors this process has; 0 if the system cannot tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that should soon be true."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def fuzzed(
    by: str, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SignalingServer]:
    """A server that must serve real clients before, during and after the test, log no error of
    its own, and keep no allocation, connection, task or descriptor.
    """
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("turn.embedded.SWEEP_SECONDS", 0.05)
    async with running_server(Config(access="open"), folder) as server:
        turn = relay_of(server)
        before = (len(asyncio.all_tasks()), descriptors())
        async with pair(server, by, "meanwhile") as (one, other):
            yield server
            await until(lambda: turn.figures()["allocations"] == 2)
            await carries(one, other)
            await carries(other, one)
        async with pair(server, by, "after") as (one, other):
            await carries(one, other)
        await until(lambda: turn.figures()["allocations"] == 0)
        await until(lambda: turn.figures()["tcp_connections"] == 0)
        await until(lambda: not any(endpoint._clients for endpoint in turn._udp.values()))
        await until(lambda: (len(asyncio.all_tasks()), descriptors()) == before)
    gc.collect()  # A failed task that nobody awaited is reported when it is collected.
    mistakes = [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR]
    assert mistakes == []


Example = Callable[..., Coroutine[Any, Any, None]]


async def run_examples(once: Example, **strategies: st.SearchStrategy[Any]) -> None:
    """Let hypothesis, which cannot await, try `once` with many values in this event loop."""
    loop = asyncio.get_running_loop()

    @MODERATE
    @given(**strategies)
    def examples(**values: Any) -> None:
        asyncio.run_coroutine_threadsafe(once(**values), loop).result(4 * SECONDS)

    await asyncio.to_thread(examples)


# Bytes


@BY
async def test_arbitrary_bytes(
    by: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any bytes may come, also as the first bytes of a connection, which decide who serves it."""
    async with fuzzed(by, tmp_path, caplog, monkeypatch) as server:

        async def once(sent: list[bytes]) -> None:
            async with attacker(server, by) as client:
                for data in sent:
                    client.send(data)
                    await asyncio.sleep(0)
                await client.finish()

        await run_examples(once, sent=st.lists(st.binary(max_size=1500), min_size=1, max_size=5))


Mutation = Callable[[bytes], bytes]
PLACE = st.floats(0, 1, exclude_max=True)


def _flip(place: float, bits: int) -> Mutation:
    def mutate(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :] if data else data

    return mutate


def _set_length(place: int, length: int) -> Mutation:
    """Change the length in the header of the message, or of an attribute near its start."""

    def mutate(data: bytes) -> bytes:
        return data[:place] + length.to_bytes(2, "big") + data[place + 2 :]

    return mutate


def _repeat(start: float, size: int, times: int) -> Mutation:
    """Repeat a piece, such as an attribute, several times."""

    def mutate(data: bytes) -> bytes:
        at = 20 + int(start * len(data)) // 4 * 4
        return data[:at] + data[at : at + size] * times + data[at:]

    return mutate


MUTATION: st.SearchStrategy[Mutation] = (
    st.builds(_flip, PLACE, st.integers(1, 255))
    | st.builds(_set_length, st.sampled_from([2, 22, 26, 30, 34]), st.integers(0, 65535))
    | st.builds(_set_length, st.just(2), st.just(65535))
    | st.builds(_repeat, PLACE, st.sampled_from([4, 8, 12, 24]), st.integers(1, 50))
    | PLACE.map(lambda place: lambda data: data[: int(place * len(data))])
    | st.binary(max_size=40).map(lambda more: lambda data: data + more)
)


def valid_messages(peer: Peer, port: int) -> list[bytes]:
    """One correct message of each kind that a client sends."""
    transaction = secrets.token_bytes(12)
    named = (Attribute.XOR_PEER_ADDRESS, stun.xor_address(RELAY_HOST, port, transaction))
    same: dict[str, Any] = {"transaction": transaction}
    return [
        request(Method.BINDING),
        signed(peer, Method.ALLOCATE, [transport(), lifetime(600)]),
        signed(peer, Method.REFRESH, [lifetime(600)]),
        signed(peer, Method.CREATE_PERMISSION, [named, named], **same),
        signed(peer, Method.CHANNEL_BIND, [channel(0x4000), named], **same),
        send_indication(port, b"data"),
        channel_data(0x4000, b"data"),
    ]


@BY
async def test_damaged_messages(
    by: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of every kind may come with bytes changed, cut off, added or repeated, and with
    wrong lengths, with and without an allocation.
    """
    async with fuzzed(by, tmp_path, caplog, monkeypatch) as server:

        async def once(allocated: bool, damages: list[tuple[int, list[Mutation]]]) -> None:
            async with attacker(server, by) as client:
                await client.challenge()
                port = await client.allocate() if allocated else 2000
                for which, mutations in damages:
                    data = valid_messages(client.peer, port)[which]
                    for mutate in mutations:
                        data = mutate(data)
                    client.send(data)
                await client.finish()

        damage = st.tuples(st.integers(0, 6), st.lists(MUTATION, max_size=3))
        await run_examples(
            once, allocated=st.booleans(), damages=st.lists(damage, min_size=1, max_size=8)
        )


# With a second one of these, the message would not be signed, or not be a message at all.
_SIGNING = (Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT)
KIND = (st.sampled_from(sorted(Attribute)) | st.integers(0, 0xFFFF)).filter(
    lambda kind: kind not in _SIGNING
)
READ = st.sampled_from(
    [
        Attribute.CHANNEL_NUMBER,
        Attribute.LIFETIME,
        Attribute.XOR_PEER_ADDRESS,
        Attribute.DATA,
        Attribute.REQUESTED_ADDRESS_FAMILY,
        Attribute.EVEN_PORT,
        Attribute.REQUESTED_TRANSPORT,
        Attribute.RESERVATION_TOKEN,
        Attribute.ADDITIONAL_ADDRESS_FAMILY,
    ]
)
"""What stands in no way of a request's being looked at, as an unknown or a second NONCE does."""
VALUE = (
    st.sampled_from([b"", bytes(4), bytes(8), bytes(20), b"\xff" * 4, b"\x80", b"\x40\0\0\0"])
    | st.binary(max_size=40)
    | st.integers(0, 700).map(bytes)
)
ATTRIBUTES = st.lists(st.tuples(READ, VALUE), max_size=2) | st.lists(
    st.tuples(KIND, VALUE), max_size=12
)


@BY
async def test_signed_nonsense(
    by: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client with credentials can sign any attributes, so that the relay really reads them: it
    answers each known request and keeps working.
    """
    async with fuzzed(by, tmp_path, caplog, monkeypatch) as server:

        async def once(
            allocated: bool, asked: list[tuple[Method, bool, list[tuple[int, bytes]]]]
        ) -> None:
            async with attacker(server, by) as client:
                await client.challenge()
                port = await client.allocate() if allocated else 2000
                for method, right, attributes in asked:
                    transaction = secrets.token_bytes(12)
                    named = stun.xor_address(RELAY_HOST, port, transaction)
                    good = [
                        transport(),
                        channel(0x4001),
                        (Attribute.XOR_PEER_ADDRESS, named),
                    ]
                    message = signed(
                        client.peer,
                        method,
                        [*attributes, *(good if right else [])],
                        transaction=transaction,
                    )
                    if method in (Method.SEND, Method.DATA):
                        client.send(message)
                        client.send(stun.encode(method, Kind.INDICATION, transaction, attributes))
                    else:
                        assert (await client.answer(message)).kind in (Kind.SUCCESS, Kind.ERROR)
                await client.finish()

        one = st.tuples(st.sampled_from(sorted(Method)), st.booleans(), ATTRIBUTES)
        await run_examples(
            once, allocated=st.booleans(), asked=st.lists(one, min_size=1, max_size=6)
        )


@BY
async def test_channel_data_of_any_length(
    by: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ChannelData may claim any length, on bound and other channels: the peer, here the client
    itself, gets exactly the claimed length.
    """
    async with fuzzed(by, tmp_path, caplog, monkeypatch) as server:

        async def once(sent: list[tuple[int, int, bytes]]) -> None:
            async with attacker(server, by) as client:
                await client.challenge()
                port = await client.allocate()
                # To itself: the data comes back, so both directions are tested.
                for message in valid_messages(client.peer, port)[3:5]:
                    assert code(await client.answer(message)) == 0
                for number, length, data in sent:
                    header = number.to_bytes(2, "big") + length.to_bytes(2, "big")
                    client.send(header + data)
                await client.finish()
                for packet in client.others:
                    assert len(packet) == 4 + int.from_bytes(packet[2:4], "big")

        number = st.just(0x4000) | st.integers(0x4000, 0x7FFF)
        length = st.integers(0, 300) | st.integers(0, 65535) | st.sampled_from([65001, 65535])
        data = st.binary(max_size=300) | st.integers(0, 60000).map(bytes)
        await run_examples(
            once, sent=st.lists(st.tuples(number, length, data), min_size=1, max_size=6)
        )
