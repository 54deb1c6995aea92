"""Where Tornado is lenient or silent about WebSocket frames, what RFC 6455 says.

Owns the close codes of a connection that fails: Tornado only cuts it off, so that neither client
nor log can tell a broken frame from a broken network. This is the one place that knows the private
parts of Tornado's WebSockets.
"""

import asyncio

from tornado.websocket import WebSocketProtocol13

FRAME_BATCH = 32
"""Frames of one client taken in one go; then others have their turn on the event loop."""

PROTOCOL_ERROR = 1002
NO_STATUS = 1005  # RFC 6455 7.1.5: a close frame came, and no code in it.
NOT_UTF8 = 1007
_TEXT, _CLOSE = 0x1, 0x8


class StrictProtocol(WebSocketProtocol13):
    """The server's end of a WebSocket, which says why it fails (RFC 6455 7.1.7).

    Tornado's gives no code both for a close frame without one and for no close frame, and takes
    hundreds of frames before others have their turn (before 6.6 all that wait).
    """

    _frames = 0

    async def _receive_frame(self) -> None:
        self._frame_mask = None
        await super()._receive_frame()
        self._check_mask()
        self._frames += 1
        if self._frames % FRAME_BATCH == 0:
            await asyncio.sleep(0)

    def _handle_message(self, opcode: int, data: bytes) -> "asyncio.Future[None] | None":
        self._check_mask()
        if not self.client_terminated and not _is_well_formed(opcode, data):
            self.close(NOT_UTF8)
            self._abort()
        handled = super()._handle_message(opcode, data)
        if opcode == _CLOSE and self.close_code is None:
            self.close_code = NO_STATUS
        return handled

    def _check_mask(self) -> None:
        # RFC 6455 5.1: what a client sends is masked, or scripts could write to proxies.
        if self._frame_mask is None and not self.client_terminated:
            self._abort()

    def _abort(self) -> None:
        # Tornado's way out of everything that is wrong, also of a stream that is closed.
        if not self.server_terminated and self.stream is not None and not self.stream.closed():
            self.close(PROTOCOL_ERROR)
        super()._abort()


def _is_well_formed(opcode: int, data: bytes) -> bool:
    """Whether what must be UTF-8 is: a text, and the reason behind a close code."""
    text = data if opcode == _TEXT else data[2:] if opcode == _CLOSE else b""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
