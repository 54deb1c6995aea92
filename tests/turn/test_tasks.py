"""What is said when a background task fails."""

import asyncio
import logging

import pytest

from turn.tasks import report_death


async def _fail() -> None:
    raise RuntimeError("no more disk")


async def _wait() -> None:
    await asyncio.Event().wait()


async def _ended(task: "asyncio.Task[None]") -> None:
    task.add_done_callback(report_death)
    await asyncio.gather(task, return_exceptions=True)


async def test_a_failed_task_is_logged_with_its_name_and_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One error in the log names the task and holds the traceback."""
    await _ended(asyncio.create_task(_fail(), name="sweeper"))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "the sweeper failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no more disk"


async def test_a_cancelled_or_finished_task_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Cancelling is how tasks are meant to end."""
    waiting = asyncio.create_task(_wait())
    asyncio.get_running_loop().call_soon(waiting.cancel)
    await _ended(waiting)
    await _ended(asyncio.create_task(asyncio.sleep(0)))
    assert not caplog.records
