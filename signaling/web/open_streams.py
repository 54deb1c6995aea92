"""The open HTTP connections, WebSockets included: counts them, and closes those that stall.

Owns their streams until they close or another part of the server takes them over. Tornado limits
how long a client may take to send a request, but not how long it may take to read the answer. This
module does that.
"""

import asyncio
import dataclasses
import logging
import time
from typing import Any

from tornado.iostream import SSLIOStream

from signaling.config import Limits
from signaling.room.refusal import Refusal
from signaling.transport.direct_stream import DirectStream
from signaling.transport.guard import Guard
from signaling.web.hosts import Proxies

log = logging.getLogger(__name__)

MAX_BUFFER_BYTES = 1048576
"""Bytes that may wait unread in the buffer of one connection."""

ROOM_FOR_HTTP = 256
ROOM_FOR_HTTP_PER_ADDRESS = 64
RATE_FOR_HTTP = 8
"""How many more connections there may be than clients: in all, for each address, and (as a factor)
in a second. A browser opens up to six to load a page, besides its WebSocket."""

STALL_SECONDS = 30.0
"""A client that reads nothing of its answer for this long is closed, after twice this time at the
latest."""


class WatchedStream(DirectStream):
    """A stream that counts the bytes it has sent, and tells its owner when it is closed."""

    def __init__(self, *args: Any, owner: "OpenStreams", **kwargs: Any) -> None:
        self.sent = 0
        self._owner = owner
        super().__init__(*args, max_buffer_size=MAX_BUFFER_BYTES, **kwargs)

    def write_to_fd(self, data: memoryview) -> int:
        """Tornado's hook: hand bytes to the kernel."""
        count = super().write_to_fd(data)
        self.sent += count
        return count

    def close_fd(self) -> None:
        """Tornado's hook: either side has ended the connection."""
        super().close_fd()
        self._owner.let_go(self)


class WatchedTlsStream(WatchedStream, SSLIOStream):
    """The same inside TLS. Its first byte can be put back, since TLS sockets have no MSG_PEEK."""

    def push_back(self, data: bytes) -> None:
        """Put bytes back in front of the unread ones. Uses Tornado's internals, under test."""
        self._read_buffer[:0] = data
        self._read_buffer_size += len(data)


@dataclasses.dataclass(slots=True)
class _Watch:
    address: str
    sent: int | None = None


class OpenStreams:
    """Counts the connections of one server, and closes those that have stalled.

    Parameters
    ----------
    limits: the limits for clients; the extra connections for HTTP are added here.
    proxies: the trusted proxies. Their connections serve many clients and are not counted.
    """

    def __init__(self, limits: Limits, proxies: Proxies) -> None:
        self._guard = Guard(
            dataclasses.replace(
                limits,
                connections=limits.connections + ROOM_FOR_HTTP,
                connections_per_address=limits.connections_per_address + ROOM_FOR_HTTP_PER_ADDRESS,
                connections_per_second=limits.connections_per_second * RATE_FOR_HTTP,
            )
        )
        self._proxies = proxies
        self._watches: dict[WatchedStream, _Watch] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watches)

    def admit(self, address: str) -> bool:
        """Count a connection from an address. False: there are too many, so it was not counted."""
        if self._proxies.trust(address):
            return True
        try:
            self._guard.connect(address, time.monotonic())
        except Refusal as refusal:
            log.debug("closed a connection from %s: %s", address, refusal)
            return False
        return True

    def leave(self, address: str) -> None:
        """Stop counting a connection that was admitted."""
        if not self._proxies.trust(address):
            self._guard.disconnect(address)

    def watch(self, stream: WatchedStream, address: str) -> None:
        """Watch the stream of an admitted connection until it closes."""
        self._watches[stream] = _Watch(address)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._sweep)

    def let_go(self, stream: WatchedStream) -> None:
        """Stop watching a stream that is closed or was taken over. Calling it twice is harmless."""
        watch = self._watches.pop(stream, None)
        if watch is not None:
            self.leave(watch.address)

    def _sweep(self) -> None:
        for stream, watch in list(self._watches.items()):
            if not stream.writing():
                watch.sent = None
            elif watch.sent == stream.sent:
                log.debug("closed a connection from %s: it reads nothing", watch.address)
                stream.close()
            else:
                watch.sent = stream.sent
        self._timer = None
        if self._watches:
            self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._sweep)
