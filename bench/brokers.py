"""Runs the signaling servers to be measured, each in a process of its own on one core.

Owns their processes, the limits that are raised for a measurement, and what /proc says of them.
Linux only.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.servers import pinned, waiting_seconds
from bench.systems import PEERJS, StartError

MANY = 1_000_000

RAISED = {
    "rooms.max_rooms": MANY,
    "limits.messages_per_second": MANY,
    "limits.message_burst": MANY,
    "limits.candidates_per_session": MANY,
    "limits.connections": MANY,
    "limits.connections_per_address": MANY,
    "limits.connections_per_second": MANY,
}
"""What the measured server allows beyond the defaults, since all peers come from one address."""

_START_SECONDS = 20.0
_ROOT = Path(__file__).resolve().parent.parent


class Broker:
    """A signaling server that runs.

    Attributes
    ----------
    port: where it speaks plain HTTP, on 127.0.0.1.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.port = port
        self._process = process
        self._folder = Path(f"/proc/{process.pid}")

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, in user and in system mode."""
        # The name, in brackets, may hold spaces. utime and stime are fields 14 and 15 (proc(5)).
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waiting_seconds(self) -> float:
        """For how long its main thread was ready to run so far, but had no core."""
        return waiting_seconds(self._process.pid)

    def memory(self) -> int:
        """Bytes of memory that are its own: resident, and shared with no other process."""
        text = (self._folder / "smaps_rollup").read_text()
        lines = (line.split() for line in text.splitlines()[1:])
        found = {name: int(size) for name, size, *_ in lines}
        return (found["Private_Clean:"] + found["Private_Dirty:"]) * 1024

    def threads(self) -> int:
        """How many threads it has."""
        return len(list((self._folder / "task").iterdir()))

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list((self._folder / "fd").iterdir()))

    def tasks(self) -> int:
        """How many asyncio tasks there are; not for PeerJS."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return int(_line(self._process)["tasks"])


@contextmanager
def lenscast(core: int, **further: float) -> Iterator[Broker]:
    """This project's server, with the limits of RAISED and access open to all.

    Parameters
    ----------
    core: the core it runs on.
    further: limits to be changed as well, by their name in `limits`.
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
        with _running([sys.executable, "-m", "bench.signaling_server", str(file)], core) as broker:
            yield broker


@contextmanager
def peerjs(core: int) -> Iterator[Broker]:
    """PeerJS's server, with no limit on its clients."""
    command = ["node", str(PEERJS / "server.js"), "127.0.0.1", "0", str(MANY)]
    with _running(command, core) as broker:
        yield broker


@contextmanager
def _running(command: list[str], core: int) -> Iterator[Broker]:
    with pinned(command, core, _ROOT) as process:
        yield Broker(process, int(_line(process)["port"]))


def _line(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101
    # Not select(): this process may have more than 1024 files open.
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    line = process.stdout.readline() if poll.poll(_START_SECONDS * 1000) else b""
    if not line:
        raise StartError("A server does not answer; what it said stands above.")
    said: dict[str, Any] = json.loads(line)
    return said
