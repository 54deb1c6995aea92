"""The rate of requests of each address: above it, requests wait their turn."""

import asyncio
from collections.abc import Awaitable

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

from turn.limits import counted_as

MAX_ADDRESSES = 4096
"""Addresses that are remembered. A further one replaces the least recently seen."""

BURST_SECONDS = 2.0
"""An address that was quiet may send as many requests at once as otherwise in this time."""

MAX_WAIT = 2.0
"""A request that would wait longer is refused. With the default limits, an address can only have
enough connections for this through a proxy."""


class Pace:
    """Spreads the requests of each address over time.

    The queue is the client's own: a connection carries one request at a time, and how many
    connections an address may have is limited.

    Parameters
    ----------
    rate: requests per second of each address.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free: dict[str, float] = {}

    def wait(self, address: str, now: float) -> float | None:
        """Count a request, and return how many seconds it has to wait.

        None if that is too long; then the request was not counted.

        Parameters
        ----------
        now: seconds of a clock that does not go back.
        """
        who = counted_as(address)
        # When the address would have no request behind it, if all came at the rate.
        free = max(self._free.pop(who, now), now)
        wait = max(0.0, free - now - BURST_SECONDS)
        self._free[who] = free if wait > MAX_WAIT else free + 1 / self._rate
        if len(self._free) > MAX_ADDRESSES:
            del self._free[next(iter(self._free))]
        return None if wait > MAX_WAIT else wait


class Paced(HTTPMessageDelegate):
    """Hands a request to its handler when it has waited.

    Parameters
    ----------
    handler: takes the request.
    connection: of the request. It reads nothing more meanwhile, and nothing at all if it is closed.
    seconds: how long the request waits.
    """

    def __init__(
        self, handler: HTTPMessageDelegate, connection: HTTP1Connection, seconds: float
    ) -> None:
        self._handler = handler
        self._connection = connection
        self._seconds = seconds

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """Tornado's hook; the connection waits for it to return."""
        if await self._is_closed():
            self._connection.detach()
            return
        begun = self._handler.headers_received(start_line, headers)
        if begun is not None:
            await begun

    async def _is_closed(self) -> bool:
        """Wait, and return whether the connection was closed meanwhile."""
        closed = asyncio.Event()
        stream = self._connection.stream
        stream.set_close_callback(closed.set)
        try:
            await asyncio.wait_for(closed.wait(), self._seconds)
        except TimeoutError:
            pass
        finally:
            stream.set_close_callback(None)
        return stream.closed()

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Tornado's hook."""
        return self._handler.data_received(chunk)

    def finish(self) -> None:
        """Tornado's hook."""
        self._handler.finish()

    def on_connection_close(self) -> None:
        """Tornado's hook."""
        self._handler.on_connection_close()
