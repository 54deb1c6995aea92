"""Carries a signaling client's text over a WebSocket, and notices when the network is gone.

Knows nothing of what the messages say.
"""

import asyncio
import ssl

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from signaling.transport.outbox import Ending
from turn.tasks import report_death

CLOSE_SECONDS = 0.8
PING_SECONDS = 15.0
PONG_SECONDS = 10.0
MAX_MESSAGE_BYTES = 1 << 20

NORMAL = 1000
NO_CLOSE_FRAME = 1006


class WebSocketTransport:
    """Opens WebSockets to a server.

    Parameters
    ----------
    ssl_context: for https links whose certificate the system does not trust, such as
        `ssl.create_default_context(cafile="ca.pem")`.
    timeout: seconds that connecting may take.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None, timeout: float = 10.0) -> None:
        self._ssl_context = ssl_context
        self._timeout = timeout

    async def connect(self, origin: str) -> "WebSocketConnection":
        """Open a WebSocket.

        Parameters
        ----------
        origin: scheme, host and port of the server, such as `https://192.168.1.20:8443`.

        Raises
        ------
        ConnectionError: the server cannot be reached, or is no signaling server.
        """
        request = HTTPRequest(
            "ws" + origin.removeprefix("http") + "/ws",
            connect_timeout=self._timeout,
            request_timeout=self._timeout,
            ssl_options=self._ssl_context,
        )
        # With read_message Tornado's queue holds one message and its reader waits for room in
        # it; with a callback there is no limit.
        connecting = asyncio.ensure_future(
            websocket_connect(request, max_message_size=MAX_MESSAGE_BYTES)
        )
        try:
            return WebSocketConnection(await asyncio.shield(connecting))
        except asyncio.CancelledError:
            connecting.add_done_callback(_close_unwanted)
            raise
        except (OSError, HTTPClientError, WebSocketError) as error:
            raise ConnectionError(f"Cannot reach {origin}: {error}") from error


class WebSocketConnection:
    """One WebSocket; `WebSocketTransport.connect` makes it.

    Whoever has it must `receive` all the time: nothing is queued here but one message, so a
    client that does not read answers no ping either, and the server lets it go.

    Parameters
    ----------
    socket: an open WebSocket; it belongs to this connection from here on.
    """

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket
        self._ending: Ending | None = None
        self._closing = False
        self._heart = asyncio.create_task(self._beat(), name="heartbeat of a client")
        self._heart.add_done_callback(report_death)

    async def send(self, text: str) -> None:
        """Send a message, and wait until its bytes are with the system.

        Raises
        ------
        ConnectionError: the connection is over.
        """
        try:
            await self._socket.write_message(text)
        except (WebSocketClosedError, StreamClosedError) as error:
            raise ConnectionError("The WebSocket is closed.") from error

    async def receive(self) -> str | bytes | Ending:
        """The next message, or how the connection ended: the close code (RFC 6455 7.4.1) is 1006
        where no close frame came. The same each time after that.
        """
        if self._ending is None:
            text = await self._socket.read_message()
            if text is not None:
                return text
            self._heart.cancel()
            code = self._socket.close_code or NO_CLOSE_FRAME
            self._ending = Ending(code, self._socket.close_reason or "")
        return self._ending

    async def close(self) -> None:
        """Close with a close frame, within a second. Twice is harmless."""
        if self._closing:
            return
        self._closing = True
        self._heart.cancel()
        stream = self._socket.protocol.stream if self._socket.protocol else None
        self._socket.close(NORMAL)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not isinstance(await self.receive(), Ending):
                    pass
        except TimeoutError:
            # The server does not answer the close frame; Tornado would wait for it for 5 s.
            if stream is not None:
                stream.close()

    def cut(self) -> None:
        """Close the connection without a goodbye."""
        self._heart.cancel()
        self._cut()

    def _cut(self) -> None:
        if self._socket.protocol is not None and self._socket.protocol.stream is not None:
            self._socket.protocol.stream.close()
        self._socket.close()

    async def _beat(self) -> None:
        """Cut the connection when nothing comes by it any more.

        Tornado's own heartbeat would say goodbye, with a close frame that may arrive later on:
        then the server would give this peer's seat away.
        """
        pong = asyncio.Event()
        self._socket.on_pong = lambda data: pong.set()  # type: ignore[method-assign]
        while True:
            await asyncio.sleep(PING_SECONDS)
            pong.clear()
            try:
                self._socket.ping()
                await asyncio.wait_for(pong.wait(), PONG_SECONDS)
            except (WebSocketClosedError, StreamClosedError):
                return
            except TimeoutError:
                self._cut()
                return


def _close_unwanted(connecting: "asyncio.Future[WebSocketClientConnection]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
