"""Clients of every transport behind one face, for the tests that each transport must pass."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection

from tests.signaling.transport import client as websocket_client

SECONDS = websocket_client.SECONDS


class Peer(Protocol):
    """A client of the server, whatever carries its messages; every wait has a limit."""

    async def send(self, **message: Any) -> None:
        """Send a message, given as keyword arguments."""

    async def send_text(self, text: str | bytes) -> None:
        """Send any text or bytes."""

    async def receive(self) -> dict[str, Any]:
        """The next message; fails where the connection closes instead."""

    async def receive_type(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of this type."""

    async def register(self, role: str, **fields: Any) -> dict[str, Any]:
        """Register and give the answer."""

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end, passing over messages: close code and reason."""

    async def leave(self) -> None:
        """Say goodbye."""

    def break_off(self) -> None:
        """End the connection without a word, as a network that is gone does."""

    def deafen(self) -> None:
        """Read nothing any more, neither messages nor pings, though the socket stays open."""


class WebSocketPeer(websocket_client.Client):
    """A client over /ws."""

    deaf = False

    async def leave(self) -> None:
        """Close with a close frame."""
        self.socket.close(1000)

    def break_off(self) -> None:
        """Close the socket with no close frame."""
        _stream(self.socket).close()

    def deafen(self) -> None:
        """Take the socket from the event loop, so that Tornado answers no ping either."""
        self.deaf = True
        stream = _stream(self.socket)
        stream.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        IOLoop.current().remove_handler(stream.fileno())


def _stream(socket: WebSocketClientConnection) -> Any:
    return socket.protocol.stream  # type: ignore[union-attr]


class HttpPeer:
    """A client over /events and /send, on a bare socket: what is tested is also when bytes come.

    Attributes
    ----------
    headers: those of the stream's response, their names in lower case.
    session: the secret that the first event brought.
    pings: how many have come.
    answers: whether it answers them.
    """

    def __init__(
        self,
        origin: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        headers: dict[str, str],
    ) -> None:
        self.headers = headers
        self.session = ""
        self.pings = 0
        self.answers = True
        self._origin = origin
        self._reader = reader
        self._writer = writer
        self._messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._ending: tuple[int | None, str | None] = (None, None)
        self._opened = asyncio.Event()
        self._pump = asyncio.create_task(self._read(), name="reader of a test's stream")

    @classmethod
    async def connect(cls, link: str, headers: str = "") -> Self:
        """Open the stream of the server that a link leads to.

        Parameters
        ----------
        headers: further lines of the request, each with its CRLF.
        """
        place = urlsplit(link)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        request = f"GET /events HTTP/1.1\r\nHost: {place.netloc}\r\n{headers}\r\n"
        writer.write(request.encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)).decode()
        status, *lines = head.strip().split("\r\n")
        assert status == "HTTP/1.1 200 OK", head
        found = (line.partition(": ") for line in lines)
        return cls(
            f"http://{place.netloc}", reader, writer, {n.lower(): value for n, _, value in found}
        )

    async def send(self, **message: Any) -> None:
        """POST a message."""
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str | bytes) -> None:
        """POST any text or bytes; the server takes them without a word."""
        await self.opened()
        assert await self.post("/send", text, {"Lenscast-Session": self.session}) == 204

    async def opened(self) -> str:
        """Wait for the first event; the session's secret."""
        await asyncio.wait_for(self._opened.wait(), SECONDS)
        return self.session

    async def post(self, path: str, body: str | bytes, headers: dict[str, str]) -> int:
        """POST to a path; the status of the answer."""
        answer = await AsyncHTTPClient().fetch(
            self._origin + path,
            method="POST",
            body=body,
            headers=headers,
            raise_error=False,
            request_timeout=SECONDS,
        )
        return answer.code

    async def receive(self) -> dict[str, Any]:
        """The next message; fails where the stream ends instead."""
        message = await asyncio.wait_for(self._messages.get(), SECONDS)
        assert message is not None, f"closed: {self._ending}"
        return message

    async def receive_type(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of this type."""
        message = await self.receive()
        assert message["type"] == kind, message
        return message

    async def register(self, role: str, **fields: Any) -> dict[str, Any]:
        """Register and give the answer."""
        await self.send(type="register", role=role, **fields)
        return await self.receive_type("registered")

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end, passing over messages: what `event: close` said."""
        async with asyncio.timeout(SECONDS):
            while await self._messages.get() is not None:
                pass
        return self._ending

    async def leave(self) -> None:
        """POST the goodbye."""
        headers = {"Lenscast-Session": self.session, "Lenscast-Close": "1"}
        assert await self.post("/send", "", headers) == 204

    def break_off(self) -> None:
        """Close the socket of the stream."""
        self._pump.cancel()
        self._writer.transport.abort()

    def deafen(self) -> None:
        """Read nothing any more; so no ping is answered either."""
        self._pump.cancel()
        self._writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def close(self) -> None:
        """End it, and fail where reading has failed."""
        self._pump.cancel()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump

    async def _read(self) -> None:
        async for event, data in self._events():
            match event:
                case "open":
                    self.session = json.loads(data)["session"]
                    self._opened.set()
                case "ping":
                    self.pings += 1
                    if not self.answers:
                        continue
                    headers = {"Lenscast-Session": self.session}
                    # 404: the stream was closed meanwhile.
                    assert await self.post("/send", "", headers) in (204, 404)
                case "close":
                    said = json.loads(data)
                    self._ending = (said["code"], said["reason"])
                case "":
                    self._messages.put_nowait(json.loads(data))
                case _:
                    raise AssertionError(f"unknown event {event}")
        self._messages.put_nowait(None)

    async def _events(self) -> AsyncIterator[tuple[str, str]]:
        """Each event's name and data; every chunk must hold whole events."""
        while size := await self._chunk_size():
            chunk = (await self._reader.readexactly(size + 2)).removesuffix(b"\r\n").decode()
            assert chunk.endswith("\n\n"), chunk
            for block in chunk.removesuffix("\n\n").split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.split("\n"))
                yield fields.get("event", ""), fields["data"]

    async def _chunk_size(self) -> int:
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return 0
        return int(line or b"0", 16)


@contextlib.asynccontextmanager
async def websocket(link: str) -> AsyncIterator[WebSocketPeer]:
    """A client over a WebSocket, closed at the end."""
    opened = await WebSocketPeer.connect(link)
    try:
        yield opened
    finally:
        if opened.deaf:  # The answering close frame would never be seen.
            opened.break_off()
        opened.socket.close()
        # Tornado's client reads no further than one message that nobody takes.
        await opened.closed()


@contextlib.asynccontextmanager
async def http(link: str) -> AsyncIterator[HttpPeer]:
    """A client over HTTP, closed at the end."""
    opened = await HttpPeer.connect(link)
    try:
        yield opened
    finally:
        await opened.close()


Transport = Callable[[str], AbstractAsyncContextManager[Peer]]
"""Opens a client of the server that a link leads to."""

TRANSPORTS: dict[str, Transport] = {"websocket": websocket, "http": http}
