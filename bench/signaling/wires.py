"""What carries messages of many light clients: a bare WebSocket, or an event stream and POSTs.

Owns as much of RFC 6455, and of HTTP, as a load generator needs: no call of a library for each
message. Imports nothing of the project.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Protocol

HOST = "127.0.0.1"

Take = Callable[[bytes], None]
"""Takes one message that has come."""

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA  # RFC 6455 11.8


class Wire(Protocol):
    """Carries one client's messages.

    Attributes
    ----------
    lost: whether it has ended without being asked to.
    """

    lost: bool

    def send(self, text: str) -> None:
        """Send a message."""

    def close(self) -> None:
        """Say goodbye."""

    def abort(self) -> None:
        """End it without a word."""


class WebSocketWire(asyncio.Protocol):
    """A WebSocket. Its frames are masked with zeros, which is allowed and costs nothing."""

    def __init__(self, take: Take) -> None:
        self.lost = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._take = take
        self._buffer = bytearray()
        self._closing = False
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, port: int, path: str, take: Take) -> "WebSocketWire":
        """Connect, and wait for the end of the handshake."""
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_connection(lambda: cls(take), HOST, port)
        transport.write(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await wire.opened
        return wire

    def send(self, text: str) -> None:
        """Send a message."""
        self._frame(_TEXT, text.encode())

    def close(self) -> None:
        """Send a close frame; the server closes the socket."""
        self._closing = True
        self._frame(_CLOSE, struct.pack("!H", 1000))

    def abort(self) -> None:
        """Close the socket."""
        self._closing = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's hook."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        """Asyncio's hook."""
        self.lost = not self._closing
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))

    def data_received(self, data: bytes) -> None:
        """Asyncio's hook."""
        self._buffer += data
        if not self.opened.done():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.opened.set_exception(ConnectionError(head.decode()))
                return
            self._buffer = rest
            self.opened.set_result(None)
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        """Take one whole frame from the buffer; False where there is none."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1], 2
        if size == 126 and len(buffer) >= 4:
            size, start = struct.unpack_from("!H", buffer, 2)[0], 4
        elif size == 127 and len(buffer) >= 10:
            size, start = struct.unpack_from("!Q", buffer, 2)[0], 10
        elif size >= 126:
            return False
        if len(buffer) < start + size:
            return False
        payload = bytes(buffer[start : start + size])
        opcode = buffer[0] & 0x0F
        del buffer[: start + size]
        if opcode == _TEXT:
            self._take(payload)
        elif opcode == _PING:
            self._frame(_PONG, payload)
        return True

    def _frame(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        self._transport.write(head + bytes(4) + payload)


class HttpWire(asyncio.Protocol):
    """An event stream, and a second connection for POSTs, which are not waited for."""

    def __init__(self, port: int, take: Take) -> None:
        self.lost = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._port = port
        self._take = take
        self._buffer = bytearray()
        self._closing = False
        self._session = ""
        self._stream: asyncio.Transport
        self._posts: _Posts | None = None
        self._posting: asyncio.Task[None] | None = None
        self._waiting: list[bytes] = []

    @classmethod
    async def open(cls, port: int, path: str, take: Take) -> "HttpWire":
        """Connect, and wait for the first event."""
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_connection(lambda: cls(port, take), HOST, port)
        transport.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        await wire.opened
        return wire

    def send(self, text: str) -> None:
        """POST a message."""
        self._post(text.encode())

    def close(self) -> None:
        """POST the goodbye."""
        self._closing = True
        self._post(b"", "Lenscast-Close: 1\r\n")

    def abort(self) -> None:
        """Close the sockets."""
        self._closing = True
        self._stream.abort()
        self._end_posts()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's hook."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._stream = transport

    def connection_lost(self, _error: Exception | None) -> None:
        """Asyncio's hook."""
        self.lost = not self._closing
        self._end_posts()
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before the first event"))

    def data_received(self, data: bytes) -> None:
        """Asyncio's hook."""
        self._buffer += data
        while b"\n\n" in self._buffer:
            block, _, self._buffer = self._buffer.partition(b"\n\n")
            # Between the events stand the sizes of the chunks, which are no fields.
            lines = (line.partition(b": ") for line in bytes(block).split(b"\n"))
            fields = {name: value for name, colon, value in lines if colon}
            self._take_event(fields.get(b"event", b""), fields[b"data"])

    def _take_event(self, event: bytes, data: bytes) -> None:
        if event == b"":
            self._take(data)
        elif event == b"ping":
            self._post(b"")
        elif event == b"open":
            self._session = data.decode().split('"')[3]
            self.opened.set_result(None)
        elif event == b"close":
            self.lost = not self._closing
            self._stream.close()

    def _post(self, body: bytes, more: str = "") -> None:
        head = (
            f"POST /send HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n{more}"
            f"Lenscast-Session: {self._session}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        if self._posts is not None and not self._posts.closed:
            self._posts.transport.write(request)
            return
        self._waiting.append(request)
        if self._posting is None:
            self._posting = asyncio.create_task(self._open_posts())

    async def _open_posts(self) -> None:
        try:
            _, posts = await asyncio.get_running_loop().create_connection(_Posts, HOST, self._port)
        except OSError:
            self.lost = True
            return
        finally:
            self._posting = None
        self._posts = posts
        posts.transport.write(b"".join(self._waiting))
        self._waiting.clear()

    def _end_posts(self) -> None:
        if self._posts is not None:
            self._posts.transport.close()


class _Posts(asyncio.Protocol):
    """The connection for POSTs, kept open as a browser does. What is answered shows elsewhere."""

    closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
