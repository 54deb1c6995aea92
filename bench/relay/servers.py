"""Runs the relays to be measured, each in its own process on one core."""

import json
import random
import re
import secrets
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.relay.clients import Login
from bench.shared.processes import ROOT, StartError, cpu_seconds, pinned
from turn import coturn, stun
from turn.credentials import ephemeral
from turn.stun import Kind, Method

HOST = "127.0.0.1"
PEERS = ("one", "other")

_START_SECONDS = 10.0
_RELAY_PORTS = 16


@dataclass(frozen=True)
class Server:
    """A running relay, and two logins for it."""

    pid: int
    address: tuple[str, int]
    logins: tuple[Login, Login]

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self.pid)


@contextmanager
def embedded(core: int) -> Iterator[Server]:
    """Run this project's relay, alone in a process."""
    command = [sys.executable, "-m", "bench.relay.embedded_process"]
    with pinned(command, core, ROOT) as process:
        assert process.stdout is not None  # noqa: S101
        ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
        line = process.stdout.readline() if ready else b""
        if not line:
            raise StartError("The embedded relay did not start; its output is above.")
        told = json.loads(line)
        one, other = (Login(*login) for login in told["logins"])
        yield Server(process.pid, (HOST, told["port"]), (one, other))


@contextmanager
def running_coturn(core: int, directory: Path) -> Iterator[Server]:
    """Run coturn with the configuration that this project writes, except for two lines.

    It has no bandwidth limit, and only one relay thread, because it has one core.

    Parameters
    ----------
    core: the core it runs on.
    directory: for its files; created if necessary.
    """
    if shutil.which("turnserver") is None:
        raise StartError("coturn's turnserver is not on the PATH: apt install coturn")
    port = _free_ports()
    files = coturn.write(
        directory, [HOST], port=port, min_port=port + 1, max_port=port + _RELAY_PORTS
    )
    text, dropped = re.subn(r"(?m)^max-bps=.*\n", "", files.turnserver_conf.read_text())
    if dropped != 1:
        raise StartError("turnserver.conf should have one line with max-bps.")
    files.turnserver_conf.write_text(text + "relay-threads=1\n")
    secret = files.secret_file.read_text()
    command = ["turnserver", "-c", str(files.turnserver_conf)]
    with (directory / "log").open("wb") as log, pinned(command, core, directory, log) as p:
        _answers(p, port)
        one, other = (ephemeral(secret, peer, time.time(), 3600) for peer in PEERS)
        logins = Login(one.username, one.password), Login(other.username, other.password)
        yield Server(p.pid, (HOST, port), logins)


def coturn_version() -> str:
    """The version that turnserver reports."""
    said = subprocess.run(
        ["turnserver", "--version"], capture_output=True, text=True, timeout=5, check=False
    )
    found = re.search(r"\d+\.\d+\.\d+", said.stdout)
    return found[0] if found else "of unknown version"


def _answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server answers a STUN request."""
    request = stun.encode(Method.BINDING, Kind.REQUEST, secrets.token_bytes(12), [])
    # A connected socket would report an error for each request until the server listens.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            probe.sendto(request, (HOST, port))
            with suppress(TimeoutError):
                probe.recv(2048)
                return
    raise StartError("coturn did not start.")


def _free_ports() -> int:
    """Return a port that is free for UDP and TCP, followed by free relay ports."""
    # Below 32768, where the kernel's usual range for outgoing connections begins.
    for _ in range(50):
        port = random.randrange(20000, 32000 - _RELAY_PORTS)  # noqa: S311
        wanted = [(socket.SOCK_STREAM, port)]
        wanted += [(socket.SOCK_DGRAM, port + i) for i in range(_RELAY_PORTS + 1)]
        if all(_is_free(kind, number) for kind, number in wanted):
            return port
    raise StartError("There is no free range of ports for coturn.")


def _is_free(kind: int, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
