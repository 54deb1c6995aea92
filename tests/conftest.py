"""What holds for every test: it leaves no task running behind it. And how many run at a time."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Generator
from typing import Any

import hypothesis
import pytest
import pytest_asyncio

from tests.progress import Progress

hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")  # How long an example takes depends on the load.

LEFT_SECONDS = 60.0
"""For tasks that are still ending: aioice asks a relay that is gone for half a minute."""
AGAIN_SECONDS = 30.0
"""After a test's time limit has passed, for what it must clean up."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes for each core: tests wait more than they compute."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, Any, Any]:
    """The event loop swallows an exception that a signal raises within a callback or a task: the
    signal of the time limit comes again until it finds the test itself."""
    result = yield
    if settings.method == "signal":
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, AGAIN_SECONDS)
    return result


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Where other processes run the tests, their names are said from time to time."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal and config.getoption("numprocesses", None):
        config.pluginmanager.register(Progress(terminal), "progress")


@pytest_asyncio.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """All tests of a process share one event loop: a task that one leaves disturbs the next."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=LEFT_SECONDS)
    assert left == set()
