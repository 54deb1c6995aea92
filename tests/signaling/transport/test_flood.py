"""One client sends as fast as it can, and a pair still exchanges its candidates.

The flood comes from a thread of its own with blocking sockets: its bytes are there whenever the
server looks, so a server that never gives way to others would serve nobody else.
"""

import asyncio
import contextlib
import json
import os
import secrets
import select
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aioice.turn import TurnClientTcpProtocol

from signaling import config
from signaling.server import SignalingServer
from signaling.transport import framing
from tests.loopback import ATTACKER, needs_addresses
from tests.running_server import running_server
from tests.signaling.transport.client import Client, client
from tests.signaling.transport.raw import SECONDS
from tests.turn.client import request, transport
from tests.turn.turns import in_turns
from turn.embedded import EmbeddedTurn
from turn.stun import Method

HOST = "127.0.0.1"
CANDIDATES = 100  # Each way.
AT_ONCE = 20
BURST = 300  # Enough for the pair's messages, and little enough to be passed at once.
REST_SECONDS = 0.002  # The kernel's buffers are full then: the server has enough to do meanwhile.
PATIENCE = 30.0  # For what takes as long as the machine needs.

Flood = Callable[[threading.Event], None]


class Seen:
    """Looks for certain words in the answers to a flood."""

    def __init__(self, *words: bytes) -> None:
        self.missing = set(words)
        self._tail = b""

    def take(self, data: bytes) -> None:
        """Read the next bytes."""
        text = self._tail + data
        self.missing -= {word for word in self.missing if word in text}
        self._tail = text[-64:]


@contextlib.asynccontextmanager
async def flooding(flood: Flood) -> AsyncIterator[None]:
    """Run a flood until the end of the block; fail if the flood ends earlier."""
    stop = threading.Event()
    task = asyncio.create_task(asyncio.to_thread(flood, stop))
    try:
        yield
        assert not task.done(), "the flood has ended before the pair was done"
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


def settings(**limits: float) -> config.Config:
    """Rates that a flood exceeds quickly, and further limits."""
    few = {"messages_per_second": 1, "message_burst": BURST, "connections_per_second": 1e6}
    return config.from_values({"access": "open", "limits": {**few, **limits}})


@contextlib.asynccontextmanager
async def pair(server: SignalingServer) -> AsyncIterator[tuple[Client, Client]]:
    """A sender and a receiver that have met in the room."""
    async with client(server.receiver_link) as sender, client(server.receiver_link) as receiver:
        await sender.register("sender", room="pair")
        await receiver.register("receiver", room="pair")
        await sender.receive_type("peer-connected")
        await receiver.receive_type("peer-connected")
        yield sender, receiver


async def exchange(sender: Client, receiver: Client) -> None:
    """Send candidates from each side in turn, a few at a time; all arrive in order."""
    async with asyncio.timeout(PATIENCE):
        for start in range(0, CANDIDATES, AT_ONCE):
            sent = [{"candidate": str(start + n), "sdpMid": "0"} for n in range(AT_ONCE)]
            for one, other in ((sender, receiver), (receiver, sender)):
                await asyncio.gather(
                    *(one.send(type="ice-candidate", candidate=candidate) for candidate in sent)
                )
                for candidate in sent:
                    came = (await other.receive_type("ice-candidate"))["candidate"]
                    assert came == {**candidate, "sdpMLineIndex": None}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the flood causes."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


# Messages


def connect(port: int, source: str = "") -> socket.socket:
    """A blocking connection with a time limit."""
    return socket.create_connection((HOST, port), SECONDS, (source, 0) if source else None)


def read_until(connection: socket.socket, word: bytes) -> bytes:
    """Read up to a word, or to the end if it does not come."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while word not in data and (part := connection.recv(65536)):
            data += part
    return data


def pour(
    into: socket.socket, block: bytes, seen: Seen, stop: threading.Event, *listen: socket.socket
) -> None:
    """Send a block of bytes over and over while reading the answers, until the other side ends it.

    Parameters
    ----------
    listen: further sockets from which answers come.
    """
    pending = memoryview(b"")
    sources = [into, *listen]
    for connection in sources:
        connection.setblocking(False)
    with contextlib.suppress(ConnectionError):
        while not stop.is_set():
            with contextlib.suppress(BlockingIOError):
                while not stop.is_set():
                    pending = pending or memoryview(block)
                    pending = pending[into.send(pending) :]
            readable, _, _ = select.select(sources, [], [], 0)
            for connection in readable:
                data = connection.recv(1 << 20)
                if not data:
                    return
                seen.take(data)
            time.sleep(REST_SECONDS)


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """One masked frame of up to 125 bytes (RFC 6455 5.2)."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return struct.pack("!BB", opcode | 0x80 * fin, 0x80 | len(payload)) + mask + masked


REGISTER = json.dumps({"type": "register", "role": "sender", "room": "flood"}).encode()
STATE = json.dumps({"type": "state", "state": {}}).encode()
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STREAM = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def post(session: str, body: bytes) -> bytes:
    """A POST to /send on a connection that stays open."""
    head = f"POST /send HTTP/1.1\r\nHost: {HOST}\r\nLenscast-Session: {session}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def flood_websocket(port: int, seen: Seen, start: bytes, block: bytes) -> Flood:
    """Pour frames into a WebSocket, and into a new one when it is closed."""

    def flood(stop: threading.Event) -> None:
        while not stop.is_set():
            with connect(port) as connection:
                connection.sendall(HANDSHAKE + frame(1, REGISTER))
                assert b'"registered"' in read_until(connection, b'"registered"')
                connection.sendall(start)
                pour(connection, block, seen, stop)

    return flood


def flood_http(port: int, seen: Seen) -> Flood:
    """Pour POSTs into a connection without waiting for the answers."""

    def flood(stop: threading.Event) -> None:
        while not stop.is_set():
            with connect(port) as stream, connect(port) as sending:
                stream.sendall(STREAM)
                opened = read_until(stream, b"}\n\n")
                session = json.loads(opened.partition(b"data: ")[2].partition(b"\n")[0])["session"]
                sending.sendall(post(session, REGISTER))
                assert b'"registered"' in read_until(stream, b'"registered"')
                pour(sending, post(session, STATE) * 100, seen, stop, stream)

    return flood


async def test_messages_over_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that floods its WebSocket is refused, a few messages at a time."""
    refusals: list[str] = []
    async with (
        running_server(settings(), tmp_path) as server,
        pair(server) as both,
        in_turns(lambda: len(refusals)),
    ):
        monkeypatch.setattr(server.metrics, "refused", refusals.append)
        # The flood's answers do not tell: when a connection is cut while it sends, the kernel drops
        # what was not read yet.
        flood = flood_websocket(server.local_port, Seen(), b"", frame(1, STATE) * 1000)
        async with flooding(flood):
            await until(lambda: "too-many-messages" in refusals)
            await exchange(*both)


async def test_posts_over_the_rate(tmp_path: Path) -> None:
    """A client that floods the server with POSTs is refused and disturbs nobody."""
    async with running_server(settings(), tmp_path) as server, pair(server) as both:
        seen = Seen(b"too-many-messages")
        async with flooding(flood_http(server.local_port, seen)):
            await until(lambda: not seen.missing)
            await exchange(*both)


@pytest.mark.parametrize(
    ("start", "block"),
    [
        pytest.param(b"", frame(0xA, b"x" * 20), id="pongs"),
        pytest.param(b"", frame(0x9, b"x" * 20), id="pings"),
        pytest.param(frame(1, b"{", fin=False), frame(0, b"", fin=False), id="empty pieces"),
    ],
)
async def test_frames_that_are_no_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, block: bytes
) -> None:
    """Frames that no limit counts still take no more than their turn."""
    frames = 0
    take = framing.StrictProtocol._take_frame

    def counted(self: framing.StrictProtocol) -> bool:
        nonlocal frames
        frames += 1
        return take(self)

    monkeypatch.setattr(framing.StrictProtocol, "_take_frame", counted)
    async with (
        running_server(settings(), tmp_path) as server,
        pair(server) as both,
        in_turns(lambda: frames),
    ):
        flood = flood_websocket(server.local_port, Seen(), start, block * 1000)
        async with flooding(flood):
            await until(lambda: server.health()["rooms"] == 2)
            await exchange(*both)


# Connections


def flood_connections(port: int, seen: Seen) -> Flood:
    """Open thirty connections at once, read what each is told, and open the next thirty."""

    def flood(stop: threading.Event) -> None:
        while not stop.is_set():
            with contextlib.ExitStack() as stack:
                batch = [stack.enter_context(connect(port, ATTACKER)) for _ in range(30)]
                for connection in batch:
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(STREAM)
                for connection in batch:
                    # It is `open` or the refusal, and past the rate for HTTP nothing at all.
                    seen.take(read_until(connection, b"}\n\n"))

    return flood


@needs_addresses
async def test_connections_over_the_rate(tmp_path: Path) -> None:
    """An address that opens too many connections is refused; peers that are there stay, and other
    addresses can still connect."""
    limits = settings(connections_per_second=20)
    async with running_server(limits, tmp_path) as server, pair(server) as both:
        seen = Seen(b"event: open", b"too-many-connections")
        async with flooding(flood_connections(server.local_port, seen)):
            await until(lambda: not seen.missing)
            await exchange(*both)
            async with pair(server) as (sender, _):
                await sender.send(type="state", state={})


# The relay


def stun_messages() -> list[bytes]:
    """Messages that need no credentials but cost the relay something, and garbage."""
    return [
        secrets.token_bytes(200),
        request(Method.BINDING),
        request(Method.ALLOCATE, [transport()]),
        b"\x40\x00\x00\x04data",
        b"",
    ]


def flood_udp(port: int) -> Flood:
    """Send datagrams and read none of the answers."""

    def flood(stop: threading.Event) -> None:
        messages = stun_messages()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.connect((HOST, port))
            while not stop.is_set():
                for message in messages * 100:
                    # Each system has its own error for a socket whose buffer is full.
                    with contextlib.suppress(OSError):
                        sending.send(message)
                time.sleep(REST_SECONDS)

    return flood


def flood_stun(port: int) -> Flood:
    """Pour requests into a TCP connection on the shared port, and read the answers."""

    def flood(stop: threading.Event) -> None:
        block = b"".join(stun_messages()[1:4]) * 200
        while not stop.is_set():
            with connect(port) as connection:
                pour(connection, block, Seen(), stop)

    return flood


async def allocate(server: SignalingServer) -> None:
    """A new client gets a relayed address and gives it back."""
    grant = server.turn.issue("newcomer", server.room, server.receiver_link, time.time())
    user, password = (grant.ice_servers[0][name] for name in ("username", "credential"))
    to = (HOST, server.port)
    connection, protocol = await asyncio.get_running_loop().create_connection(
        lambda: TurnClientTcpProtocol(to, user, password, 600, 500), *to
    )
    await asyncio.wait_for(protocol.connect(), PATIENCE)
    await asyncio.wait_for(protocol.delete(), PATIENCE)
    connection.close()


@pytest.mark.parametrize("flood", [flood_udp, flood_stun], ids=["udp", "tcp"])
async def test_packets_at_the_relay(tmp_path: Path, flood: Callable[[int], Flood]) -> None:
    """A client without credentials gets nothing for all its packets; signaling goes on, and the
    relay serves a new client."""
    async with running_server(settings(), tmp_path) as server, pair(server) as both:
        turn = server.turn
        assert isinstance(turn, EmbeddedTurn)

        def counted(name: str, reason: str) -> int:
            counts = turn.figures()[name]
            assert isinstance(counts, dict)
            return counts.get(reason, 0)

        async with (
            in_turns(lambda: counted("refusals", "401")),
            flooding(flood(server.port)),
        ):
            await until(lambda: counted("refusals", "401") > 0)
            await until(lambda: counted("drops", "no allocation") > 0)
            refused = counted("refusals", "401")
            await exchange(*both)
            await allocate(server)
            assert counted("refusals", "401") > refused
        assert turn.figures()["allocations"] == 0
