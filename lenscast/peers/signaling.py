"""A client of the signaling server: joins a room by its link and carries messages.

Owns the WebSocket of a peer that lives in Python. Imports `signaling.links`, `.protocol` and
`.errors`, and Tornado; touches no media.
"""

import asyncio
import logging
import ssl
from types import TracebackType
from typing import Self

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from signaling import protocol
from signaling.errors import Code, Refusal
from signaling.links import read_link
from signaling.protocol import ClientMessage, Error, Register, Registered, ServerMessage

log = logging.getLogger(__name__)

CLOSE_SECONDS = 0.8
PING_SECONDS = 15.0
PONG_SECONDS = 10.0
MAX_MESSAGE_BYTES = 1 << 20

NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_CLOSE_FRAME = 1006


class ConnectionEnded(ConnectionError):
    """The connection to the signaling server is over.

    Parameters
    ----------
    code: the WebSocket's close code (RFC 6455 7.4.1); 1006 where no close frame came.
    reason: what the server said, or what went wrong.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The connection to the server has ended ({code}). {reason}".rstrip())
        self.code = code
        self.reason = reason


class SignalingClient:
    """A connection to the server that a link leads to, as an async context manager.

    Entering connects and registers. Whoever enters must then `receive` all the time: nothing is
    queued here but one message, so a client that does not read answers no ping either, and the
    server lets it go.

    Parameters
    ----------
    link: the link of a sender or receiver, as the server prints it.
    name: what other peers are told, at most 64 characters.
    ssl_context: for https links whose certificate the system does not trust, such as
        `ssl.create_default_context(cafile="ca.pem")`.
    timeout: seconds for connecting and registering together.

    Raises
    ------
    ValueError: it is not a link.
    """

    registered: Registered
    """The server's answer: the peer's own id, its room and its ICE servers."""

    def __init__(
        self,
        link: str,
        *,
        name: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.link = read_link(link)
        self._name = name
        self._ssl_context = ssl_context
        self._timeout = timeout
        self._socket: WebSocketClientConnection | None = None
        self._ended: ConnectionEnded | None = None
        self._read_all = False

    async def __aenter__(self) -> Self:
        """Connect and register.

        Raises
        ------
        Refusal: the server does not let this peer in; with its code and sentence.
        ConnectionError: the server cannot be reached, or does not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout):
                self._socket = await self._connect()
                await self._register()
        except TimeoutError as error:
            await self.close()
            raise ConnectionError(
                f"{self.link.origin} did not answer within {self._timeout:g} s."
            ) from error
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the room."""
        await self.close()

    async def receive(self) -> ServerMessage:
        """The next message. Messages of a type that this version does not know are passed over.

        Raises
        ------
        ConnectionEnded: there are no more; also each time it is called after that.
        """
        while True:
            text = await self._read()
            try:
                return protocol.parse_from_server(text)
            except Refusal as refusal:
                if refusal.code != Code.UNKNOWN_TYPE:
                    raise self._end(PROTOCOL_ERROR, refusal.sentence) from refusal
                log.debug("passed over: %s", refusal.sentence)

    async def send(self, message: ClientMessage) -> None:
        """Send a message, and wait until its bytes are with the system.

        Raises
        ------
        ConnectionEnded: the connection is over.
        """
        if self._ended is not None or self._socket is None:
            raise self._end(NORMAL, "It was closed here.")
        try:
            await self._socket.write_message(protocol.encode(message))
        except (WebSocketClosedError, StreamClosedError) as error:
            raise self._closed(self._socket) from error

    async def close(self) -> None:
        """Close the connection, within a second. Doing so twice is harmless."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        stream = socket.protocol.stream if socket.protocol else None
        socket.close(NORMAL)
        self._end(NORMAL, "It was closed here.")
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not self._read_all:
                    self._read_all = await socket.read_message() is None
        except TimeoutError:
            # The server does not answer the close frame; Tornado would wait for it for 5 s.
            if stream is not None:
                stream.close()

    async def _connect(self) -> WebSocketClientConnection:
        request = HTTPRequest(
            "ws" + self.link.origin.removeprefix("http") + "/ws",
            connect_timeout=self._timeout,
            request_timeout=self._timeout,
            ssl_options=self._ssl_context,
        )
        # With read_message Tornado's queue holds one message and its reader waits for room in
        # it; with a callback there is no limit.
        connecting = asyncio.ensure_future(
            websocket_connect(
                request,
                ping_interval=PING_SECONDS,
                ping_timeout=PONG_SECONDS,
                max_message_size=MAX_MESSAGE_BYTES,
            )
        )
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_unwanted)
            raise
        except (OSError, HTTPClientError, WebSocketError) as error:
            raise ConnectionError(f"Cannot reach {self.link.origin}: {error}") from error

    async def _register(self) -> None:
        link = self.link
        await self.send(Register(link.role, link.room, link.key, self._name))
        answer = await self.receive()
        match answer:
            case Registered():
                self.registered = answer
            case Error():
                raise _refusal(answer)
            case _:
                raise self._end(PROTOCOL_ERROR, f"{answer.type} came before registered.")

    async def _read(self) -> str | bytes:
        if self._ended is not None or self._socket is None:
            raise self._end(NORMAL, "It was closed here.")
        text = await self._socket.read_message()
        if text is None:
            self._read_all = True
            raise self._closed(self._socket)
        return text

    def _closed(self, socket: WebSocketClientConnection) -> ConnectionEnded:
        return self._end(socket.close_code or NO_CLOSE_FRAME, socket.close_reason or "")

    def _end(self, code: int, reason: str) -> ConnectionEnded:
        if self._ended is None:
            self._ended = ConnectionEnded(code, reason)
        return self._ended


def _refusal(error: Error) -> Refusal | ConnectionEnded:
    try:
        return Refusal(Code(error.code), error.message)
    except ValueError:  # A code of a newer server.
        return ConnectionEnded(1008, error.message)


def _close_unwanted(connecting: "asyncio.Future[WebSocketClientConnection]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
