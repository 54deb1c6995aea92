"""HTTP in place of a WebSocket: GET /events brings a client its messages, POST /send takes them.

Owns the stream's writer and heartbeat, and the table of sessions that leads a POST to its stream;
knows nothing of what the messages say. The format is that of server-sent events (WHATWG HTML 9.2).
"""

import asyncio
import json
import logging
import secrets

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.routing import Rule
from tornado.web import RequestHandler, stream_request_body, url

from signaling.config import Limits
from signaling.room.refusal import Refusal
from signaling.transport.connection import Connection, bound_kernel_buffer
from signaling.transport.hub import POLICY_VIOLATION, Hub, error_text
from signaling.transport.outbox import Ending

log = logging.getLogger(__name__)

SESSION_HEADER = "Lenscast-Session"
CLOSE_HEADER = "Lenscast-Close"

_SECRET_BYTES = 16
_MAX_BODY = 4
"""How many times the message limit a POST may hold: up to there the client gets an error message
on its stream, past it HTTP's own error."""

_LAST_EVENT_SECONDS = 1.0
"""How long the last event may take; who does not read it in time is cut off."""

_GOODBYE_SECONDS = 5.0
"""How long after its stream was cut a client may say goodbye: of a page that is being closed,
Chromium ends the stream before it sends what is left to be sent."""

Sessions = dict[str, "EventsHandler"]
"""The open streams, each by a secret of 128 bits that its client alone knows. It is not logged."""


def routes(hub: Hub, limits: Limits) -> list[Rule]:
    """The paths of this transport.

    Parameters
    ----------
    hub: what each stream connects to.
    limits: the times of the heartbeat.
    """
    sessions: Sessions = {}
    return [
        url("/events", EventsHandler, {"hub": hub, "limits": limits, "sessions": sessions}),
        url("/send", SendHandler, {"limits": limits, "sessions": sessions}),
        url("/bye", ByeHandler, {"sessions": sessions}),
    ]


class EventsHandler(RequestHandler):
    """GET /events: one client's stream, open for as long as the client is here."""

    def initialize(self, hub: Hub, limits: Limits, sessions: Sessions) -> None:
        """Tornado's constructor: what the routing table gives."""
        # A compressed stream would cost 256 KiB of zlib's memory for each client.
        self.request.headers.pop("Accept-Encoding", None)
        self._hub = hub
        self._limits = limits
        self._sessions = sessions
        self._connection: Connection | None = None
        self._pong = asyncio.Event()
        # Tornado forgets the future of a flush when the next one begins.
        self._flushing = asyncio.Lock()
        self._ending: asyncio.Future[Ending | None] = asyncio.get_running_loop().create_future()

    def set_default_headers(self) -> None:
        """Nothing on the way may keep the events, or hold them back (nginx does by default)."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")

    async def get(self) -> None:
        """Carry messages until the client, the hub or the heartbeat ends it."""
        # Small events that others wait for: Nagle's algorithm would hold them back.
        _http(self).stream.set_nodelay(True)
        if not _http(self).stream.closed():
            bound_kernel_buffer(_http(self).stream.socket)
        origin = f"{self.request.protocol}://{self.request.host}"
        address = self.request.remote_ip or ""
        try:
            connection = self._hub.connect(origin, address, "http", self._drop)
        except Refusal as refusal:
            self.write(_event(error_text(refusal)))
            await self._close(Ending(POLICY_VIOLATION, refusal.code))
            return
        self._connection = connection
        await self._carry(connection)

    def on_connection_close(self) -> None:
        """The socket is closed, and nobody said goodbye."""
        self._end(None)

    @property
    def ended(self) -> bool:
        """Whether nothing more is taken but a goodbye."""
        return self._ending.done()

    def take(self, text: bytes) -> None:
        """The client has sent a message."""
        if self._connection is not None:
            self._hub.receive(self._connection, text)

    def take_pong(self) -> None:
        """The client has answered a ping."""
        self._pong.set()

    def leave(self) -> None:
        """The client has said goodbye."""
        if self._connection is not None:
            self._hub.disconnect(self._connection, left=True)
        self._end(Ending(1000, ""))

    async def _carry(self, connection: Connection) -> None:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._sessions[secret] = self
        tasks = [
            self._own(self._write(connection, secret), "writer"),
            self._own(self._beat(connection), "heartbeat"),
        ]
        try:
            ending = await self._ending
            for task in tasks:
                task.cancel()
            if ending is not None:
                await self._close(ending)
        finally:
            self._hub.disconnect(connection, left=False)
            self._forget_later(secret)

    def _forget_later(self, secret: str) -> None:
        """Wait for a goodbye, where none was said and nothing was told."""
        if self._ending.done() and self._ending.result() is None:
            loop = asyncio.get_running_loop()
            loop.call_later(_GOODBYE_SECONDS, self._sessions.pop, secret)
        else:
            del self._sessions[secret]

    def _own(self, work: "asyncio._CoroutineLike[None]", name: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the %s of a stream failed", task.get_name(), exc_info=error)
            self._end(Ending(1011, "The server made a mistake."))

    async def _write(self, connection: Connection, secret: str) -> None:
        try:
            opened = {"session": secret, "ping": self._limits.ping_seconds}
            await self._emit(json.dumps(opened), "open")
            while isinstance(item := await connection.outbox.get(), str):
                await self._emit(item)
        except StreamClosedError:
            self._end(None)
        else:
            self._end(item)

    async def _beat(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_seconds)
            self._pong.clear()
            try:
                async with asyncio.timeout(self._limits.pong_seconds):
                    await self._emit("{}", "ping")
                    await self._pong.wait()
            except StreamClosedError:
                self._end(None)
                return
            except TimeoutError:
                if connection.outbox.read_within(self._limits.pong_seconds):
                    continue  # It is slow, not gone: the ping waits behind what it reads.
                self._hub.disconnect(connection, left=False)
                self._end(Ending(1001, "No answer to a ping."))
                return

    async def _emit(self, data: str, event: str = "") -> None:
        """Send one event; waits until its bytes are with the kernel, so that a slow client fills
        its outbox, never Tornado's write buffer."""
        async with self._flushing:
            self.write(_event(data, event))
            await self.flush()

    def _drop(self, code: int, reason: str) -> None:
        self._end(Ending(code, reason))

    def _end(self, ending: Ending | None) -> None:
        # None: the client cannot be told any more. What ended the stream first is what counts.
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _close(self, ending: Ending) -> None:
        data = json.dumps({"code": ending.code, "reason": ending.reason})
        try:
            async with asyncio.timeout(_LAST_EVENT_SECONDS):
                await self._emit(data, "close")
                await self.finish()
        except (StreamClosedError, TimeoutError):
            _http(self).stream.close()


@stream_request_body
class SendHandler(RequestHandler):
    """POST /send: a message of the session that the header names, or the answer to a ping."""

    def initialize(self, limits: Limits, sessions: Sessions) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._max_body = limits.message_bytes * _MAX_BODY
        self._sessions = sessions
        self._stream: EventsHandler | None = None
        self._body = bytearray()

    def prepare(self) -> None:
        """The headers are there: allow larger bodies than the rest of the site does."""
        _http(self).set_max_body_size(self._max_body)
        stream = self._sessions.get(self.request.headers.get(SESSION_HEADER, ""))
        goodbye = self.request.headers.get(CLOSE_HEADER) == "1"
        self._stream = stream if stream and (goodbye or not stream.ended) else None

    def data_received(self, chunk: bytes) -> None:
        """A part of the body is there; a stranger's is not kept."""
        if self._stream is not None:
            self._body += chunk

    def post(self) -> None:
        """Hand it to its stream, where any error of the message is told too."""
        stream = self._stream
        if stream is None:
            _no_session(self)
            return
        if self.request.headers.get(CLOSE_HEADER) == "1":
            stream.leave()
        elif self._body:
            stream.take(bytes(self._body))
        else:
            stream.take_pong()
        self.set_status(204)


class ByeHandler(RequestHandler):
    """POST /bye: goodbye of the session whose secret is the body.

    A page that is being closed can send a body but no header (navigator.sendBeacon).
    """

    def initialize(self, sessions: Sessions) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._sessions = sessions

    def post(self) -> None:
        """End its stream."""
        stream = self._sessions.get(self.request.body.decode("ascii", "replace"))
        if stream is None:
            _no_session(self)
            return
        stream.leave()
        self.set_status(204)


def _http(handler: RequestHandler) -> HTTP1Connection:
    connection = handler.request.connection
    assert isinstance(connection, HTTP1Connection)  # noqa: S101 - Tornado has no other
    return connection


def _event(data: str, event: str = "") -> str:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {data}\n\n"


def _no_session(handler: RequestHandler) -> None:
    handler.set_status(404)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.finish("There is no such session (any more): open /events again.\n")
