"""How busy the machine is with what does not belong to a measurement.

Owns counting other processes' CPU time. Linux only.
"""

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Bystanders:
    """The processes that this one has not started, from now on."""

    def __init__(self) -> None:
        _adopt_orphans()
        self._begin = time.monotonic()
        self._used = _others_seconds()

    def cores(self) -> float:
        """How many cores they used on average."""
        used = _others_seconds() - self._used
        return max(0.0, used / (time.monotonic() - self._begin))


def _adopt_orphans() -> None:
    """Make a browser's processes that outlive it ours, where else their time would be init's."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def _others_seconds() -> float:
    """CPU time of all other processes, and of their children that ended."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(FileNotFoundError, ProcessLookupError):
            # ppid, utime, stime, cutime and cstime are fields 4 and 14 to 17 (proc(5)).
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
            ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own and pid not in own}:
        own |= more
    return sum(used for pid, used in ticks.items() if pid not in own) / os.sysconf("SC_CLK_TCK")
