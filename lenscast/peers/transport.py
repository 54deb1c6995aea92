"""What a signaling client needs of whatever carries its text."""

from typing import Protocol

from signaling.transport.outbox import Ending


class Connection(Protocol):
    """One connection to a server, from when it is open to its end."""

    async def send(self, text: str) -> None:
        """Send a message, and wait until it has left this process.

        Raises
        ------
        ConnectionError: the connection is over.
        """

    async def receive(self) -> str | bytes | Ending:
        """The next message, or how the connection ended; the same each time after that."""

    async def close(self) -> None:
        """Say goodbye and close, within a second. Twice is harmless."""

    def cut(self) -> None:
        """End it without a goodbye, so that the peer keeps its place and may resume."""


class Transport(Protocol):
    """Opens connections: `WebSocketTransport`, or `signaling.transport.local.LocalTransport`."""

    async def connect(self, origin: str) -> Connection:
        """Open a connection.

        Parameters
        ----------
        origin: scheme, host and port of the server, from its link.

        Raises
        ------
        ConnectionError: the server cannot be reached.
        Refusal: the server takes no more connections.
        """
