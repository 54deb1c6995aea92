"""What holds for every test: it leaves no task running behind it."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.signaling.transport.raw import SECONDS


@pytest_asyncio.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """All tests share one event loop: a task that a test leaves disturbs those after it."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=SECONDS)
    assert left == set()
