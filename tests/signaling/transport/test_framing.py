"""WebSocket framing against a running server (RFC 6455 5 and 7): right, wrong and hostile."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signaling import config
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.client import Client, client
from tests.signaling.transport.raw import SECONDS, Raw, raw

# Generous: tests here send many messages, and do not test their rate.
OPEN = config.from_values(
    {
        "access": "open",
        "turn": {"mode": "none"},
        "limits": {
            "messages_per_second": 1e6,
            "message_burst": 1000000,
            "connections_per_second": 1e6,
        },
    }
)
MAX_BYTES = 4 * OPEN.limits.message_bytes
TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
FIN, MASKED = 0x80, 0x80
REGISTER = json.dumps({"type": "register", "role": "sender"}).encode()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """One frame (RFC 6455 5.2); `length` is a wrong length for its header."""
    size = len(payload) if length is None else length
    first = (FIN if fin else 0) | reserved | opcode
    bit = MASKED if masked else 0
    if size < 126:
        header = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        header = struct.pack("!BBH", first, bit | 126, size)
    else:
        header = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return header + payload
    mask = os.urandom(4)
    return header + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Socket:
    """The client's end after the handshake."""

    def __init__(self, connection: Raw) -> None:
        self.connection = connection

    def send(self, *frames: bytes) -> None:
        self.connection.send(b"".join(frames))

    async def next(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, second = await self.connection.read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.connection.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.connection.read(8))
        return first & 0x0F, await self.connection.read(size)

    async def message(self) -> dict[str, Any]:
        """The next text message."""
        opcode, payload = await self.next()
        assert opcode == TEXT, (opcode, payload)
        read: dict[str, Any] = json.loads(payload)
        return read

    async def end(self) -> int | None:
        """Skip to the end: the server's close code, or None if it closes without one."""
        try:
            while True:
                opcode, payload = await self.next()
                if opcode == CLOSE:
                    return int(struct.unpack("!H", payload[:2])[0]) if payload else 1005
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


@contextlib.asynccontextmanager
async def opened(
    server: SignalingServer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Socket]:
    """A socket after its handshake, made by hand."""
    async with raw(server.port if tls else server.local_port, ssl=tls) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        connection.send(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert (await connection.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield Socket(connection)


@contextlib.asynccontextmanager
async def beside_another(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[SignalingServer]:
    """A server with a pair of clients that must go on whatever a third one does, and without any
    error in its log."""
    async with running_server(OPEN, folder) as server:
        async with client(server.receiver_link) as sender, client(server.receiver_link) as receiver:
            await sender.register("sender", room="bystanders")
            await receiver.register("receiver", room="bystanders")
            await receiver.receive_type("peer-connected")
            await sender.receive_type("peer-connected")
            yield server
            await goes_on(sender, receiver)
        await until_gone(server)
    mistakes = [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR]
    assert mistakes == []


async def goes_on(sender: Client, receiver: Client) -> None:
    """Both still hear each other."""
    await sender.send(type="state", state={"status": "live"})
    assert (await receiver.receive_type("state"))["state"] == {"status": "live"}
    await receiver.send(type="control", settings={})
    await sender.receive_type("control")


async def until_gone(server: SignalingServer) -> None:
    """Wait until nobody is connected."""
    async with asyncio.timeout(SECONDS):
        while connected(server):
            await asyncio.sleep(0.01)


def connected(server: SignalingServer) -> int:
    """How many clients the metrics say are connected now."""
    lines = server.metrics.text().decode().splitlines()
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in lines
        if line.startswith("lenscast_connections{")
    )


async def test_a_message_may_come_in_pieces(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fragments make one message, with control frames between them (RFC 6455 5.4)."""
    async with beside_another(tmp_path, caplog) as server, opened(server) as socket:
        socket.send(
            frame(TEXT, REGISTER[:5], fin=False),
            frame(PING, b"still here"),
            frame(CONTINUATION, REGISTER[5:9], fin=False),
            frame(CONTINUATION, b"", fin=False),
            frame(CONTINUATION, REGISTER[9:]),
        )
        assert await socket.next() == (PONG, b"still here")
        assert (await socket.message())["type"] == "registered"


async def test_a_message_may_come_byte_by_byte(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not matter how TCP cuts the stream."""
    async with beside_another(tmp_path, caplog) as server, opened(server) as socket:
        for byte in frame(TEXT, REGISTER):
            socket.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await socket.message())["type"] == "registered"


async def test_many_messages_may_come_at_once_by_tls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All of those in one record are taken, however many, and one that takes several records."""
    async with beside_another(tmp_path, caplog) as server:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with opened(server, trusting) as socket:
            times = [json.dumps({"type": "time", "sent": n}).encode() for n in range(200)]
            padded = times[-1] + b" " * 60_000
            socket.send(frame(TEXT, REGISTER), *(frame(TEXT, time) for time in times))
            socket.send(frame(TEXT, padded))
            assert (await socket.message())["type"] == "registered"
            assert [(await socket.message())["sent"] for _ in range(201)] == [*range(200), 199]


async def test_a_pong_that_nobody_asked_for_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A pong may come as a heartbeat (RFC 6455 5.5.3)."""
    async with beside_another(tmp_path, caplog) as server, opened(server) as socket:
        socket.send(frame(PONG, b"x" * 125), frame(TEXT, REGISTER))
        assert (await socket.message())["type"] == "registered"


async def test_a_binary_message_is_read_like_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both hold JSON in UTF-8; other bytes are answered with an error."""
    async with beside_another(tmp_path, caplog) as server, opened(server) as socket:
        socket.send(frame(BINARY, REGISTER))
        assert (await socket.message())["type"] == "registered"
        socket.send(frame(BINARY, b"\xff\xfe\x00"))
        assert (await socket.message())["code"] == "bad-json"


async def test_a_large_message_is_answered_and_a_huge_one_ends_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Past the limit the answer is an error; far past it 1009, even before the bytes are there."""
    async with beside_another(tmp_path, caplog) as server:
        async with opened(server) as socket:
            socket.send(frame(TEXT, REGISTER))
            await socket.message()
            socket.send(frame(TEXT, b"x" * (OPEN.limits.message_bytes + 1)))
            assert (await socket.message())["code"] == "message-too-large"
        async with opened(server) as socket:
            socket.send(frame(TEXT, b"", length=MAX_BYTES + 1))
            assert await socket.end() == 1009
        async with opened(server) as socket:
            socket.send(frame(TEXT, b"x" * MAX_BYTES, fin=False), frame(CONTINUATION, b"x"))
            assert await socket.end() == 1009
        async with opened(server) as socket:
            socket.send(frame(TEXT, b"", length=2**63 - 1))
            assert await socket.end() == 1009


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([frame(TEXT, b"\xff\xfe")], 1007, id="bad UTF-8"),
        pytest.param([frame(TEXT, b"\xed\xa0\x80")], 1007, id="a surrogate in UTF-8"),
        pytest.param([frame(TEXT, b"{}", masked=False)], 1002, id="unmasked"),
        pytest.param([frame(TEXT, b"{", fin=False, masked=False)], 1002, id="unmasked piece"),
        pytest.param([frame(PING, b"x", masked=False)], 1002, id="unmasked ping"),
        pytest.param(
            [frame(TEXT, b"\xc3", fin=False), frame(CONTINUATION, b"x")], 1007, id="UTF-8 in pieces"
        ),
        pytest.param([frame(CLOSE, b"\x03\xe8\xff")], 1007, id="a reason that is no UTF-8"),
        pytest.param([frame(TEXT, b"{}", reserved=0x40)], 1002, id="RSV1"),
        pytest.param([frame(TEXT, b"{}", reserved=0x20)], 1002, id="RSV2"),
        pytest.param([frame(TEXT, b"{}", reserved=0x10)], 1002, id="RSV3"),
        pytest.param([frame(0x3, b"x")], 1002, id="unknown opcode"),
        pytest.param([frame(0xB, b"x")], 1002, id="unknown control opcode"),
        pytest.param([frame(PING, b"x" * 126)], 1002, id="a ping too long"),
        pytest.param([frame(PING, b"x", fin=False)], 1002, id="a ping in pieces"),
        pytest.param([frame(CLOSE, b"x" * 126)], 1002, id="a close too long"),
        pytest.param([frame(CONTINUATION, b"x")], 1002, id="a piece of nothing"),
        pytest.param(
            [frame(TEXT, b"x", fin=False), frame(TEXT, b"y")], 1002, id="a message in a message"
        ),
    ],
)
async def test_a_frame_that_breaks_the_rules_ends_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: list[bytes], code: int
) -> None:
    """The connection fails with the code for that fault (RFC 6455 7.1.7)."""
    async with beside_another(tmp_path, caplog) as server, opened(server) as socket:
        socket.send(*frames)
        assert await socket.end() == code


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x03",
        struct.pack("!H", 1000),
        struct.pack("!H", 1001) + b"going away",
        struct.pack("!H", 4999),
        struct.pack("!H", 0),
        struct.pack("!H", 999),
        struct.pack("!H", 1004),
        struct.pack("!H", 1005),
        struct.pack("!H", 1006),
        struct.pack("!H", 1015),
        struct.pack("!H", 65535),
        struct.pack("!H", 1000) + b"\xff\xfe",
    ],
)
async def test_any_close_frame_ends_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, payload: bytes
) -> None:
    """Even a forbidden code, half a code, or a reason that is not text ends it."""
    async with beside_another(tmp_path, caplog) as server, opened(server) as socket:
        socket.send(frame(TEXT, REGISTER))
        await socket.message()
        socket.send(frame(CLOSE, payload))
        await socket.end()
        await socket.connection.rest()


async def test_what_is_left_in_the_middle_ends_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that goes away within a frame, a message or a handshake leaves nothing behind."""
    async with beside_another(tmp_path, caplog) as server:
        for part in (frame(TEXT, REGISTER)[:3], frame(TEXT, b"x", fin=False), b"\x81\xff\x00"):
            async with opened(server) as socket:
                socket.send(part)
        async with raw(server.local_port) as connection:
            connection.send(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: web")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["role", "room", "key", "name", "resume", "sdp", "candidate", "to", "settings", "state"]
)
MESSAGE = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["register", "offer", "answer", "ice-candidate", "control", "state", "error", "x"]
        )
        | JSON
    },
).flatmap(lambda base: st.dictionaries(FIELDS, JSON, max_size=5).map(lambda more: {**base, **more}))
SENT = st.lists(
    st.tuples(
        st.sampled_from([TEXT, BINARY]),
        st.binary(max_size=200)
        | JSON.map(lambda value: json.dumps(value).encode())
        | MESSAGE.map(lambda value: json.dumps(value).encode()),
    ),
    min_size=1,
    max_size=6,
)


async def send_and_wait(server: SignalingServer, payloads: list[bytes], registered: bool) -> None:
    """Send bytes, say goodbye, and wait until the server has handled all of it."""
    async with opened(server) as socket:
        if registered:
            socket.send(frame(TEXT, REGISTER))
            await socket.message()
        socket.send(*payloads, frame(CLOSE, struct.pack("!H", 1000)))
        await socket.end()


def test_no_message_whatever_it_holds_makes_the_server_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Arbitrary bytes and JSON, before and after `register`, are answered or refused, without an
    error in the log; afterwards nobody is connected."""

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(sent=SENT, registered=st.booleans())
    def fuzz(sent: list[tuple[int, bytes]], registered: bool) -> None:
        frames = [frame(opcode, payload) for opcode, payload in sent]
        runner.run(send_and_wait(server, frames, registered))

    with asyncio.Runner() as runner:
        context = beside_another(tmp_path, caplog)
        server = runner.run(context.__aenter__())
        fuzz()
        runner.run(context.__aexit__(None, None, None))


def test_no_bytes_whatever_they_are_make_the_server_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Arbitrary bytes in place of frames leave no error in the log and nobody connected."""

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(sent=st.lists(st.binary(min_size=1, max_size=64), min_size=1, max_size=4))
    def fuzz(sent: list[bytes]) -> None:
        async def once() -> None:
            async with opened(server) as socket:
                for part in sent:
                    socket.send(part)
                    await asyncio.sleep(0)

        runner.run(once())

    with asyncio.Runner() as runner:
        context = beside_another(tmp_path, caplog)
        server = runner.run(context.__aenter__())
        fuzz()
        runner.run(context.__aexit__(None, None, None))
