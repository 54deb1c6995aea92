"""Whether what goes on lets others have their turn: by turns of the event loop, not by time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

AT_A_TIME = 100  # What may be done for one client before others have their turn.


@contextlib.asynccontextmanager
async def in_turns(count: Callable[[], int]) -> AsyncIterator[None]:
    """What is counted comes a few at a time, others having their turn on the event loop between."""
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
