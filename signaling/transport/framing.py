"""Where Tornado is lenient, silent or slow about WebSocket frames, what RFC 6455 says.

Owns the frames that come, and the close codes of a connection that fails: Tornado only cuts it off,
so that neither client nor log can tell a broken frame from a broken network. This is the one place
that knows the private parts of Tornado's WebSockets.
"""

import asyncio
from types import TracebackType
from typing import Any, Protocol, cast

from tornado.util import _websocket_mask
from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from signaling.transport.direct_stream import DirectStream

FRAME_BATCH = 32
"""Frames of one client taken in one go; then others have their turn on the event loop."""

PROTOCOL_ERROR = 1002
NO_STATUS = 1005  # RFC 6455 7.1.5: a close frame came, and no code in it.
NOT_UTF8 = 1007
TOO_LARGE = 1009
_CONTINUATION, _TEXT, _CLOSE, _PONG = 0x0, 0x1, 0x8, 0xA
_CONTROL = 0x8
_MASKED = 0x80
_MASK_BYTES = 4
_LARGEST_CONTROL = 125
_HEADER_BYTES = {126: 4, 127: 10}
"""How long a header is whose second byte says this of the length (RFC 6455 5.2); else 2."""

_PING = b"\x89\x00"


class Client(Protocol):
    """Who is told what comes, as Tornado calls it."""

    def on_message(self, message: str | bytes) -> None:
        """A message has come."""

    def on_ping(self, data: bytes) -> None:
        """A ping has come, and was answered."""

    def on_pong(self, data: bytes) -> None:
        """A pong has come."""

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None:
        """The connection is closed, by whichever side; None: no close frame has come."""

    def log_exception(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """One of the other methods has failed."""


class StrictProtocol(WebSocketProtocol13):
    """The server's end of a WebSocket, which says why it fails (RFC 6455 7.1.7).

    Tornado's gives no code both for a close frame without one and for no close frame, takes
    hundreds of frames before others have their turn (before 6.6 all that wait), and waits for four
    reads for each frame. This one takes the frames out of what has come; the handshake, the answers
    to pings and the end of a connection are Tornado's.
    """

    stream: DirectStream

    def __init__(self, handler: WebSocketHandler, params: Any) -> None:
        super().__init__(handler, mask_outgoing=False, params=params)
        self._unread = bytearray()
        self._needed = 2  # Bytes of the next frame without which there is nothing to do.
        self._pieces: bytearray | None = None
        self._pieces_opcode = _TEXT

    def serve(self, client: Client) -> None:
        """Give what comes to another one than who has made the handshake, and who may go."""
        self.handler = cast(WebSocketHandler, client)

    def send(self, text: str) -> "asyncio.Future[None] | None":
        """Send a message; see `DirectStream.send`."""
        data = text.encode()
        size = len(data)
        if size < 126:
            head = bytes((0x81, size))
        elif size < 65536:
            head = b"\x81\x7e" + size.to_bytes(2, "big")
        else:
            head = b"\x81\x7f" + size.to_bytes(8, "big")
        return self.stream.send(head + data)

    def send_ping(self) -> None:
        """Ask the client for a pong; see `DirectStream.send`."""
        self.stream.send(_PING)

    async def _receive_frame_loop(self) -> None:
        self.stream.hand_over(self._take, self._lost)

    def _lost(self) -> None:
        self._abort()
        self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def _take(self, data: bytes) -> None:
        self._unread += data
        self._take_frames()

    def _take_frames(self) -> None:
        for _ in range(FRAME_BATCH):
            if self.client_terminated or not self._take_frame():
                if self.stream.held:
                    self.stream.release()
                return
        self.stream.held = True
        asyncio.get_running_loop().call_soon(self._take_frames)

    def _take_frame(self) -> bool:
        """Take a frame out of what has come. False: it is not whole yet, or breaks the rules."""
        unread = self._unread
        if len(unread) < self._needed:
            return False
        first, second = unread[0], unread[1]
        size = second & 0x7F
        control = first & _CONTROL
        if (
            first & self.RSV_MASK
            # RFC 6455 5.1: what a client sends is masked, or scripts could write to proxies.
            or not second & _MASKED
            or (control and (size > _LARGEST_CONTROL or not first & self.FIN))
        ):
            self._abort()
            return False
        start = _HEADER_BYTES.get(size, 2)
        if len(unread) < start:
            self._needed = start
            return False
        if start > 2:
            size = int.from_bytes(unread[2:start], "big")
        if not control and size + len(self._pieces or b"") > self.params.max_message_size:
            self.close(TOO_LARGE, "message too big")
            self._abort()
            return False
        begin = start + _MASK_BYTES
        self._needed = begin + size
        if len(unread) < self._needed:
            return False
        data = _websocket_mask(bytes(unread[start:begin]), bytes(unread[begin : self._needed]))
        del unread[: self._needed]
        self._needed = 2
        self._join(first & self.OPCODE_MASK, data, final=bool(first & self.FIN))
        return True

    def _join(self, opcode: int, data: bytes, *, final: bool) -> None:
        """Handle a frame; pieces of a message wait until it is whole (RFC 6455 5.4)."""
        if opcode & _CONTROL:
            self._handle_message(opcode, data)
        elif (opcode == _CONTINUATION) is (self._pieces is None):
            self._abort()
        elif final and self._pieces is None:
            self._handle_message(opcode, data)
        else:
            if self._pieces is None:
                self._pieces, self._pieces_opcode = bytearray(), opcode
            self._pieces += data
            if final:
                whole, self._pieces = bytes(self._pieces), None
                self._handle_message(self._pieces_opcode, whole)

    def _handle_message(self, opcode: int, data: bytes) -> "asyncio.Future[None] | None":
        try:
            text = (
                data.decode() if opcode == _TEXT else data[2:].decode() if opcode == _CLOSE else ""
            )
        except UnicodeDecodeError:
            self.close(NOT_UTF8)
            self._abort()
            return None
        if opcode == _TEXT:
            return self._run_callback(self.handler.on_message, text)
        handled = super()._handle_message(opcode, data)
        if opcode == _CLOSE and self.close_code is None:
            self.close_code = NO_STATUS
        return handled

    def _abort(self) -> None:
        # Tornado's way out of everything that is wrong, also of a stream that is closed.
        if not self.server_terminated and self.stream is not None and not self.stream.closed():
            self.close(PROTOCOL_ERROR)
        super()._abort()
