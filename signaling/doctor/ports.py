"""Finds out what is on a port: nothing, Lenscast, or another program."""

import asyncio
import errno
import json
from contextlib import suppress
from dataclasses import dataclass

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.iostream import StreamBufferFullError

from signaling.doctor import visit
from signaling.doctor.findings import Finding, broken, ok
from signaling.setup_error import SetupError
from signaling.web.headers import security_headers
from signaling.web.port import bind

_MAX_ANSWER = 65536

_MARK = "Permissions-Policy"
_OURS = security_headers("")[_MARK]
"""A header that every answer of Lenscast has, and hardly any other program's."""


@dataclass(frozen=True)
class PortState:
    """What is on a port.

    Attributes
    ----------
    usable: whether Lenscast could listen there.
    origin: scheme, host and port of the Lenscast server that runs there; None if there is none.
    turn: that server's turn.mode, if it tells.
    """

    finding: Finding
    usable: bool
    origin: str | None = None
    turn: str = ""


async def look(host: str, port: int, setting: str) -> PortState:
    """Find out what is on a port.

    Parameters
    ----------
    host: an IP address of this host, or 0.0.0.0 for all.
    port: 0 stands for any free port.
    setting: the key of the configuration that names the port, such as `server.port`.
    """
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
    at = f"{f'[{to}]' if ':' in to else to}:{port}"
    origins = f"https://{at}", f"http://{at}"
    for origin, health in zip(origins, await asyncio.gather(*map(_health, origins)), strict=True):
        if health:
            text = f"{health['name']} is running on it"
            return PortState(ok(check, text), False, origin, health["turn"])
    program = await asyncio.to_thread(holder, port)
    option = "--" + setting.removeprefix("server.").replace("_", "-")
    other = port + 1000 if port + 1000 <= 65535 else port - 1000
    text = f"in use by another program{f' ({program})' if program else ''}."
    remedy = f"Stop it, or use another port: lenscast {option} {other}"
    return PortState(broken(check, text, remedy), usable=False)


async def _health(origin: str) -> dict[str, str] | None:
    """What the Lenscast server at an origin says about itself; None if there is no such server."""
    client = AsyncHTTPClient(force_instance=True, max_buffer_size=_MAX_ANSWER)
    try:
        answer = await client.fetch(
            f"{origin}/healthz",
            connect_timeout=visit.ANSWER_SECONDS,
            request_timeout=visit.ANSWER_SECONDS,
            ssl_options=visit.anybody(),
            follow_redirects=False,
            decompress_response=False,  # Before 6.6, Tornado limits only what is received.
        )
        said = json.loads(answer.body)
        if said == {"status": "ok"} and answer.headers.get(_MARK) == _OURS:
            # What strangers are told, and so is who asks by a LAN address.
            return {"name": "Lenscast", "turn": ""}
        found = {"name": f"Lenscast {said['version']}", "turn": str(said["turn"])}
        return found if said["status"] == "ok" else None
    except (
        HTTPClientError,
        StreamBufferFullError,  # Tornado raises it as it is where an answer comes at once.
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):
        return None  # It is another program.
    finally:
        client.close()


def holder(port: int) -> str | None:
    """Name the program that uses a TCP port, as in `nginx, pid 812`.

    None if it cannot be seen: most systems show the sockets of other users' programs to root only.
    """
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # It has ended, or belongs to another user.
            connections = process.net_connections("tcp")
            if any(one.laddr and one.laddr.port == port for one in connections):
                return f"{process.name()}, pid {process.pid}"
    return None
