"""A stream of Tornado's that gives what comes and takes what goes without a future for each.

This is the one place that knows how Tornado's streams read.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from tornado.iostream import IOStream, StreamClosedError

log = logging.getLogger(__name__)

# What was read is copied out of it before anybody else has their turn.
_BUFFER = memoryview(bytearray(65536))


class DirectStream(IOStream):
    """A stream that can be handed over to a protocol of many small messages.

    Attributes
    ----------
    held: nothing is read for now; `release` ends that.
    """

    held = False
    _take: Callable[[bytes], None] | None = None

    def hand_over(self, take: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        """From now on give all that comes to one taker, and nobody else reads.

        Parameters
        ----------
        take: takes bytes, in order.
        closed: is called once, when either side has closed the stream.
        """
        self._take = take
        if self.closed():
            self.io_loop.add_callback(closed)
            return
        self.set_close_callback(closed)
        try:
            # What came together with the handshake. This also makes Tornado listen.
            first = asyncio.ensure_future(self.read_bytes(len(_BUFFER), partial=True))
        except StreamClosedError:
            return
        if first.done() and first.exception() is None:
            take(first.result())

    def reading(self) -> bool:
        """Tornado's question whether to listen for what comes."""
        return self._take is not None or super().reading()

    def release(self) -> None:
        """Read again, from the next turn of the event loop on."""
        self.held = False
        if _has_read_ahead(self.socket):
            asyncio.get_running_loop().call_soon(self._handle_read)

    def send(self, data: bytes) -> "asyncio.Future[None] | None":
        """Write, at once as far as the kernel takes it.

        Returns
        -------
        None where it has taken everything; else what `write` returns for the rest.

        Raises
        ------
        StreamClosedError: the stream is closed, maybe because of this.
        StreamBufferFullError: too much waits already.
        """
        if self.closed():
            raise StreamClosedError
        if not self.writing():
            try:
                sent = self.write_to_fd(memoryview(data))
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.close(exc_info=error)
                raise StreamClosedError(error) from error
            if sent == len(data):
                return None
            data = data[sent:]
        return self.write(data)

    def _handle_read(self) -> None:
        """Tornado's hook: there is something to read."""
        if self._take is None:
            super()._handle_read()
            return
        while not self.held and not self.closed():
            try:
                count = self.read_from_fd(_BUFFER)
            except OSError as error:
                log.debug("a connection broke: %s", error)
                self.close(exc_info=error)
                return
            if count == 0:
                self.close()
            if not count:
                return
            self._take(bytes(_BUFFER[:count]))
            if not _has_read_ahead(self.socket):
                return


def _has_read_ahead(of: socket.socket | None) -> bool:
    """Whether TLS has read more already, which the kernel cannot tell of."""
    return isinstance(of, ssl.SSLSocket) and of.pending() > 0
