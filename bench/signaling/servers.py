"""Runs the signaling servers to be measured, each in its own process on one core. Linux only."""

import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.shared.peerjs import PEERJS
from bench.shared.processes import ROOT, StartError, cpu_seconds, pinned, waiting_seconds

MANY = 1_000_000

RAISED = {
    "rooms.max_rooms": MANY,
    "limits.messages_per_second": MANY,
    "limits.message_burst": MANY,
    "limits.candidates_per_session": MANY,
    "limits.connections": MANY,
    "limits.connections_per_address": MANY,
    "limits.connections_per_second": MANY,
    "limits.requests_per_second": MANY,
}
"""Limits that are raised for the measurement, because all peers come from one address."""

_START_SECONDS = 20.0


class Server:
    """A running signaling server.

    Attributes
    ----------
    port: its port for plain HTTP, on 127.0.0.1.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.port = port
        self._process = process
        self._seen = psutil.Process(process.pid)

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        return cpu_seconds(self._process.pid)

    def waiting_seconds(self) -> float:
        """How long its main thread was ready to run so far, but had no core."""
        return waiting_seconds(self._process.pid)

    def memory(self) -> int:
        """Bytes of memory that it shares with no other process."""
        size: int = self._seen.memory_full_info().uss
        return size

    def threads(self) -> int:
        """How many threads it has."""
        return self._seen.num_threads()

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return self._seen.num_fds()

    def tasks(self) -> int:
        """How many asyncio tasks it has. Not for PeerJS."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return int(_line(self._process)["tasks"])


@contextmanager
def lenscast(core: int, **further: float) -> Iterator[Server]:
    """Run this project's server, with the limits in RAISED and open to everybody.

    Parameters
    ----------
    core: the core it runs on.
    further: other limits to change, by their names in `limits`.
    """
    changed = {**RAISED, **{f"limits.{name}": value for name, value in further.items()}}
    sections: dict[str, dict[str, float]] = {}
    for key, value in changed.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "config.yaml"
        # JSON is YAML.
        file.write_text(json.dumps({"access": "open", **sections}))
        command = [sys.executable, "-m", "bench.signaling.lenscast_process", str(file)]
        with _running(command, core) as server:
            yield server


@contextmanager
def peerjs(core: int) -> Iterator[Server]:
    """Run PeerJS's server, without a limit on its clients."""
    command = ["node", str(PEERJS / "server.js"), "127.0.0.1", "0", str(MANY)]
    with _running(command, core) as server:
        yield server


@contextmanager
def _running(command: list[str], core: int) -> Iterator[Server]:
    with pinned(command, core, ROOT) as process:
        yield Server(process, int(_line(process)["port"]))


def _line(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101
    # Not select(), because this process may have more than 1024 files open.
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    line = process.stdout.readline() if poll.poll(_START_SECONDS * 1000) else b""
    if not line:
        raise StartError("A server did not answer; its output is above.")
    said: dict[str, Any] = json.loads(line)
    return said
