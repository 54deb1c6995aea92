"""Turns a socket into a stream that a protocol serves: HTTP, HTTPS, or TURN inside TLS."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import ssl_wrap_socket

from signaling.web.open_streams import OpenStreams, WatchedStream, WatchedTlsStream

log = logging.getLogger(__name__)

TakeStream = Callable[[IOStream, bytes], None]
"""Takes over a stream from which these bytes have already been read."""

_LAST_STUN_BYTE = 0x03  # RFC 7983 7: a STUN message begins with 0 to 3.


class PlainEntrance:
    """Hands connections to an HTTP server as plain HTTP.

    Parameters
    ----------
    http: serves the connections.
    streams: counts the connections; those above the limits are closed.
    """

    def __init__(self, http: HTTPServer, streams: OpenStreams) -> None:
        self._http = http
        self._streams = streams

    def accept(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Take over a connection, of which no byte has been read yet."""
        if not self._streams.admit(address[0]):
            connection.close()
            return
        stream = WatchedStream(connection, owner=self._streams)
        self._streams.watch(stream, address[0])
        self._http.handle_stream(stream, address)


class TlsEntrance:
    """Hands connections to an HTTP server as HTTPS, and TURN over TLS to the relay.

    Parameters
    ----------
    http: serves HTTP inside TLS.
    context: the certificate. It may be replaced at any time, for new connections.
    streams: counts the connections; those above the limits are closed. TURN counts its own.
    turn: takes connections that begin with STUN inside TLS (RFC 8656 3.1); None: no TURN here.
    silence: seconds that the handshake and the first byte may take together.
    """

    def __init__(
        self,
        http: HTTPServer,
        context: ssl.SSLContext,
        *,
        streams: OpenStreams,
        turn: TakeStream | None,
        silence: float,
    ) -> None:
        self.context = context
        self._http = http
        self._streams = streams
        self._turn = turn
        self._silence = silence
        self._deciding: set[asyncio.Task[None]] = set()

    def accept(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Take over a connection, of which no byte has been read yet."""
        if not self._streams.admit(address[0]):
            connection.close()
            return
        try:
            wrapped = ssl_wrap_socket(
                connection, self.context, server_side=True, do_handshake_on_connect=False
            )
        except OSError as error:
            # The client has left since its first byte arrived.
            log.debug("a connection ended before its TLS handshake: %s", error)
            connection.close()
            self._streams.leave(address[0])
            return
        stream = WatchedTlsStream(wrapped, owner=self._streams)
        self._streams.watch(stream, address[0])
        if self._turn is None:
            self._http.handle_stream(stream, address)
            return
        task = asyncio.create_task(self._decide(stream, address, self._turn))
        self._deciding.add(task)
        task.add_done_callback(self._decided)

    def close(self) -> None:
        """Close connections that have not sent anything."""
        for task in self._deciding:
            task.cancel()

    async def _decide(
        self, stream: WatchedTlsStream, address: tuple[str, int], turn: TakeStream
    ) -> None:
        try:
            async with asyncio.timeout(self._silence):
                first = await stream.read_bytes(1)
        except (StreamClosedError, TimeoutError):
            stream.close()
        except asyncio.CancelledError:
            stream.close()
            raise
        else:
            if first[0] <= _LAST_STUN_BYTE:
                self._streams.let_go(stream)
                turn(stream, first)
            else:
                stream.push_back(first)
                self._http.handle_stream(stream, address)

    def _decided(self, task: asyncio.Task[None]) -> None:
        self._deciding.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection could not be handed on", exc_info=error)
