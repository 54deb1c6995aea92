"""Who holds a port: nobody, a lenscast, or another program.

Owns how that is found out. May import `signaling.room.refusal`, `signaling.web.port` and `.visit`.
"""

import asyncio
import errno
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from signaling.doctor import visit
from signaling.doctor.findings import Finding, broken, ok
from signaling.setup_error import SetupError
from signaling.web.port import bind

ANSWER_SECONDS = 3.0
_MAX_ANSWER = 65536
_LISTEN = "0A"  # TCP_LISTEN of linux/include/net/tcp_states.h


@dataclass(frozen=True)
class PortState:
    """What is on a port.

    Attributes
    ----------
    usable: whether lenscast could listen there.
    origin: scheme, host and port of the lenscast that runs there; None without one.
    turn: that lenscast's turn.mode.
    """

    finding: Finding
    usable: bool
    origin: str | None = None
    turn: str = ""


async def look(host: str, port: int, setting: str) -> PortState:
    """Find out who holds a port.

    Parameters
    ----------
    host: an IP address of this host, or that of all.
    setting: the key of the configuration that names the port, as in `server.port`.
    """
    option = "--" + setting.removeprefix("server.").replace("_", "-")
    check = f"port {port}"
    if port == 0:
        return PortState(ok(setting, "any free port"), usable=True)
    try:
        bind(host, port, setting).close()
        return PortState(ok(check, "free"), usable=True)
    except SetupError as error:
        cause = error.__cause__
        if not (isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE):
            return PortState(broken(check, str(error), ""), usable=False)
    to = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    for scheme, health in zip(
        ("https", "http"),
        await asyncio.gather(_health(to, port, tls=True), _health(to, port, tls=False)),
        strict=True,
    ):
        if health:
            origin = f"{scheme}://{f'[{to}]' if ':' in to else to}:{port}"
            text = f"lenscast {health['version']} runs on it"
            return PortState(ok(check, text), False, origin, health["turn"])
    program = await asyncio.to_thread(holder, port)
    other = port + 1000 if port + 1000 <= 65535 else port - 1000
    remedy = f"Stop it, or: lenscast {option} {other}"
    text = f"in use by another program{f' ({program})' if program else ''}."
    return PortState(broken(check, text, remedy), usable=False)


async def _health(host: str, port: int, *, tls: bool) -> dict[str, str] | None:
    """What the lenscast on a port says of itself; None where there is no lenscast."""
    context = visit.anybody() if tls else None
    with suppress(OSError, ValueError, KeyError, TypeError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                writer.write(
                    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                await writer.drain()
                answer = await reader.read(_MAX_ANSWER)
                while answer and (more := await reader.read(_MAX_ANSWER)):
                    answer += more
                    if len(answer) > _MAX_ANSWER:
                        return None
            finally:
                writer.transport.abort()
        said = json.loads(answer.partition(b"\r\n\r\n")[2])
        if said["status"] == "ok":
            return {"version": str(said["version"]), "turn": str(said["turn"])}
    return None


def holder(port: int) -> str | None:
    """Name the program that listens on a TCP port, as in `nginx, pid 812`.

    None where /proc does not show it: on other systems, and for other users' programs.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text(errors="replace").strip()
                return f"{name}, pid {process.name}"
    return None


def _listening(port: int) -> set[str]:
    """The inodes of the sockets that listen on a port (proc(5), /proc/net/tcp)."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
