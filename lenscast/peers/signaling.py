"""A client of the signaling server: joins a room by its link, carries messages, and comes back.

Knows the messages, not what carries their text: that is a `Transport`. Touches no media.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import ssl
from types import TracebackType
from typing import Self

from lenscast.peers.memory import Memory
from lenscast.peers.roster import Roster
from lenscast.peers.transport import Connection, Transport
from lenscast.peers.websocket import WebSocketTransport
from signaling.room import messages
from signaling.room.links import read_link
from signaling.room.messages import (
    ClientMessage,
    DocumentVersion,
    Error,
    Register,
    Registered,
    ServerMessage,
)
from signaling.room.refusal import Code, Refusal
from signaling.transport.outbox import Ending

log = logging.getLogger(__name__)

DELAYS = (0.3, 1.2, 2.7, 4.8, 7.0)
"""Seconds before each try to come back, more or less by a fifth; the last one again and again."""
COME_BACK_SECONDS = 60.0
"""When to give up: a server keeps a place for `limits.resume_seconds`, 45 by default."""

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_CLOSE_FRAME = 1006
SERVER_MISTAKE = 1011

_COMES_BACK_AFTER = (GOING_AWAY, NO_CLOSE_FRAME, SERVER_MISTAKE)
"""Not after 4001 (this peer goes on by another connection) or 4003 (it was removed, or the room
was ended), nor after a refusal."""


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

    Entering connects and registers. Whoever enters must then `receive` all the time: little is
    queued here, and the server lets a client go that does not read.

    When the connection breaks, or the server stops, `receive` opens another one as the same peer,
    with its id, while `send` waits. Other peers that are away for a while are not reported, so
    the user of this client keeps its media connections with them; peers that came or went
    meanwhile are reported. Where the server takes it for a new peer, all others are first
    reported as gone. Fresh ICE servers come as a `TurnConfig` either way.

    Parameters
    ----------
    link: the link of a page, as the server prints it.
    name: what other peers are told, at most 64 characters.
    ssl_context: for https links whose certificate the system does not trust, such as
        `ssl.create_default_context(cafile="ca.pem")`.
    timeout: seconds for connecting and registering together.
    transport: what carries the messages; None for a WebSocket.
    role: the role to ask for; None for the one that the link's page asks for.
    room_type: the kind of room; None for a camera room.

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
        transport: Transport | None = None,
        role: str | None = None,
        room_type: str | None = None,
    ) -> None:
        self.link = read_link(link)
        self._role = role or self.link.role
        self._room_type = room_type
        self._memory = Memory()
        self._name = name
        self._timeout = timeout
        self._transport: Transport = transport or WebSocketTransport(ssl_context, timeout)
        self._connection: Connection | None = None
        self._usable = asyncio.Event()
        self._ended: ConnectionEnded | None = None
        self._token: str | None = None
        self._roster = Roster()

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

    def offers_to(self, peer_id: str) -> bool:
        """Whether this client makes the offers to a peer that it has met."""
        return self._roster.offers_to(peer_id)

    async def receive(self) -> ServerMessage:
        """The next message. Messages of a type that this version does not know are passed over.

        Raises
        ------
        ConnectionEnded: there are no more; also each time it is called after that.
        """
        while True:
            if self._ended is not None:
                raise self._ended
            if (news := self._roster.news(_now())) is not None:
                return news
            try:
                message = await self._read(self._roster.due)
            except TimeoutError:
                pass
            except ConnectionEnded as ended:
                await self._come_back(ended)
            else:
                if (newer := self._memory.take(message)) is not None:
                    await self._hand_back(newer)
                elif self._roster.take(message, self.registered):
                    return message

    async def send(self, message: ClientMessage) -> None:
        """Send a message, and wait until it has left this process.

        It waits while `receive` opens another connection.

        Raises
        ------
        ConnectionEnded: the connection is over.
        """
        while True:
            await self._usable.wait()
            if self._ended is not None or self._connection is None:
                raise self._end(_closed_here())
            connection = self._connection
            try:
                await connection.send(messages.encode(message))
                return
            except ConnectionError:
                if connection is self._connection and self._ended is None:
                    self._usable.clear()  # Until `receive` has noticed, and has another one.

    async def close(self) -> None:
        """Close the connection, within a second. Doing so twice is harmless."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._end(_closed_here())
            await connection.close()

    async def _hand_back(self, newer: DocumentVersion) -> None:
        # Not by `send`: where the connection breaks, that waits until `receive` has another one,
        # and this is a part of `receive`. After a break the server tells its own version again.
        if self._connection is not None:
            with contextlib.suppress(ConnectionError):
                await self._connection.send(messages.encode(newer))

    async def _join(self) -> None:
        if self._connection is not None:
            self._connection.cut()
        self._connection = await self._transport.connect(self.link.origin)
        await self._register(self._connection)
        self._usable.set()

    async def _register(self, connection: Connection) -> None:
        link = self.link
        register = Register(
            self._role,
            link.room,
            link.key,
            self._name,
            self._token,
            self._room_type,
            self._memory.heard,
        )
        try:
            await connection.send(messages.encode(register))
        except ConnectionError as error:
            raise ConnectionEnded(NO_CLOSE_FRAME, str(error)) from error
        answer = await self._read()
        match answer:
            case Registered():
                if not answer.resumed:
                    self._memory = Memory()
                self.registered = answer
                self._token = answer.resume
            case Error():
                raise _refusal(answer)
            case _:
                raise ConnectionEnded(PROTOCOL_ERROR, f"{answer.type} came before registered.")

    async def _come_back(self, ended: ConnectionEnded) -> None:
        """Open another connection; raises what ended the old one where that fails."""
        self._usable.clear()
        if ended.code not in _COMES_BACK_AFTER:
            raise self._end(ended)
        until = _now() + COME_BACK_SECONDS
        for delay in itertools.chain(DELAYS, itertools.repeat(DELAYS[-1])):
            pause = delay * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            if _now() + pause > until:
                raise self._end(ended)
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._timeout):
                    await self._join()
            except (ConnectionError, Refusal, TimeoutError) as error:
                log.info("not back yet: %s", error)
            else:
                self._roster.came_back(self.registered, _now())
                return

    async def _read(self, until: float | None = None) -> ServerMessage:
        """The next message; TimeoutError if none has come by then, by the event loop's clock."""
        while True:
            if self._ended is not None or self._connection is None:
                raise self._end(_closed_here())
            item = await _next_of(self._connection, until)
            if isinstance(item, Ending):
                raise self._ended or ConnectionEnded(item.code, item.reason)
            try:
                return messages.parse_from_server(item)
            except Refusal as refusal:
                if refusal.code != Code.UNKNOWN_TYPE:
                    raise ConnectionEnded(PROTOCOL_ERROR, refusal.sentence) from refusal
                log.debug("passed over: %s", refusal.sentence)

    def _end(self, ended: ConnectionEnded) -> ConnectionEnded:
        if self._ended is None:
            self._ended = ended
        self._usable.set()  # Whoever waits to send is told.
        return self._ended


def _closed_here() -> ConnectionEnded:
    return ConnectionEnded(NORMAL, "It was closed here.")


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _next_of(connection: Connection, until: float | None) -> str | bytes | Ending:
    if until is None:
        return await connection.receive()
    reading = asyncio.ensure_future(connection.receive())
    try:
        # Unlike asyncio.timeout, this loses no message that comes at the last moment.
        await asyncio.wait((reading,), timeout=until - _now())
        if not reading.done():
            raise TimeoutError
        return reading.result()
    finally:
        reading.cancel()


def _refusal(error: Error) -> Refusal | ConnectionEnded:
    try:
        return Refusal(Code(error.code), error.message)
    except ValueError:  # A code of a newer server.
        return ConnectionEnded(1008, error.message)
