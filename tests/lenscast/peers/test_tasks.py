"""The owner of background tasks."""

import asyncio

import pytest

from lenscast.peers.tasks import Tasks


async def fail() -> None:
    raise ValueError("broken")


async def last() -> None:
    await asyncio.Event().wait()


async def test_the_first_error_is_raised_to_who_waits() -> None:
    """A task that fails ends the peer: `wait` and `check` raise its error."""
    tasks = Tasks()
    tasks.check()
    tasks.start(last(), "lasts")
    tasks.start(fail(), "fails")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await asyncio.wait_for(tasks.wait(), 1)
    with pytest.raises(ValueError, match="broken"):
        tasks.check()
    assert tasks.over
    await tasks.close()


async def test_an_error_is_raised_once_more_only_if_nobody_was_told() -> None:
    """`raise_untold` raises what neither `wait` nor `check` has raised."""
    tasks = Tasks()
    failing = tasks.start(fail(), "fails")
    await asyncio.wait({failing})
    await tasks.close()
    with pytest.raises(ValueError, match="broken"):
        tasks.raise_untold()
    tasks.raise_untold()


async def test_closing_cancels_what_runs_and_waits_for_what_closes() -> None:
    """A task that closes something runs to its end, also one that a cancelled task starts."""
    tasks = Tasks()
    done: list[str] = []

    async def tidy() -> None:
        await asyncio.sleep(0.01)
        done.append("tidied")

    async def work() -> None:
        try:
            await last()
        finally:
            done.append("cancelled")
            tasks.start_closing(tidy(), "tidies")

    tasks.start(work(), "works")
    await asyncio.sleep(0)
    await tasks.close()
    assert done == ["cancelled", "tidied"]
    assert tasks.over
    await asyncio.wait_for(tasks.wait(), 1)


async def test_the_end_is_told_once() -> None:
    """`on_end` is called when the peer is over, and not again when it is closed."""
    ends: list[str] = []
    tasks = Tasks(on_end=lambda: ends.append("end"))
    tasks.finish()
    tasks.start(fail(), "fails")
    await tasks.close()
    assert ends == ["end"]
