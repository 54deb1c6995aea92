"""A client of the signaling server: joins a room by its link, carries messages, and comes back.

Owns the WebSocket of a peer that lives in Python, and opens another one as the same peer when it
breaks. Imports `signaling.room.links`, `.protocol` and
`.errors`, and Tornado; touches no media.
"""

import asyncio
import itertools
import logging
import random
import ssl
from collections import deque
from collections.abc import Iterable
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

from signaling.room import messages
from signaling.room.links import read_link
from signaling.room.messages import (
    ClientMessage,
    Error,
    PeerConnected,
    PeerDisconnected,
    PeerInfo,
    Register,
    Registered,
    ServerMessage,
    TurnConfig,
)
from signaling.room.refusal import Code, Refusal

log = logging.getLogger(__name__)

CLOSE_SECONDS = 0.8
PING_SECONDS = 15.0
PONG_SECONDS = 10.0
MAX_MESSAGE_BYTES = 1 << 20

DELAYS = (0.3, 1.2, 2.7, 4.8, 7.0)
"""Seconds before each try to come back, more or less by a fifth; the last one again and again."""
COME_BACK_SECONDS = 60.0
"""After that it is over: a server keeps a seat for `limits.resume_seconds`, 45 by default."""
LOST_SECONDS = COME_BACK_SECONDS
"""Who is not in the room after a resume may still be on the way, as after a restart of the server;
after that it is lost."""

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_CLOSE_FRAME = 1006
SERVER_MISTAKE = 1011

_COMES_BACK_AFTER = (GOING_AWAY, NO_CLOSE_FRAME, SERVER_MISTAKE)


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

    When the connection breaks, or the server stops, `receive` opens another one as the same peer,
    with its id, while `send` waits. Other peers that are away for a while are not reported, so
    whoever uses this keeps its media connections; who came or went meanwhile is. Where the server
    takes it for a new peer, all others are first reported as gone. Fresh ICE servers come as a
    `TurnConfig` either way.

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
    """The server's newest answer: the peer's own id, its room and its ICE servers."""

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
        self._heart: asyncio.Task[None] | None = None
        self._usable = asyncio.Event()
        self._ended: ConnectionEnded | None = None
        self._read_all = False
        self._token: str | None = None
        self._met: dict[str, str] = {}
        self._missing: dict[str, float] = {}  # Who of them was not listed, and when it is lost.
        self._news: deque[ServerMessage] = deque()

    async def __aenter__(self) -> Self:
        """Connect and register.

        Raises
        ------
        Refusal: the server does not let this peer in; with its code and sentence.
        ConnectionError: the server cannot be reached, or does not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._join()
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
            if self._ended is not None:
                raise self._ended
            self._tell_of_lost()
            if self._news:
                return self._news.popleft()
            try:
                message = await self._read(min(self._missing.values(), default=None))
            except TimeoutError:
                pass
            except ConnectionEnded as ended:
                await self._come_back(ended)
            else:
                if self._is_news(message):
                    return message

    async def send(self, message: ClientMessage) -> None:
        """Send a message, and wait until its bytes are with the system.

        It waits while `receive` opens another connection.

        Raises
        ------
        ConnectionEnded: the connection is over.
        """
        while True:
            await self._usable.wait()
            if self._ended is not None or self._socket is None:
                raise self._end(ConnectionEnded(NORMAL, "It was closed here."))
            socket = self._socket
            try:
                await self._write(socket, message)
                return
            except ConnectionEnded:
                if socket is self._socket and self._ended is None:
                    self._usable.clear()  # Until whoever receives has noticed, and has mended it.

    async def close(self) -> None:
        """Close the connection, within a second. Doing so twice is harmless."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self._heart is not None:
            self._heart.cancel()
        stream = socket.protocol.stream if socket.protocol else None
        socket.close(NORMAL)
        self._end(ConnectionEnded(NORMAL, "It was closed here."))
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not self._read_all:
                    self._read_all = await socket.read_message() is None
        except TimeoutError:
            # The server does not answer the close frame; Tornado would wait for it for 5 s.
            if stream is not None:
                stream.close()

    async def _join(self) -> None:
        if self._socket is not None:
            _cut(self._socket)
        self._socket = await self._connect()
        self._read_all = False
        if self._heart is not None:
            self._heart.cancel()
        self._heart = asyncio.create_task(_beat(self._socket), name="heartbeat of a client")
        self._heart.add_done_callback(_report_death)
        await self._register(self._socket)
        self._usable.set()

    async def _come_back(self, ended: ConnectionEnded) -> None:
        """Go on by another connection; raises what ended the old one where that fails."""
        self._usable.clear()
        if ended.code not in _COMES_BACK_AFTER:
            raise self._end(ended)
        clock = asyncio.get_running_loop().time
        until = clock() + COME_BACK_SECONDS
        for delay in itertools.chain(DELAYS, itertools.repeat(DELAYS[-1])):
            pause = delay * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            if clock() + pause > until:
                raise self._end(ended)
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._timeout):
                    await self._join()
            except (ConnectionError, Refusal, TimeoutError) as error:
                log.info("not back yet: %s", error)
            else:
                self._tell_of_return()
                return

    def _tell_of_return(self) -> None:
        if not self.registered.resumed:
            self._lose(self._met)
        self._news.append(TurnConfig(self.registered.ice_servers))
        if self.registered.resumed:
            self._compare(self.registered.peers)

    def _compare(self, peers: tuple[PeerInfo, ...]) -> None:
        """Find out what was said into a connection that was broken already."""
        listed = {peer.id for peer in peers}
        lost_at = asyncio.get_running_loop().time() + LOST_SECONDS
        self._missing = {
            peer: self._missing.get(peer, lost_at) for peer in self._met if peer not in listed
        }
        here = (PeerConnected(peer.role, peer.id, peer.name) for peer in peers if not peer.away)
        self._news.extend(message for message in here if self._is_news(message))

    def _tell_of_lost(self) -> None:
        now = asyncio.get_running_loop().time()
        self._lose([peer for peer, lost_at in self._missing.items() if lost_at <= now])

    def _lose(self, peers: Iterable[str]) -> None:
        for peer in list(peers):
            self._missing.pop(peer, None)
            self._news.append(PeerDisconnected(self._met.pop(peer), peer, "lost"))

    def _is_news(self, message: ServerMessage) -> bool:
        if isinstance(message, PeerConnected | PeerDisconnected):
            self._missing.pop(message.id, None)
        match message:
            case PeerConnected():
                known = message.id in self._met
                self._met[message.id] = message.peer
                return not known
            case PeerDisconnected(reason="away"):
                return False
            case PeerDisconnected():
                self._met.pop(message.id, None)
        return True

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

    async def _register(self, socket: WebSocketClientConnection) -> None:
        link = self.link
        register = Register(link.role, link.room, link.key, self._name, self._token)
        await self._write(socket, register)
        answer = await self._read()
        match answer:
            case Registered():
                self.registered = answer
                self._token = answer.resume
            case Error():
                raise _refusal(answer)
            case _:
                raise ConnectionEnded(PROTOCOL_ERROR, f"{answer.type} came before registered.")

    async def _write(self, socket: WebSocketClientConnection, message: ClientMessage) -> None:
        try:
            await socket.write_message(messages.encode(message))
        except (WebSocketClosedError, StreamClosedError) as error:
            raise _closed(socket) from error

    async def _read(self, until: float | None = None) -> ServerMessage:
        """The next message; TimeoutError where none has come by then, by the event loop's time."""
        while True:
            if self._ended is not None or self._socket is None:
                raise self._end(ConnectionEnded(NORMAL, "It was closed here."))
            socket = self._socket
            text = await _next_text(socket, until)
            if text is None:
                self._read_all = True
                raise self._ended or _closed(socket)
            try:
                return messages.parse_from_server(text)
            except Refusal as refusal:
                if refusal.code != Code.UNKNOWN_TYPE:
                    raise ConnectionEnded(PROTOCOL_ERROR, refusal.sentence) from refusal
                log.debug("passed over: %s", refusal.sentence)

    def _end(self, ended: ConnectionEnded) -> ConnectionEnded:
        if self._ended is None:
            self._ended = ended
        self._usable.set()  # Whoever waits to send is told.
        return self._ended


async def _next_text(socket: WebSocketClientConnection, until: float | None) -> str | bytes | None:
    if until is None:
        return await socket.read_message()
    reading = asyncio.ensure_future(socket.read_message())
    try:
        # Unlike asyncio.timeout this loses no message that comes in the last moment.
        left = until - asyncio.get_running_loop().time()
        await asyncio.wait((reading,), timeout=left)
        if not reading.done():
            raise TimeoutError
        return reading.result()
    finally:
        reading.cancel()


async def _beat(socket: WebSocketClientConnection) -> None:
    """Cut a connection by which nothing comes any more.

    Tornado's own heartbeat would say goodbye, with a close frame that may arrive later on: then
    the server would give this peer's seat away.
    """
    pong = asyncio.Event()
    socket.on_pong = lambda data: pong.set()  # type: ignore[method-assign]
    while True:
        await asyncio.sleep(PING_SECONDS)
        pong.clear()
        try:
            socket.ping()
            await asyncio.wait_for(pong.wait(), PONG_SECONDS)
        except (WebSocketClosedError, StreamClosedError):
            return
        except TimeoutError:
            _cut(socket)
            return


def _cut(socket: WebSocketClientConnection) -> None:
    """Close a connection without a goodbye."""
    if socket.protocol is not None and socket.protocol.stream is not None:
        socket.protocol.stream.close()
    socket.close()


def _closed(socket: WebSocketClientConnection) -> ConnectionEnded:
    return ConnectionEnded(socket.close_code or NO_CLOSE_FRAME, socket.close_reason or "")


def _report_death(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the %s failed", task.get_name(), exc_info=error)


def _refusal(error: Error) -> Refusal | ConnectionEnded:
    try:
        return Refusal(Code(error.code), error.message)
    except ValueError:  # A code of a newer server.
        return ConnectionEnded(1008, error.message)


def _close_unwanted(connecting: "asyncio.Future[WebSocketClientConnection]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
