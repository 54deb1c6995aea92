"""Appends lines to a file in a thread of its own, so that a slow disk holds up nobody.

The file is opened with mode 0600, and again where it was moved or removed (logrotate(8)). What
cannot be written is dropped, and said once.
"""

import logging
import os
import queue
import stat
import threading
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path

from signaling.setup_error import SetupError

log = logging.getLogger(__name__)

MAX_WAITING = 4096
"""Lines that may wait for the disk, each about 200 bytes."""
STOP_SECONDS = 2.0


class AuditFile:
    """A file that lines are appended to.

    Parameters
    ----------
    path: the file. Its folder must exist.

    Raises
    ------
    SetupError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = _File(path)
        except OSError as error:
            raise SetupError(
                f"The audit log {path} cannot be opened: {error.strerror}. Correct log.audit in "
                "the configuration, or make its folder writable."
            ) from error
        self._path = path
        self._waiting: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._failing = False
        self._full = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Append a line, soon; returns at once."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            if not self._full:
                log.error("The audit log %s is too slow: lines are missing from it.", self._path)
            self._full = True

    def close(self) -> None:
        """Write what waits, and close the file; takes 2 s at most."""
        try:
            self._waiting.put(None, timeout=STOP_SECONDS / 2)
        except queue.Full:
            return  # The disk hangs. The thread ends with the process.
        self._thread.join(STOP_SECONDS / 2)

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                self._file.emit(logging.makeLogRecord({"msg": line}))
            except OSError as error:
                if not self._failing:
                    log.error(
                        "The audit log %s cannot be written: %s. Lines are missing from it until "
                        "that is corrected.",
                        self._path,
                        error.strerror,
                    )
                self._failing = True
            else:
                self._failing = self._full = False
        try:
            self._file.close()
        except OSError as error:
            log.error("The end of the audit log %s was not written: %s.", self._path, error)


class _File(WatchedFileHandler):
    """The standard library's, which opens a file again that was moved."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        file = open(self.baseFilename, "a", encoding="utf-8", opener=_open_closed)  # noqa: SIM115
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
            os.chmod(self.baseFilename, 0o600)
        return file

    def handleError(self, record: logging.LogRecord) -> None:
        # Called within `except`: whoever calls `emit` says it.
        raise


def _open_closed(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
