"""A port that several protocols share: the first byte of a connection tells which one it is.

Owns the listening sockets, and each connection until its first byte arrives.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from tornado.ioloop import IOLoop

from signaling.setup_error import SetupError
from turn.limits import counted_as

log = logging.getLogger(__name__)

Accept = Callable[[socket.socket, tuple[str, int]], None]
"""Takes over a connection from which no byte has been read yet."""

MAX_SILENT = 512
"""Connections that may be silent at the same time; one more closes the oldest."""

RETRY_SECONDS = 1.0
"""How long to accept nobody after the system has run out of sockets."""

_BACKLOG = 128
_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TLS_HANDSHAKE = 0x16  # RFC 8446 5.1; RFC 7983 places DTLS and TLS there too.
_LAST_STUN_BYTE = 0x03  # RFC 7983 7: a STUN message begins with 0 to 3.


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Return a listening TCP socket.

    Parameters
    ----------
    host: an IP address of this host, or 0.0.0.0 for all of them.
    port: 0 picks a free one.
    setting: the configuration key of the port, for the error message.

    Raises
    ------
    SetupError: the port is in use or not allowed, or the address is not one of this host.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # On Windows this option would let us take a port that is in use.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SetupError(_why(error, host, port, setting)) from error
    return listener


def _why(error: OSError, host: str, port: int, setting: str) -> str:
    option = "--" + setting.removeprefix("server.").replace("_", "-")
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use, perhaps by another lenscast. Stop that program, or use "
            f"another port with {option} (0 picks a free port)."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} is not allowed for this user. Use a port above 1023 with {option}."
    return f"Cannot listen on {host}, port {port}: {error.strerror}. See server.host and {setting}."


@dataclass(frozen=True, slots=True)
class _Silent:
    address: tuple[str, int]
    who: str
    timer: asyncio.TimerHandle


class Port:
    """Accepts connections, and hands each to the protocol that its first byte belongs to.

    Parameters
    ----------
    listener: a listening socket; `close` closes it.
    silence: seconds after which a connection that sends nothing is closed. This is no fault of the
        client: browsers open spare connections.
    silent_per_address: connections of one address that may be silent at the same time. One more
        closes the oldest of that address, and no other.
    tls: takes connections that begin with a TLS handshake; None: they are closed.
    http: takes connections that begin with a letter, as every HTTP request does.
    stun: takes connections that begin with STUN; None: they are closed.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        silence: float,
        silent_per_address: int,
        http: Accept,
        tls: Accept | None = None,
        stun: Accept | None = None,
    ) -> None:
        self.number: int = listener.getsockname()[1]
        self._listener = listener
        self._silence = silence
        self._silent_per_address = silent_per_address
        self._tls = tls
        self._http = http
        self._stun = stun
        self._silent: dict[socket.socket, _Silent] = {}
        self._loop = IOLoop.current()
        self._retry: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Stop listening, and close the connections that have not sent anything."""
        if self._retry is None:
            self._loop.remove_handler(self._listener)
        else:
            self._retry.cancel()
        self._listener.close()
        for connection in list(self._silent):
            self._drop(connection)

    def _listen(self) -> None:
        self._retry = None
        self._loop.add_handler(self._listener, lambda _fd, _events: self._accept(), IOLoop.READ)

    def _accept(self) -> None:
        for _ in range(_BACKLOG):  # Then let other tasks run before accepting more.
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_MORE:
                    self._pause(error)
                    return
                # The waiting connection was broken (accept(2)); the next one may be fine.
                log.debug("a connection ended before it was accepted: %s", error)
            else:
                self._take(connection, address)

    def _pause(self, error: OSError) -> None:
        """Accept nobody for a moment. The listener stays readable, so trying again at once would
        only use up the processor. The connection that has been silent longest makes room."""
        log.warning("Port %d accepts nobody for a moment: %s.", self.number, error.strerror)
        if self._silent:
            self._drop(next(iter(self._silent)))
        self._loop.remove_handler(self._listener)
        self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._listen)

    def _take(self, connection: socket.socket, address: tuple[str, int]) -> None:
        who = counted_as(address[0])
        self._make_room(who)
        connection.setblocking(False)
        timer = asyncio.get_running_loop().call_later(self._silence, self._drop, connection)
        self._silent[connection] = _Silent(address, who, timer)
        self._loop.add_handler(
            connection, lambda _fd, _events: self._decide(connection), IOLoop.READ
        )

    def _make_room(self, who: str) -> None:
        same = [connection for connection, silent in self._silent.items() if silent.who == who]
        if len(same) >= self._silent_per_address:
            oldest = same[0]
        elif len(self._silent) >= MAX_SILENT:
            oldest = next(iter(self._silent))
        else:
            return
        self._decide(oldest)  # It may have sent a byte while others were accepted.
        if oldest in self._silent:
            self._drop(oldest)

    def _decide(self, connection: socket.socket) -> None:
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        taker = self._taker(first)
        if taker is None:
            self._drop(connection)
            return
        taker(connection, self._forget(connection).address)

    def _taker(self, first: bytes) -> Accept | None:
        if not first:
            return None
        if first[0] == _TLS_HANDSHAKE:
            return self._tls
        if first[0] <= _LAST_STUN_BYTE:
            return self._stun
        return self._http if first.isalpha() else None

    def _forget(self, connection: socket.socket) -> _Silent:
        silent = self._silent.pop(connection)
        silent.timer.cancel()
        self._loop.remove_handler(connection)
        return silent

    def _drop(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()
