"""Runs a program on one core, and reads how much CPU time it has used. Linux only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[2]
"""The folder in which `python -m bench...` works."""

_STOP_SECONDS = 5.0


class StartError(Exception):
    """A program to be measured cannot be run. The message says why."""


@contextmanager
def pinned(
    command: list[str], core: int, directory: Path, log: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on one core, until the end of the block.

    Parameters
    ----------
    log: receives what it prints; without it, standard output is a pipe.
    """
    # A child inherits its parent's cores, and so do all threads that it will start.
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


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far, in user and in system mode."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def waiting_seconds(pid: int) -> float:
    """How long the main thread of a process was ready to run so far, but had no core."""
    # The second field, in nanoseconds (the kernel's sched-stats.rst).
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
