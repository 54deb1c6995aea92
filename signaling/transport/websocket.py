"""The WebSocket at /ws: carries text between one client and the hub.

Owns its writer and its heartbeat; knows nothing of what the messages say.
"""

import asyncio
import logging

from tornado.iostream import StreamClosedError
from tornado.websocket import (
    WebSocketClosedError,
    WebSocketHandler,
    WebSocketProtocol,
    WebSocketProtocol13,
)

from signaling.config import Limits
from signaling.room.refusal import Refusal
from signaling.transport.connection import Connection, bound_kernel_buffer
from signaling.transport.framing import StrictProtocol
from signaling.transport.hub import POLICY_VIOLATION, Hub, error_text
from signaling.transport.outbox import Ending

log = logging.getLogger(__name__)

FRAME_FACTOR = 4
"""How many times the message limit Tornado takes before it closes with 1009: up to there the
client gets an error message and keeps its connection."""

_CONTROL_FRAME_BYTES = 4096  # What pings, pongs and the close frame may add to one message.
_CLOSE_REASON_BYTES = 123  # RFC 6455 5.5: a control frame carries 125 bytes, 2 are the code.


class SocketHandler(WebSocketHandler):
    """One client's WebSocket."""

    def initialize(self, hub: Hub, limits: Limits) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._hub = hub
        self._limits = limits
        self._connection: Connection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._pong = asyncio.Event()
        self._closed_here = False

    def check_origin(self, origin: str) -> bool:
        """Any: `site` has looked at the origin already, and knows `public_url`."""
        return True

    async def open(self, *_args: str, **_kwargs: str) -> None:
        """The handshake is done."""
        # Small messages that others wait for: Nagle's algorithm would hold them back.
        self.set_nodelay(True)
        self._bound_writes()
        origin = f"{self.request.protocol}://{self.request.host}"
        address = self.request.remote_ip or ""
        try:
            self._connection = self._hub.connect(origin, address, "websocket", self._drop)
        except Refusal as refusal:
            await self._turn_away(refusal)
            return
        self._own(self._write(self._connection), "writer")
        self._own(self._beat(self._connection), "heartbeat")

    def on_message(self, message: str | bytes) -> None:
        """A client's message has come."""
        if self._connection is not None:
            self._hub.receive(self._connection, message)

    def on_pong(self, data: bytes) -> None:
        """The client has answered a ping."""
        self._pong.set()

    def on_close(self) -> None:
        """The socket is closed, by whichever side."""
        for task in self._tasks:
            task.cancel()
        if self._connection is not None:
            # None: no close frame came, so the network or the device went away. After one from
            # here it is an echo (RFC 6455 5.5.1), and no goodbye.
            left = self.close_code is not None and not self._closed_here
            self._hub.disconnect(self._connection, left)

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Tornado's choice, with what it does not tell."""
        chosen = super().get_websocket_protocol()
        if isinstance(chosen, WebSocketProtocol13):
            return StrictProtocol(self, mask_outgoing=False, params=chosen.params)
        return chosen

    def _own(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the %s of a connection failed", task.get_name(), exc_info=error)
            if self._connection is not None:
                self._hub.disconnect(self._connection, left=False)
            self._close(Ending(1011, "The server made a mistake."))

    async def _write(self, connection: Connection) -> None:
        while True:
            item = await connection.outbox.get()
            if isinstance(item, Ending):
                self._close(item)
                return
            try:
                # Waits until the bytes are with the kernel: a slow client fills its outbox,
                # never Tornado's write buffer.
                await self.write_message(item)
            except (WebSocketClosedError, StreamClosedError):
                return

    async def _beat(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_seconds)
            self._pong.clear()
            try:
                self.ping()
                await asyncio.wait_for(self._pong.wait(), self._limits.pong_seconds)
            except (WebSocketClosedError, StreamClosedError):
                return
            except TimeoutError:
                if connection.outbox.read_within(self._limits.pong_seconds):
                    continue  # It is slow, not gone: the ping waits behind what it reads.
                self._hub.disconnect(connection, left=False)
                self._close(Ending(1001, "No answer to a ping."))
                return

    async def _turn_away(self, refusal: Refusal) -> None:
        try:
            await self.write_message(error_text(refusal))
        except (WebSocketClosedError, StreamClosedError):
            return
        self._close(Ending(POLICY_VIOLATION, refusal.code))

    def _bound_writes(self) -> None:
        # Tornado has no limit of its own. One message at a time is written, and none is larger
        # than an outbox; past that, a mistake here ends this connection, not the process.
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            limit = self._limits.outbox_bytes + _CONTROL_FRAME_BYTES
            self.ws_connection.stream.max_write_buffer_size = limit
            if not self.ws_connection.stream.closed():
                bound_kernel_buffer(self.ws_connection.stream.socket)

    def _drop(self, code: int, reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        self._close(Ending(code, reason))

    def _close(self, ending: Ending) -> None:
        self._closed_here = True
        self.close(ending.code, ending.reason[:_CLOSE_REASON_BYTES])
