"""Says which tests run while several processes run them, so that a long wait has a name."""

import threading
import time

import pytest

SECONDS = 20.0
"""Between two lines."""


class Progress:
    """Prints the tests that run now, with how long they have run. A plugin for pytest."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._running: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A process begins a test."""
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A process has finished a test."""
        self._running.pop(nodeid, None)

    def pytest_sessionstart(self) -> None:
        """Begin to print."""
        self._thread.start()

    def pytest_sessionfinish(self) -> None:
        """Print no more: the summary follows."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SECONDS):
            self._terminal.line("")
            for nodeid, since in sorted(self._running.copy().items(), key=lambda one: one[1]):
                self._terminal.write_line(f"running {time.monotonic() - since:3.0f} s: {nodeid}")
