"""Waits for a condition, in tests that have no event loop."""

import time
from collections.abc import Callable

SECONDS = 20.0


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fails where it does not."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.01)
