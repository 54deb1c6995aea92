"""Runs the relays to be measured, each in a process of its own on one core.

Owns their processes and coturn's configuration.
"""

import json
import os
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
from typing import IO

from bench.clients import Login
from turn import coturn, stun
from turn.credentials import ephemeral
from turn.stun import Kind, Method

HOST = "127.0.0.1"
PEERS = ("one", "other")

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_RELAY_PORTS = 16
_ROOT = Path(__file__).resolve().parent.parent


class ServerError(Exception):
    """A relay cannot be run; the message says why."""


@dataclass(frozen=True)
class Server:
    """A relay that runs, and two logins there."""

    pid: int
    address: tuple[str, int]
    logins: tuple[Login, Login]

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, in user and in system mode."""
        # The name, in brackets, may hold spaces. utime and stime are fields 14 and 15 (proc(5)).
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def embedded(core: int) -> Iterator[Server]:
    """The relay of this project, alone in a process."""
    command = [sys.executable, "-m", "bench.embedded_server"]
    with pinned(command, core, _ROOT) as process:
        assert process.stdout is not None  # noqa: S101
        ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
        line = process.stdout.readline() if ready else b""
        if not line:
            raise ServerError("The embedded relay did not start; what it said stands above.")
        told = json.loads(line)
        one, other = (Login(*login) for login in told["logins"])
        yield Server(process.pid, (HOST, told["port"]), (one, other))


@contextmanager
def running_coturn(core: int, directory: Path) -> Iterator[Server]:
    """Run coturn from the configuration that this project writes, but for two lines.

    There is no limit of bandwidth, and one thread relays: it has one core.

    Parameters
    ----------
    core: the core it runs on.
    directory: for its files; made if it is not there.
    """
    if shutil.which("turnserver") is None:
        raise ServerError("coturn's turnserver is not on the PATH: apt install coturn")
    port = _free_ports()
    files = coturn.write(
        directory, [HOST], port=port, min_port=port + 1, max_port=port + _RELAY_PORTS
    )
    text, dropped = re.subn(r"(?m)^max-bps=.*\n", "", files.turnserver_conf.read_text())
    if dropped != 1:
        raise ServerError("turnserver.conf limits bandwidth in another way than this knows.")
    files.turnserver_conf.write_text(text + "relay-threads=1\n")
    secret = files.secret_file.read_text()
    command = ["turnserver", "-c", str(files.turnserver_conf)]
    with (directory / "log").open("wb") as log, pinned(command, core, directory, log) as p:
        _answers(p, port)
        one, other = (ephemeral(secret, peer, time.time(), 3600) for peer in PEERS)
        logins = Login(one.username, one.password), Login(other.username, other.password)
        yield Server(p.pid, (HOST, port), logins)


def waiting_seconds(pid: int) -> float:
    """For how long the main thread of a process was ready to run so far, but had no core.

    It is the one that relays, in coturn also: with one relay thread there is no other.
    """
    # The second field, in nanoseconds (the kernel's sched-stats.rst).
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def coturn_version() -> str:
    """What turnserver says of its version."""
    said = subprocess.run(
        ["turnserver", "--version"], capture_output=True, text=True, timeout=5, check=False
    )
    found = re.search(r"\d+\.\d+\.\d+", said.stdout)
    return found[0] if found else "of unknown version"


@contextmanager
def pinned(
    command: list[str], core: int, directory: Path, log: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on one core, until the end of the block.

    Parameters
    ----------
    log: takes what it prints; its standard output is a pipe if left out.
    """
    # A child inherits the cores of its parent, and so do all threads it will ever start.
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=log or subprocess.PIPE,
            stderr=log,
        )
    finally:
        os.sched_setaffinity(0, own)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait for the first answer to a STUN request."""
    request = stun.encode(Method.BINDING, Kind.REQUEST, secrets.token_bytes(12), [])
    # Not connected: until the server listens, each request would come back as an error.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            probe.sendto(request, (HOST, port))
            with suppress(TimeoutError):
                probe.recv(2048)
                return
    raise ServerError("coturn did not start.")


def _free_ports() -> int:
    """Return a port that is free over UDP and TCP, with free relay ports after it."""
    # Below the kernel's usual range for outgoing connections, which starts at 32768.
    for _ in range(50):
        port = random.randrange(20000, 32000 - _RELAY_PORTS)  # noqa: S311
        wanted = [(socket.SOCK_STREAM, port)]
        wanted += [(socket.SOCK_DGRAM, port + i) for i in range(_RELAY_PORTS + 1)]
        if all(_is_free(kind, number) for kind, number in wanted):
            return port
    raise ServerError("There is no free range of ports for coturn.")


def _is_free(kind: int, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
