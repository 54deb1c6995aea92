"""The WebSocket at /ws: carries text between one client and the hub.

Owns its writer and its heartbeat; knows nothing of what the messages say.
"""

import asyncio
import logging

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from signaling.config import Limits
from signaling.hub import Connection, Hub
from signaling.outbox import Ending

log = logging.getLogger(__name__)

MAX_FRAME = 4
"""How many times the message limit Tornado takes before it closes with 1009: up to there the
client gets an error message and keeps its connection."""

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

    async def open(self, *_args: str, **_kwargs: str) -> None:
        """The handshake is done."""
        # Small messages that others wait for: Nagle's algorithm would hold them back.
        self.set_nodelay(True)
        origin = f"{self.request.protocol}://{self.request.host}"
        self._connection = self._hub.connect(origin, self._drop)
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
            # 1006: no close frame came, so the network or the device went away (RFC 6455 7.1.5).
            left = self.close_code is not None and self.close_code != 1006
            self._hub.disconnect(self._connection, "left" if left else "lost")

    def _own(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the %s of a connection failed", task.get_name(), exc_info=error)
            self.close(1011, "The server made a mistake.")

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
                self._hub.disconnect(connection, "lost")
                self._close(Ending(1001, "No answer to a ping."))
                return

    def _drop(self, code: int, reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        self._close(Ending(code, reason))

    def _close(self, ending: Ending) -> None:
        self.close(ending.code, ending.reason[:_CLOSE_REASON_BYTES])
