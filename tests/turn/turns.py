"""Checks that long work lets other tasks run, by counting turns of the event loop and not time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

AT_A_TIME = 100  # How many may be handled for one client before other tasks run.


@contextlib.asynccontextmanager
async def in_turns(count: Callable[[], int]) -> AsyncIterator[None]:
    """Assert that a count grows a few at a time, so that other tasks run in between."""
    jumps = [0]

    async def watch() -> None:
        seen = count()
        while True:
            await asyncio.sleep(0)
            seen, before = count(), seen
            jumps.append(seen - before)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert 0 < max(jumps) <= AT_A_TIME
