"""Runs the systems to be measured: this project's command, alone or with coturn, and PeerJS."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.browser.pair import Links
from bench.shared.peerjs import PEERJS
from bench.shared.processes import StartError
from tests.turn.coturn_server import running_coturn

_START_SECONDS = 20
_STOP_SECONDS = 5

Command = Callable[..., list[str]]


class Lenscast:
    """A running server of this project.

    Parameters
    ----------
    said: its line of JSON.
    host: where browsers find it. For 127.0.0.1 they use plain HTTP.
    """

    def __init__(self, said: dict[str, Any], host: str) -> None:
        self._said = said
        loopback = host == "127.0.0.1"
        self._origin = (
            f"http://{host}:{said['local_port']}" if loopback else f"https://{host}:{said['port']}"
        )

    @property
    def ports(self) -> tuple[int, int]:
        """That of plain HTTP on the loopback address, and that of HTTPS."""
        return self._said["local_port"], self._said["port"]

    def links(self, transport: str = "") -> Links:
        """The pages of its room, through the relay if a transport is given."""
        query = "?relay=1" if transport else ""
        receiver, sender = (self._link(self._said[role], query) for role in ("receiver", "sender"))
        return Links(receiver, sender, transport)

    def _link(self, link: str, query: str) -> str:
        parts = urlsplit(link)
        return f"{self._origin}{parts.path}{query}#{parts.fragment}"


class PeerJs:
    """A running PeerJS server with its two pages."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._count = 0

    def links(self) -> Links:
        """The pages, with an id that has not been used before."""
        self._count += 1
        pages = (f"{self.origin}/{page}.html#run{self._count}" for page in ("receiver", "sender"))
        return Links(*pages)


@asynccontextmanager
async def running_lenscast(
    folder: Path, *options: str, host: str = "127.0.0.1", command: Command | None = None
) -> AsyncIterator[Lenscast]:
    """Run this project's command on free ports.

    Parameters
    ----------
    folder: an empty one, for its state and its log.
    options: more options for the command.
    host: where browsers find it.
    command: makes the command line that runs a program on that host; None for this one.
    """
    ports = ["--port", "0", "--local-port", "0"]
    program = [sys.executable, "-m", "lenscast", "--json", "--no-open", *ports, *options]
    async with _running(folder, program, command) as said:
        yield Lenscast(said, host)


@asynccontextmanager
async def running_lenscast_with_coturn(folder: Path) -> AsyncIterator[Lenscast]:
    """Run coturn, and this project's command with a configuration for it.

    Parameters
    ----------
    folder: an empty one.
    """
    if shutil.which("turnserver") is None:
        raise StartError("coturn's turnserver is not on the PATH: apt install coturn")
    async with running_coturn(folder / "coturn") as coturn:
        file = folder / "config.yaml"
        file.write_text("\n".join(coturn.config_lines()))
        async with running_lenscast(folder / "lenscast", "--config", str(file)) as lenscast:
            yield lenscast


@asynccontextmanager
async def running_peerjs(
    folder: Path, *, host: str = "127.0.0.1", port: int = 0, command: Command | None = None
) -> AsyncIterator[PeerJs]:
    """Run the PeerJS server and its pages. The parameters are as for `running_lenscast`."""
    program = ["node", str(PEERJS / "server.js"), host, str(port)]
    async with _running(folder, program, command) as said:
        yield PeerJs(f"http://{host}:{said['port']}")


@asynccontextmanager
async def _running(
    folder: Path, program: list[str], command: Command | None
) -> AsyncIterator[dict[str, Any]]:
    """Run a program until the end of the block, and give its first line, which is JSON."""
    file = _log_file(folder)
    with file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(command(*program) if command else program),
            env={**os.environ, "XDG_STATE_HOME": str(folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield await _first_line(process, file)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _log_file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "log"


async def _first_line(process: asyncio.subprocess.Process, log: Path) -> dict[str, Any]:
    line = b""
    if process.stdout:
        with suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
    if not line:
        raise StartError(f"A server did not start. Its log:\n{_text(log)}")
    said: dict[str, Any] = json.loads(line)
    return said


def _text(log: Path) -> str:
    return log.read_text(errors="replace")
