"""The WebSocket at /ws: carries text between one client and the hub.

Owns what is written and the heartbeat; knows nothing of what the messages say.
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType

from tornado.iostream import StreamBufferFullError, StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from signaling.config import Limits
from signaling.room.refusal import Refusal
from signaling.transport.connection import Connection, bound_kernel_buffer
from signaling.transport.framing import StrictProtocol
from signaling.transport.hub import POLICY_VIOLATION, Hub, error_text
from signaling.transport.outbox import Ending

log = logging.getLogger(__name__)

FRAME_FACTOR = 4
"""How many times the message limit is taken before the connection is closed with 1009: up to there
the client gets an error message and keeps its connection."""

_CONTROL_FRAME_BYTES = 4096  # What pings, pongs and the close frame may add to one message.
_CLOSE_REASON_BYTES = 123  # RFC 6455 5.5: a control frame carries 125 bytes, 2 are the code.
_MISTAKE = Ending(1011, "The server made a mistake.")


class SocketHandler(WebSocketHandler):
    """The handshake of one client's WebSocket. It goes once that is done."""

    def initialize(self, hub: Hub, limits: Limits) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._hub = hub
        self._limits = limits

    def check_origin(self, origin: str) -> bool:
        """Any: `site` has looked at the origin already, and knows `public_url`."""
        return True

    def open(self, *_args: str, **_kwargs: str) -> None:
        """The handshake is done."""
        protocol = self.ws_connection
        assert isinstance(protocol, StrictProtocol)  # noqa: S101 - `get_websocket_protocol`
        socket = Socket(self._hub, self._limits, protocol)
        # The request, its headers and this handler would take half of the memory of a client.
        protocol.serve(socket)
        self.ws_connection = None
        origin = f"{self.request.protocol}://{self.request.host}"
        socket.open(origin, self.request.remote_ip or "")

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Tornado's choice, with what it does not tell."""
        chosen = super().get_websocket_protocol()
        if isinstance(chosen, WebSocketProtocol13):
            return StrictProtocol(self, chosen.params)
        return chosen


class Socket:
    """One client's WebSocket after the handshake.

    Parameters
    ----------
    protocol: its frames; calls the methods whose names begin with `on_`.
    """

    __slots__ = (
        "_asked",
        "_closed_here",
        "_connection",
        "_hub",
        "_limits",
        "_protocol",
        "_timer",
        "_writing",
    )

    def __init__(self, hub: Hub, limits: Limits, protocol: StrictProtocol) -> None:
        self._hub = hub
        self._limits = limits
        self._protocol = protocol
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None  # Of the heartbeat.
        self._asked = False  # A ping waits for its pong.
        self._writing: asyncio.Future[None] | None = None  # The rest that the kernel did not take.
        self._closed_here = False

    def open(self, origin: str, address: str) -> None:
        """Let the client in.

        Parameters
        ----------
        origin: scheme, host and port by which it reached the server.
        address: its IP address.
        """
        # Small messages that others wait for: Nagle's algorithm would hold them back.
        self._protocol.set_nodelay(True)
        self._bound_writes()
        try:
            self._connection = self._hub.connect(origin, address, "websocket", self._drop)
        except Refusal as refusal:
            self._send(error_text(refusal))
            self._close(Ending(POLICY_VIOLATION, refusal.code))
            return
        self._connection.outbox.read_by(self._send, self._flush)
        self._after(self._limits.ping_seconds, self._ping)

    def on_message(self, message: str | bytes) -> None:
        """A client's message has come."""
        if self._connection is not None:
            self._hub.receive(self._connection, message)

    def on_ping(self, data: bytes) -> None:
        """The client has asked for a pong, and has it."""

    def on_pong(self, data: bytes) -> None:
        """The client has answered a ping."""
        if self._asked:
            self._asked = False
            self._after(self._limits.ping_seconds, self._ping)

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None:
        """The socket is closed, by whichever side."""
        self._rest()
        if self._connection is not None:
            # None: no close frame came, so the network or the device went away. After one from
            # here it is an echo (RFC 6455 5.5.1), and no goodbye.
            left = close_code is not None and not self._closed_here
            self._hub.disconnect(self._connection, left)

    def log_exception(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """A message was more than the server could take; the connection ends."""
        log.error("a message could not be taken", exc_info=value)

    def _send(self, text: str) -> bool:
        """Send a message, if nothing waits to be sent."""
        if self._writing is not None or self._protocol.is_closing():
            return False
        try:
            # What the kernel does not take is waited for: a slow client fills its outbox, never
            # Tornado's write buffer.
            self._writing = self._protocol.send(text)
        except StreamClosedError:
            return False
        except StreamBufferFullError as error:
            log.error("the writer of a connection failed", exc_info=error)
            self._close(_MISTAKE)
            return False
        if self._writing is not None:
            self._writing.add_done_callback(self._written)
        return True

    def _written(self, _writing: "asyncio.Future[None]") -> None:
        self._writing = None
        self._flush()

    def _flush(self) -> None:
        """Send what waits, as much as the kernel takes."""
        if self._connection is None or self._closed_here:
            return
        outbox = self._connection.outbox
        while self._writing is None and not self._protocol.is_closing():
            item = outbox.take()
            if item is None:
                return
            if isinstance(item, Ending):
                self._close(item)
                return
            self._send(item)

    def _ping(self) -> None:
        self._asked = True
        try:
            self._protocol.send_ping()
        except (StreamClosedError, StreamBufferFullError):
            return
        self._after(self._limits.pong_seconds, self._miss)

    def _miss(self) -> None:
        """No pong has come in time."""
        connection = self._connection
        if connection is None:
            return
        self._asked = False
        if connection.outbox.read_within(self._limits.pong_seconds):
            # It is slow, not gone: the ping waits behind what it reads.
            self._after(self._limits.ping_seconds, self._ping)
            return
        self._hub.disconnect(connection, left=False)
        self._close(Ending(1001, "No answer to a ping."))

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        self._rest()
        self._timer = asyncio.get_running_loop().call_later(seconds, do)

    def _rest(self) -> None:
        """Let the heart stand still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _bound_writes(self) -> None:
        # Tornado has no limit of its own. One message at a time is written, and none is larger
        # than an outbox; past that, a mistake here ends this connection, not the process.
        stream = self._protocol.stream
        stream.max_write_buffer_size = self._limits.outbox_bytes + _CONTROL_FRAME_BYTES
        if not stream.closed():
            bound_kernel_buffer(stream.socket)

    def _drop(self, code: int, reason: str) -> None:
        self._close(Ending(code, reason))

    def _close(self, ending: Ending) -> None:
        self._closed_here = True
        self._rest()
        self._protocol.close(ending.code, ending.reason[:_CLOSE_REASON_BYTES])
