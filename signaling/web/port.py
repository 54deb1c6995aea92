"""A port that several protocols share: the first byte of a connection says which one it is.

Owns listening sockets and connections that have not spoken yet; what has spoken is handed on.
Imports `errors` and `turn.limits`.
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
"""Takes over a connection, of which no byte has been read yet."""

MAX_SILENT = 512
"""Connections that may be silent at once; one more closes the oldest."""

RETRY_SECONDS = 1.0
"""How long to accept nobody where the system has no more sockets to give."""

_BACKLOG = 128
_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TLS_HANDSHAKE = 0x16  # RFC 8446 5.1, and where RFC 7983 places DTLS and TLS
_LAST_STUN_BYTE = 0x03  # RFC 7983 7: a STUN message begins with 0 to 3.


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A listening TCP socket.

    Parameters
    ----------
    host: an IP address of this host, or 0.0.0.0 for all.
    port: 0 picks a free one.
    setting: the key of the configuration that names the port, for the error's sentence.

    Raises
    ------
    SetupError: the port is in use, not allowed, or the address is not this host's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # Windows reads this option as leave to steal a port in use.
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
            f"Port {port} is in use, perhaps by another lenscast. Stop that program, or take "
            f"another port with {option} (0 picks a free one)."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} is not allowed for this user. Take one above 1023 with {option}."
    return f"Cannot listen on {host}, port {port}: {error.strerror}. See server.host and {setting}."


@dataclass(frozen=True, slots=True)
class _Silent:
    address: tuple[str, int]
    who: str
    timer: asyncio.TimerHandle


class Port:
    """Accepts connections and hands each on by its first byte.

    Parameters
    ----------
    listener: a listening socket; `close` closes it.
    silence: seconds after which a connection that says nothing is closed. Browsers open spare
        ones, so saying nothing is no fault.
    silent_per_address: connections of one address that may be silent at once; one more closes its
        oldest, and nobody else's.
    tls: takes connections that begin a TLS handshake; None closes them.
    http: takes connections that begin with a letter, as every HTTP request does.
    stun: takes connections that begin with STUN; None closes them.
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
        """Stop listening, and close what has not spoken."""
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
        for _ in range(_BACKLOG):  # Others have their turn before more are taken.
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_MORE:
                    self._pause(error)
                    return
                # The connection that was waiting broke (accept(2)); the next one may be well.
                log.debug("a connection ended before it was accepted: %s", error)
            else:
                self._take(connection, address)

    def _pause(self, error: OSError) -> None:
        """Accept nobody for a moment: the listener stays readable, and asking again at once would
        only spin. What has said nothing for longest makes room."""
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
        self._decide(oldest)  # It may have spoken while others were accepted.
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
