"""Carries messages between the hub and a peer in this process, without a socket.

Knows nothing of what the messages say.
"""

import asyncio

from signaling.transport.hub import Hub
from signaling.transport.outbox import Ending

ADDRESS = "local"
"""What all local peers are counted by: they use up no other address's connections."""

NORMAL = 1000
NO_CLOSE_FRAME = 1006
"""The close code of a connection that was cut, as a WebSocket's (RFC 6455 7.1.5)."""


class LocalTransport:
    """Connects peers of this process to the server that runs in it.

    Parameters
    ----------
    hub: the hub of that server.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def connect(self, origin: str) -> "LocalConnection":
        """Open one more connection; it is limited as any other client's is.

        Parameters
        ----------
        origin: scheme, host and port by which a client on this computer would reach the
            server, such as `http://127.0.0.1:8080`. TURN addresses and invitations are made from
            it.

        Raises
        ------
        Refusal: there are too many connections (too-many-connections).
        """
        return LocalConnection(self._hub, origin)


class LocalConnection:
    """One connection of a peer in this process; `LocalTransport.connect` makes it.

    Nothing is queued here. What is not received waits in the hub's outbox, whose limits hold:
    whoever does not read is closed as slow, as a WebSocket is.
    """

    def __init__(self, hub: Hub, origin: str) -> None:
        self._hub = hub
        self._ending: Ending | None = None
        self._connection = hub.connect(origin, ADDRESS, "local", self._end)

    async def send(self, text: str) -> None:
        """Send a message.

        Raises
        ------
        ConnectionError: the connection is over.
        """
        if self._ending is not None:
            raise ConnectionError(f"The connection has ended ({self._ending.code}).")
        self._hub.receive(self._connection, text)
        await asyncio.sleep(0)  # Others have their turn, however much one peer has to say.

    async def receive(self) -> str | Ending:
        """The next message, or how the connection ended; the same each time after that."""
        if self._ending is None:
            item = await self._connection.outbox.get()
            if isinstance(item, str):
                return item
            self._leave(item, left=False)
        return self._ending or Ending(NORMAL, "")

    async def close(self) -> None:
        """Say goodbye: the others are told that this peer has left. Twice is harmless."""
        self._leave(Ending(NORMAL, ""), left=True)

    def cut(self) -> None:
        """End it without a goodbye: the peer is away, and may resume."""
        self._leave(Ending(NO_CLOSE_FRAME, ""), left=False)

    def _leave(self, ending: Ending, *, left: bool) -> None:
        # Where the server ended it, closing this side is an answer, and no goodbye.
        if self._ending is None:
            self._end(ending.code, ending.reason)
            self._hub.disconnect(self._connection, left)

    def _end(self, code: int, reason: str) -> None:
        self._ending = self._ending or Ending(code, reason)
        self._connection.outbox.end(code, reason)  # Whoever waits in `receive` is told.
