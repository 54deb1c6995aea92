"""Ports for tests that must know a port before anything listens on it.

The kernel's own choice, port 0, is free over TCP or over UDP, and another process may take it as
soon as it is closed. These ports are free over both, and belong to this process until it ends.
"""

import functools
import socket

FIRST, END = 15_000, 32_000
"""Below the ports that the kernel hands out by itself, which begin at 32768 (ip(7))."""
BLOCK = 500
"""How many ports a process claims: so many servers start before a port is used a second time, and
packets for the server that had it before are gone by then."""


class Ports:
    """A block of ports. Its first port, bound over UDP, tells others that the block is taken."""

    def __init__(self) -> None:
        self._claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._first = next(first for first in range(FIRST, END, BLOCK) if self._claims(first)) + 1
        self._end = self._first + BLOCK - 1
        self._next = self._first

    def take(self, count: int) -> range:
        """That many ports in a row, each free over TCP and UDP."""
        for _ in range(2 * BLOCK):
            if self._next + count > self._end:
                self._next = self._first
            found = range(self._next, self._next + count)
            self._next += 1
            if all(_is_free(port) for port in found):
                self._next = found.stop
                return found
        raise RuntimeError(f"{count} free ports in a row were not found.")

    def _claims(self, first: int) -> bool:
        try:
            self._claim.bind(("127.0.0.1", first))
        except OSError:
            return False
        return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # A connection that has ended may linger.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


@functools.cache
def _own() -> Ports:
    return Ports()


def free_ports(count: int) -> range:
    """That many ports in a row, free over TCP and UDP, which no other test is given."""
    return _own().take(count)


def free_port() -> int:
    """A port that is free over TCP and UDP, and which no other test is given."""
    return free_ports(1)[0]
