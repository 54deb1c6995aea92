"""The outbox: in order, bounded by number and by size, and ended once."""

import asyncio

import pytest

from signaling.transport.outbox import Ending, Outbox


async def test_messages_come_out_in_order() -> None:
    """What goes in first comes out first."""
    outbox = Outbox(10, 100)
    assert outbox.put("a")
    assert outbox.put("b")
    assert [await outbox.get(), await outbox.get()] == ["a", "b"]


async def test_a_reader_waits_for_the_next_message() -> None:
    """With nothing there, `get` waits until something comes."""
    outbox = Outbox(10, 100)
    waiting = asyncio.ensure_future(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put("a")
    assert await asyncio.wait_for(waiting, 1) == "a"


@pytest.mark.parametrize(("messages", "size"), [(2, 100), (100, 2)])
async def test_what_does_not_fit_is_not_added(messages: int, size: int) -> None:
    """Past the limit on number or size `put` says no, and taking one makes room again."""
    outbox = Outbox(messages, size)
    assert outbox.put("a")
    assert outbox.put("b")
    assert not outbox.put("c")
    assert await outbox.get() == "a"
    assert outbox.put("d")


async def test_what_waits_is_sent_before_the_end() -> None:
    """Ending lets out what waits, adds nothing more, and keeps its first reason."""
    outbox = Outbox(10, 100)
    outbox.put("a")
    outbox.end(1001, "first")
    outbox.end(1008, "second")
    outbox.put("late")
    assert outbox.ended
    assert await outbox.get() == "a"
    assert await outbox.get() == Ending(1001, "first")
    assert await outbox.get() == Ending(1001, "first")


async def test_ending_wakes_a_reader_that_waits() -> None:
    """A writer that waits for messages learns of the end."""
    outbox = Outbox(10, 100)
    waiting = asyncio.ensure_future(outbox.get())
    await asyncio.sleep(0)
    outbox.end(1001, "x")
    assert await asyncio.wait_for(waiting, 1) == Ending(1001, "x")


async def test_what_waits_elsewhere_comes_after_what_waits_here() -> None:
    """Taking over keeps the order, empties the other one, and is not held back by the limits."""
    old, new = Outbox(2, 100), Outbox(2, 100)
    for text in ("b", "c"):
        old.put(text)
    new.put("a")
    new.take_over(old)
    assert not new.put("too many now")
    assert [await new.get() for _ in range(3)] == ["a", "b", "c"]
    assert old.put("x" * 100)
    assert new.put("y" * 100)


async def test_room_is_made_for_what_waits_already() -> None:
    """As much more fits, by number and by size."""
    outbox = Outbox(2, 10)
    assert outbox.put("1234")
    assert outbox.put("5678")
    outbox.make_room()
    assert not outbox.put("x" * 11)
    assert outbox.put("x" * 10)
    assert outbox.put("")
    assert not outbox.put("")


async def test_room_is_made_once_over_and_no_more() -> None:
    """Who comes back again and again without reading has no more than twice the limits kept."""
    old = Outbox(2, 100)
    for _ in range(5):
        while old.put("a"):
            pass
        new = Outbox(2, 100)
        new.take_over(old)
        new.make_room()
        old = new
    old.end(1000, "")
    kept = 0
    while isinstance(await old.get(), str):
        kept += 1
    assert kept == 4


async def test_taking_over_wakes_a_reader_that_waits() -> None:
    """A writer that waits for messages gets what was taken over."""
    old, new = Outbox(2, 100), Outbox(2, 100)
    waiting = asyncio.ensure_future(new.get())
    await asyncio.sleep(0)
    old.put("a")
    new.take_over(old)
    assert await asyncio.wait_for(waiting, 1) == "a"
