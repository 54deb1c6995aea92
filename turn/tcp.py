"""The relay over TCP, and over TLS after the handshake.

Owns the connections, their framing (RFC 8656 12.5: ChannelData is padded to four bytes), and the
limit on what may wait for a slow client.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable

from tornado.iostream import IOStream, StreamBufferFullError, StreamClosedError

from turn.allocations import Allocation
from turn.limits import RelayLimits, counted_as
from turn.relay import Relay
from turn.stun import HEADER_BYTES, MAGIC_COOKIE

log = logging.getLogger(__name__)

BATCH = 32
"""Messages of one connection handled at a time, before other tasks get to run."""

_READ_BYTES = 65536
_CHANNEL_HEADER = 4


class NotStun(Exception):
    """The bytes are neither STUN nor ChannelData, so nobody knows where the next message begins."""


class TcpClient:
    """One connection."""

    forgeable = False  # The handshake has shown that the address is right.

    def __init__(self, stream: IOStream, address: tuple[str, int], transport: str) -> None:
        self.stream = stream
        self.address = address
        self.counted_as = counted_as(address[0])
        self.name = f"{transport} {address[0]} {address[1]}"
        self.allocation: Allocation | None = None
        self.idle_since: float | None = None

    def send(self, data: bytes | memoryview) -> bool:
        """Send one message, unless too much is waiting already."""
        try:
            # A copy, because the stream keeps what it cannot send at once.
            self.stream.write(bytes(data) + bytes(-len(data) % 4))
        except (StreamBufferFullError, StreamClosedError):
            return False
        return True


class TcpConnections:
    """Serves the relay on connections that other code has accepted.

    Parameters
    ----------
    relay: handles the messages.
    limits: how many connections there may be, and how much may wait in each.
    clock: returns seconds; only goes forward.
    """

    def __init__(self, relay: Relay, limits: RelayLimits, clock: Callable[[], float]) -> None:
        self._relay = relay
        self._limits = limits
        self._clock = clock
        self._tasks: dict[TcpClient, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def accept(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve a connection from which no byte has been read yet."""
        with contextlib.suppress(OSError):  # Data that waits in the kernel cannot be dropped.
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.tcp_buffer_bytes
            )
        self._serve(IOStream(connection), address, "tcp", b"")

    def accept_stream(self, stream: IOStream, first: bytes) -> None:
        """Serve a stream after its TLS handshake; `first` has already been read from it."""
        try:
            address = stream.socket.getpeername()
        except OSError:
            stream.close()
            return
        self._serve(stream, address, "tls", first)

    def sweep(self, now: float) -> None:
        """Close connections that have had no allocation for too long."""
        for client in list(self._tasks):
            if client.allocation is not None:
                client.idle_since = None
            elif client.idle_since is None:
                client.idle_since = now
            elif now - client.idle_since >= self._limits.tcp_idle:
                client.stream.close()

    async def close(self) -> None:
        """Close all connections."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _serve(
        self, stream: IOStream, address: tuple[str, int], transport: str, first: bytes
    ) -> None:
        client = TcpClient(stream, _plain(address), transport)
        if not self._has_room(client):
            self._relay.drops["connections"] += 1
            stream.close()
            return
        stream.max_write_buffer_size = self._limits.tcp_buffer_bytes
        with contextlib.suppress(OSError):  # The client may have left.
            stream.set_nodelay(True)
        client.idle_since = self._clock()
        task = asyncio.create_task(self._read(client, first), name=f"TURN over {transport}")
        self._tasks[client] = task
        task.add_done_callback(lambda done: self._ended(client, done))

    def _has_room(self, client: TcpClient) -> bool:
        if len(self._tasks) >= self._limits.tcp_connections:
            return False
        unused = sum(
            other.counted_as == client.counted_as and other.allocation is None
            for other in self._tasks
        )
        return unused < self._limits.tcp_connections_per_address

    async def _read(self, client: TcpClient, first: bytes) -> None:
        buffer = bytearray(first)
        while True:
            messages = split(buffer)
            # At least once: if bytes are waiting already, reading does not let other tasks run.
            for start in range(0, len(messages) or 1, BATCH):
                for message in messages[start : start + BATCH]:
                    self._relay.receive(client, memoryview(message), self._clock())
                await asyncio.sleep(0)
            buffer += await client.stream.read_bytes(_READ_BYTES, partial=True)

    def _ended(self, client: TcpClient, task: "asyncio.Task[None]") -> None:
        del self._tasks[client]
        # The 5-tuple is gone, so nobody can reach or refresh the allocation (RFC 8656 3.1).
        self._relay.forget(client)
        client.stream.close()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, NotStun):
            self._relay.drops["malformed"] += 1
        elif error is not None and not isinstance(error, StreamClosedError):
            log.error("a TURN connection failed", exc_info=error)


def split(buffer: bytearray) -> list[bytearray]:
    """Take all whole messages from the front of a buffer.

    Raises
    ------
    NotStun: the next bytes are not a message.
    """
    messages = []
    start = 0
    while len(buffer) - start >= _CHANNEL_HEADER:
        end = start + _size(buffer, start)
        if end > len(buffer):
            break
        messages.append(buffer[start:end])
        start = end
    del buffer[:start]
    return messages


def _size(buffer: bytearray, start: int) -> int:
    """Return the size of the message that begins at `start`, with its padding."""
    length = int.from_bytes(buffer[start + 2 : start + 4], "big")
    kind = buffer[start] >> 6
    if kind == 1:
        return _CHANNEL_HEADER + length + -length % 4
    cookie = buffer[start + 4 : start + 8]
    if kind or length % 4 or not MAGIC_COOKIE.startswith(cookie):
        raise NotStun
    return HEADER_BYTES + length


def _plain(address: tuple[str, int]) -> tuple[str, int]:
    """Return the client's address, as plain IPv4 if a socket for both families has it in IPv6."""
    host, port = address[:2]
    mapped = getattr(ipaddress.ip_address(host), "ipv4_mapped", None)
    return (str(mapped) if mapped else host, port)
