"""A file of short lines in the state folder that is only added to, one line at a time.

A line is with the kernel before `add` returns, so it outlives the process, however that ends. It is
not forced to the disk, which would stop the server for milliseconds each time: if the power fails,
the lines of the last seconds may be lost.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from signaling.host import state_folder
from signaling.setup_error import SetupError

log = logging.getLogger(__name__)


class Journal:
    """The file.

    Parameters
    ----------
    path: in a folder that exists. The file need not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fails = False

    def lines(self) -> list[str]:
        """Return what the file holds. Raises SetupError if it cannot be read."""
        remedy = "Remove it and start again."
        return state_folder.read(self._path, _lines, remedy) or []

    def add(self, line: str) -> None:
        """Add a line. If that is not possible the log says so, once, and the server goes on."""
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self._path, flags, mode=0o600)
            try:
                os.write(descriptor, f"{line}\n".encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            self._report(f"{self._path} cannot be written: {error.strerror}.")
        else:
            self._fails = False

    def replace(self, lines: Iterable[str]) -> None:
        """Put these lines in place of all others; errors are treated as those of `add`."""
        text = "".join(f"{line}\n" for line in lines)
        try:
            state_folder.replace(self._path, text.encode())
        except SetupError as error:
            self._report(str(error))

    def _report(self, sentence: str) -> None:
        if not self._fails:
            log.warning("%s After a restart, peers that have left may come back.", sentence)
        self._fails = True


def _lines(data: bytes) -> list[str]:
    # A line that was not written whole says nothing, and spoils no other.
    return data.decode("utf-8", "replace").splitlines()
