"""How busy the machine is with anything but the measurement. Linux only."""

import ctypes
import time
from contextlib import suppress

import psutil

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Bystanders:
    """The processes that this one has not started, from now on."""

    def __init__(self) -> None:
        _adopt_orphans()
        self._begin = time.monotonic()
        self._used = _others_seconds()

    def cores(self) -> float:
        """How many cores they have used on average."""
        used = _others_seconds() - self._used
        return max(0.0, used / (time.monotonic() - self._begin))


def _adopt_orphans() -> None:
    """Become the parent of a browser's processes that outlive it; otherwise init would."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def _others_seconds() -> float:
    """CPU time of all other processes, of their children that have ended, and of other machines.

    The last is what the host took from this machine, if it is a virtual one.
    """
    own = psutil.Process()
    ours = {own.pid, *(child.pid for child in own.children(recursive=True))}
    total: float = psutil.cpu_times().steal
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            if process.pid not in ours:
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
