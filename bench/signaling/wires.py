"""The connections of many light clients: WebSockets, or event streams and POSTs."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

HOST = "127.0.0.1"

Take = Callable[[bytes], None]
"""Receives one message."""


class Wire(Protocol):
    """The connection of one client.

    Attributes
    ----------
    lost: whether it has ended without `close` or `abort`.
    """

    lost: bool

    def send(self, text: str) -> None:
        """Send a message."""

    def close(self) -> None:
        """Say goodbye."""

    def abort(self) -> None:
        """End it without saying goodbye."""


class WebSocketWire(asyncio.Protocol):
    """A WebSocket.

    `websockets` does the protocol without I/O, because its own asyncio client needs more CPU time
    than some of the servers that this measures.
    """

    def __init__(self, uri: WebSocketURI, take: Take) -> None:
        self.lost = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._take = take
        self._closing = False
        self._protocol = ClientProtocol(uri)
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, port: int, path: str, take: Take) -> "WebSocketWire":
        """Connect, and wait for the end of the handshake."""
        uri = parse_uri(f"ws://{HOST}:{port}{path}")
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: cls(uri, take), HOST, port)
        await wire.opened
        return wire

    def send(self, text: str) -> None:
        """Send a message."""
        self._protocol.send_text(text.encode())
        self._flush()

    def close(self) -> None:
        """Send a close frame; the server closes the socket."""
        self._closing = True
        self._protocol.send_close(1000)
        self._flush()

    def abort(self) -> None:
        """Close the socket."""
        self._closing = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's hook."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """Asyncio's hook."""
        self.lost = not self._closing
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))

    def data_received(self, data: bytes) -> None:
        """Asyncio's hook."""
        self._protocol.receive_data(data)
        if not self.opened.done():
            self._end_handshake()
        for event in self._protocol.events_received():
            # No server here sends a message in fragments.
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._take(bytes(event.data))
        self._flush()

    def _end_handshake(self) -> None:
        if (error := self._protocol.handshake_exc) is not None:
            self.opened.set_exception(ConnectionError(str(error)))
        elif self._protocol.state is not State.CONNECTING:
            self.opened.set_result(None)

    def _flush(self) -> None:
        """Send what the protocol wants to send, also its answers to pings."""
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:  # The end of the stream.
                self._transport.close()


class HttpWire(asyncio.Protocol):
    """An event stream, and a second connection for POSTs, whose answers nobody waits for."""

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
            # The lines between the events are sizes of chunks, and have no colon.
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
    """The connection for POSTs, kept open as in a browser. Their answers are ignored."""

    closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
