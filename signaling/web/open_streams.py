"""The open connections that speak HTTP, a WebSocket among them: how many, and that each one moves.

Owns their streams until they close or become somebody else's. Tornado bounds how long a request
may take to come, not how long its answer may take to go: that is done here.
Imports `guard` and `hosts`.
"""

import asyncio
import dataclasses
import logging
import time
from typing import Any

from tornado.iostream import IOStream, SSLIOStream

from signaling.config import Limits
from signaling.room.refusal import Refusal
from signaling.transport.guard import Guard
from signaling.web.hosts import Proxies

log = logging.getLogger(__name__)

MAX_BUFFER_BYTES = 1048576
"""What may wait unread in one connection's buffer."""

ROOM_FOR_HTTP = 256
ROOM_FOR_HTTP_PER_ADDRESS = 64
RATE_FOR_HTTP = 8
"""Connections beyond what clients may have, in all, for each address, and how many times as many
over time: a browser opens up to six for a page and what it loads, beside its WebSocket."""

STALL_SECONDS = 30.0
"""Whoever takes nothing of what is sent for so long is closed, at the latest after twice that."""


class WatchedStream(IOStream):
    """A stream that counts what it has sent, and tells when it is closed."""

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
        """Tornado's hook: the end, from whichever side."""
        super().close_fd()
        self._owner.let_go(self)


class WatchedTlsStream(WatchedStream, SSLIOStream):
    """The same inside TLS; its first byte can be looked at: TLS sockets have no MSG_PEEK."""

    def push_back(self, data: bytes) -> None:
        """Put bytes back in front of what is unread. Reaches into Tornado; a test notices."""
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
    limits: `connections` and those of one address; those of HTTP come on top.
    proxies: who is trusted; their connections are of many clients and are not counted.
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
        """Count a connection of an address. False: there are too many, and it is not counted."""
        if self._proxies.trust(address):
            return True
        try:
            self._guard.connect(address, time.monotonic())
        except Refusal as refusal:
            log.debug("closed a connection from %s: %s", address, refusal)
            return False
        return True

    def leave(self, address: str) -> None:
        """Take a connection back that was admitted."""
        if not self._proxies.trust(address):
            self._guard.disconnect(address)

    def watch(self, stream: WatchedStream, address: str) -> None:
        """Keep an eye on the stream of a connection that was admitted, until it closes."""
        self._watches[stream] = _Watch(address)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._sweep)

    def let_go(self, stream: WatchedStream) -> None:
        """The stream is closed, or somebody else's now. Saying so twice is harmless."""
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
