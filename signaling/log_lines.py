"""Log lines on standard error; those that repeat are counted instead of written.

Anybody who can reach the server can make it log. Whoever does so a thousand times a second must
neither fill the disk nor keep the process busy.
"""

import copy
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

SHOWN = 5
"""How many lines of a kind are written in one window."""
WINDOW_SECONDS = 10.0
MAX_KINDS = 256
"""How many kinds are told apart in one window. All further ones count as one kind."""

_Kind = tuple[str, int, str]


def held_back() -> int:
    """How many lines this process has only counted since its start."""
    handlers = logging.getLogger().handlers
    return sum(one.held_back for one in handlers if isinstance(one, CountingHandler))


class CountingHandler(logging.StreamHandler[Any]):
    """Writes the first lines of each kind, and later says how many more there were.

    Lines are of one kind if they come from one place: the same logger, level and text before its
    values are filled in.

    Parameters
    ----------
    stream: where to write.
    now: seconds of a clock that does not go back.

    Attributes
    ----------
    held_back: how many lines were only counted so far.
    """

    def __init__(self, stream: Any, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._now = now
        self.held_back = 0
        self._seen: dict[_Kind, int] = {}
        self._last: dict[_Kind, logging.LogRecord] = {}
        self._ends = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, or count it. `logging` calls this under the handler's lock."""
        now = self._now()
        if now >= self._ends:
            self._end_window()
            self._ends = now + WINDOW_SECONDS
        kind = (record.name, record.levelno, str(record.msg))
        if kind not in self._seen and len(self._seen) >= MAX_KINDS:
            kind = ("", 0, "")
        self._seen[kind] = self._seen.get(kind, 0) + 1
        if self._seen[kind] <= SHOWN:
            super().emit(record)
            return
        self.held_back += 1
        if not self._last:
            timer = threading.Timer(self._ends - now, self.flush_counts)
            timer.daemon = True
            timer.start()
        self._last[kind] = record

    def flush_counts(self) -> None:
        """Say how many lines were held back in this window, and begin another."""
        self.acquire()
        try:
            self._end_window()
            self._ends = 0.0
        finally:
            self.release()

    def close(self) -> None:
        """`logging`'s hook, at the end of the process."""
        self.flush_counts()
        super().close()

    def _end_window(self) -> None:
        for kind, record in self._last.items():
            summary = copy.copy(record)
            more = self._seen[kind] - SHOWN
            summary.msg = f"{record.getMessage()} ({more} more like this)"
            summary.args = None
            super().emit(summary)
        self._last.clear()
        self._seen.clear()
