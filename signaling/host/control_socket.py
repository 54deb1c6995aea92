"""How a command on this computer speaks to a server that runs: a local socket in the state folder.

Owns the transport, not what is said: one request as a line of JSON, one answer, and the end. It is
a Unix domain socket of mode 0600. Where there are none (Windows), or the path is too long for one,
it is a port on the loopback address that a random one is chosen for, and a file of mode 0600 holds
the port and a token that every request must show.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import os
import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signaling.host import state_folder
from signaling.setup_error import SetupError
from turn.tasks import report_death

log = logging.getLogger(__name__)

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""Gives the answer to a request. Raises `ValueError` with a sentence for what cannot be done."""

REQUEST_SECONDS = 5.0
"""How long a client may take to send its request, or to take its answer."""
ANSWER_SECONDS = 15.0
"""How long a command waits for a server."""
MAX_REQUEST = 65536
MAX_ANSWER = 16 << 20
MAX_CLIENTS = 8
MAX_PATH = 103
"""Bytes of the path of a Unix domain socket: 107 on Linux (unix(7)), 103 on macOS."""

_FILE = re.compile(r"control-([0-9]{1,5})\.(sock|json)")


class NotRunning(Exception):
    """Nobody answers behind this file: the server is gone."""


@dataclass(frozen=True)
class Found:
    """A server that runs.

    Attributes
    ----------
    number: its port on the loopback address.
    path: the socket, or the file with port and token.
    """

    number: int
    path: Path


class ControlSocket:
    """The server's end.

    Parameters
    ----------
    folder: the state folder.
    number: tells the servers apart that share this folder: the server's port on the loopback
        address, of which there is one on a computer.
    answer: gives the answers. It runs on the event loop, so it is quick.
    """

    def __init__(self, folder: Path, number: int, answer: Answer) -> None:
        self._path = folder / f"control-{number}.sock"
        self._answer = answer
        self._token = ""
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        SetupError: the socket cannot be made.
        """
        with_path = hasattr(socket, "AF_UNIX") and len(os.fsencode(self._path)) <= MAX_PATH
        try:
            await (self._open_path() if with_path else self._open_port())
        except OSError as error:
            raise SetupError(
                f"{self._path} cannot be opened: {error.strerror or error}. Other commands, such "
                "as `lenscast links`, cannot reach this server."
            ) from error

    async def close(self) -> None:
        """Stop, and remove the file."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _open_path(self) -> None:
        if self._path.is_socket() and _answers(self._path):
            raise OSError("another lenscast listens there")
        self._path.unlink(missing_ok=True)  # Of a process that was killed.
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(self._path))
            # Nobody can connect before `listen`.
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(
                self._accept, sock=listener, limit=MAX_REQUEST
            )
        except OSError:
            listener.close()
            raise

    async def _open_port(self) -> None:
        self._path = self._path.with_suffix(".json")
        self._token = secrets.token_urlsafe(32)
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=MAX_REQUEST)
        port = self._server.sockets[0].getsockname()[1]
        told = json.dumps({"port": port, "token": self._token})
        state_folder.replace(self._path, told.encode())

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            writer.close()
            return
        client = asyncio.create_task(self._serve(reader, writer), name="control")
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)
        client.add_done_callback(report_death)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                if line := await reader.readline():
                    writer.write(json.dumps(self._reply(line)).encode() + b"\n")
                    await writer.drain()
        except (OSError, ValueError, TimeoutError) as error:
            log.debug("a command went away: %s", error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return {"error": "The request is not a JSON object."}
        token = str(request.pop("token", ""))
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            return {"error": "The token is wrong."}
        try:
            return {"answer": self._answer(request)}
        except (ValueError, SetupError) as error:
            return {"error": str(error)}


def servers(folder: Path) -> list[Found]:
    """The servers that run with this state folder, by their numbers."""
    named = [(_FILE.fullmatch(path.name), path) for path in folder.glob("control-*")]
    found = [Found(int(match[1]), path) for match, path in named if match and _answers(path)]
    return sorted(found, key=lambda server: server.number)


def ask(server: Found, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request to a server, and give its answer.

    Raises
    ------
    NotRunning: nobody answers there.
    SetupError: the server refuses, or does not answer in time; the sentence says why.
    """
    try:
        connection, token = _connect(server.path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotRunning from error
    with connection:
        try:
            text = json.dumps({**request, **token}) + "\n"
            connection.sendall(text.encode())
            reply = json.loads(_read_all(connection))
            refused = reply.get("error")
            answer: dict[str, Any] = reply.get("answer", {})
        except (OSError, ValueError, AttributeError) as problem:
            if token:  # Another program may have the port by now.
                raise NotRunning from problem
            raise SetupError(
                f"The lenscast with the local port {server.number} does not answer. Try again, or "
                "restart it."
            ) from problem
    if refused is not None:
        raise SetupError(str(refused))
    return answer


def _connect(path: Path) -> tuple[socket.socket, dict[str, str]]:
    if path.suffix == ".sock":
        address: Any = str(path)
        token = {}
        connection = socket.socket(socket.AF_UNIX)
    else:
        told = json.loads(path.read_bytes())
        address, token = ("127.0.0.1", int(told["port"])), {"token": str(told["token"])}
        connection = socket.socket()
    connection.settimeout(ANSWER_SECONDS)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection, token


def _answers(path: Path) -> bool:
    try:
        connection, _ = _connect(path)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # Left by a process that was killed.
    connection.close()
    return True


def _read_all(connection: socket.socket) -> bytes:
    read = bytearray()
    while part := connection.recv(65536):
        read += part
        if len(read) > MAX_ANSWER:
            raise ValueError("the answer is too long")
    return bytes(read)
