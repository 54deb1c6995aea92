"""The relay over UDP: one socket for each local address.

Owns the sockets and the clients behind them.

A socket on the wildcard address would answer from whichever address the kernel picks, and browsers
drop an answer that comes from another address than the one they asked.
"""

import contextlib
import logging
import socket
from collections.abc import Callable

from tornado.ioloop import IOLoop

from turn.allocations import Allocation
from turn.relay import Relay

log = logging.getLogger(__name__)

BATCH = 128
"""Packets handled at a time, before other tasks get to run."""

_BUFFER_BYTES = 4 * 1024 * 1024  # The kernel gives as much of this as it allows.
_MAX_DATAGRAM = 65536


class UdpClient:
    """A client's address, and the socket that it uses."""

    __slots__ = ("_socket", "_to", "address", "allocation", "name")
    forgeable = True

    def __init__(self, through: socket.socket, source: tuple[str, int]) -> None:
        self._socket = through
        self._to = source
        # An IPv6 source has two more numbers.
        self.address = source[:2]
        self.name = f"udp {self.address[0]} {self.address[1]}"
        self.allocation: Allocation | None = None

    def send(self, data: bytes | memoryview) -> bool:
        """Send one datagram, unless the socket is full or the network is down."""
        try:
            self._socket.sendto(data, self._to)
        except OSError:
            return False
        return True


class UdpEndpoint:
    """Serves the relay at one address of this host.

    Parameters
    ----------
    address: an IP address of this host.
    port: 0 picks a free one.
    relay: handles the packets.
    clock: returns seconds; only goes forward.

    Raises
    ------
    OSError: the address is not one of this host, or the port is in use.
    """

    def __init__(self, address: str, port: int, relay: Relay, clock: Callable[[], float]) -> None:
        self._relay = relay
        self._clock = clock
        self._clients: dict[tuple[str, int], UdpClient] = {}
        self._buffer = bytearray(_MAX_DATAGRAM)
        self._view = memoryview(self._buffer)
        self._socket = _bind(address, port)
        self.port: int = self._socket.getsockname()[1]
        self._loop = IOLoop.current()
        self._loop.add_handler(self._socket, self._drain, IOLoop.READ)

    def close(self) -> None:
        """Close the socket; its clients lose their allocations."""
        for client in self._clients.values():
            self._relay.forget(client)
        self._clients.clear()
        self._loop.remove_handler(self._socket)
        self._socket.close()

    def sweep(self) -> None:
        """Forget clients that no longer have an allocation."""
        for source in [s for s, client in self._clients.items() if client.allocation is None]:
            del self._clients[source]

    def _drain(self, _socket: socket.socket, _events: int) -> None:
        now = self._clock()
        receive = self._socket.recvfrom_into
        for _ in range(BATCH):
            try:
                size, source = receive(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionResetError:
                continue  # Windows: a client that we answered is gone.
            except OSError as error:
                log.warning("Cannot receive over UDP: %s", error)
                return
            client = self._clients.get(source)
            if client is not None:
                self._relay.receive(client, self._view[:size], now)
            else:
                self._receive_from_stranger(source, size, now)

    def _receive_from_stranger(self, source: tuple[str, int], size: int, now: float) -> None:
        # A client without an allocation is not remembered, because addresses are easy to forge.
        client = UdpClient(self._socket, source)
        self._relay.receive(client, self._view[:size], now)
        if client.allocation is not None:
            self._clients[source] = client


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with contextlib.suppress(OSError):  # macOS refuses a size that Linux would reduce.
                bound.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound
