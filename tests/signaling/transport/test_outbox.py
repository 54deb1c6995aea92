"""The outbox: in order, bounded by number and by size, and ended once."""

import asyncio

import pytest

from signaling.transport.outbox import About, Ending, News, Outbox


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
    assert await asyncio.wait_for(waiting, 20) == "a"


@pytest.mark.parametrize(("messages", "size"), [(4, 100), (100, 4)])
async def test_one_source_gets_half(messages: int, size: int) -> None:
    """Past half of the limit on number or size `put` says no, and taking one makes room again."""
    outbox = Outbox(messages, size)
    assert outbox.put("a", source="p")
    assert outbox.put("b", source="p")
    assert not outbox.put("c", source="p")
    assert await outbox.get() == "a"
    assert outbox.put("d", source="p")


@pytest.mark.parametrize(("messages", "size"), [(64, 9999), (9999, 64)])
def test_there_is_always_room_for_another_source(messages: int, size: int) -> None:
    """Each of those that fill it gets less than the one before, and never more than the limit."""
    outbox = Outbox(messages, size)
    found = [fill(outbox, f"p{number}") for number in range(6)]
    assert found == [32, 16, 8, 4, 2, 1]
    assert outbox.size == sum(found)


def test_sources_that_fill_it_by_turns_get_equal_shares() -> None:
    """And there is as much left as each of them has."""
    outbox = Outbox(100, 9999)
    taken = {"p": 0, "q": 0, "r": 0}
    for _ in range(100):
        for source in taken:
            taken[source] += outbox.put("x", source=source)
    assert taken == {"p": 25, "q": 25, "r": 25}


async def test_what_the_server_says_has_room_of_its_own() -> None:
    """Bounded by its size alone; neither takes room from the other."""
    outbox = Outbox(2, 8)
    assert fill(outbox, "p") == 1
    assert fill(outbox, None) == 8
    assert [await outbox.get() for _ in range(9)] == ["x"] * 9
    assert outbox.size == 0
    assert (fill(outbox, "q"), fill(outbox, None)) == (1, 8)


def fill(outbox: Outbox, source: str | None) -> int:
    """Add messages of one character until no more fit; how many did."""
    count = 0
    while outbox.put("x", source=source):
        count += 1
    return count


async def test_a_reader_is_slow_when_it_takes_nothing() -> None:
    """For as long as something waits: neither before, nor after it has taken one."""
    now = [100.0]
    outbox = Outbox(10, 100, lambda: now[0])
    now[0] += 50
    assert not outbox.stalled(5)
    outbox.put("a")
    outbox.put("b")
    assert outbox.read_within(5)
    now[0] += 4
    outbox.put("c")
    assert not outbox.stalled(5)
    now[0] += 1
    assert outbox.stalled(5)
    assert not outbox.read_within(5)
    await outbox.get()
    assert not outbox.stalled(5)
    assert outbox.read_within(5)
    await outbox.get()
    await outbox.get()
    now[0] += 50
    assert not outbox.stalled(5)
    assert not outbox.read_within(100)


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
    assert await asyncio.wait_for(waiting, 20) == Ending(1001, "x")


async def test_what_waits_elsewhere_comes_after_what_waits_here() -> None:
    """Taking over keeps the order, empties the other one, and is not held back by the limits."""
    old, new = Outbox(4, 100), Outbox(4, 100)
    for text in ("c", "d"):
        old.put(text, source="p")
    for text in ("a", "b"):
        new.put(text, source="p")
    new.take_over(old)
    assert not new.put("too many now", source="p")
    assert [await new.get() for _ in range(4)] == ["a", "b", "c", "d"]
    for outbox in (old, new):
        assert outbox.size == 0
        assert fill(outbox, "p") == 2


async def test_what_is_not_lasting_can_be_left_behind() -> None:
    """Taking over the lasting messages alone drops the others, and counts none of them."""
    old, new = Outbox(9, 100), Outbox(9, 100)
    old.put("a", source="p", lasting=False)
    old.put("b", source="p")
    old.put("c", lasting=False)
    new.take_over(old, lasting=True)
    assert (old.size, new.size) == (0, 1)
    assert await new.get() == "b"


async def all_of(outbox: Outbox) -> list[str]:
    """All that waits."""
    outbox.end(1000, "")
    texts: list[str] = []
    while isinstance(text := await outbox.get(), str):
        texts.append(text)
    return texts


async def test_of_a_peer_that_was_never_heard_of_nothing_is_left() -> None:
    """Its coming and going, and what means nothing without it; what others said stays."""
    outbox = Outbox(10, 100)
    outbox.put("came", about=About("p", News.CAME))
    outbox.put("offer", source="p", about=About("p", News.ITS_OWN))
    outbox.put("other", source="q", about=About("q", News.ITS_OWN))
    outbox.put("words", source="p")
    outbox.put("away", about=About("p", News.AWAY_OR_BACK))
    assert outbox.put("gone", about=About("p", News.GONE))
    assert outbox.size == len("otherwords")
    assert await all_of(outbox) == ["other", "words"]


async def test_of_a_peer_that_was_heard_of_its_end_is_left() -> None:
    """The client has to know that it is gone, and not how often it was away before."""
    outbox = Outbox(10, 100)
    outbox.put("came", about=About("p", News.CAME))
    assert await outbox.get() == "came"
    for _ in range(3):
        outbox.put("away", about=About("p", News.AWAY_OR_BACK))
        outbox.put("back", about=About("p", News.AWAY_OR_BACK))
    outbox.put("gone", about=About("p", News.GONE))
    assert await all_of(outbox) == ["gone"]


async def test_of_going_away_and_coming_back_the_last_is_left() -> None:
    """However often; that it came, and what it offered meanwhile, stay."""
    outbox = Outbox(10, 100)
    outbox.put("came", about=About("p", News.CAME))
    for _ in range(3):
        outbox.put("away", about=About("p", News.AWAY_OR_BACK))
        outbox.put("back", about=About("p", News.AWAY_OR_BACK))
        outbox.put("offer", source="p", about=About("p", News.ITS_OWN))
    assert await all_of(outbox) == ["came", "offer", "offer", "back", "offer"]


async def test_who_comes_back_under_the_same_id_comes_after_its_end() -> None:
    """As with a change of role: the client hears of both."""
    outbox = Outbox(10, 100)
    outbox.put("gone", about=About("p", News.GONE))
    outbox.put("came", about=About("p", News.CAME))
    assert await all_of(outbox) == ["gone", "came"]


def test_room_is_made_for_what_waits_already() -> None:
    """As much more fits, by number and by size."""
    for outbox, text in ((Outbox(4, 999), "x"), (Outbox(999, 40), "x" * 10)):
        assert [outbox.put(text, source="p") for _ in range(3)] == [True, True, False]
        outbox.make_room()
        assert [outbox.put(text, source="q") for _ in range(3)] == [True, True, False]


def test_room_is_made_once_over_and_no_more() -> None:
    """Who comes back again and again without reading has no more than twice the limits kept."""
    old = Outbox(64, 9999)
    for _ in range(9):
        for source in range(30):
            fill(old, f"p{source}")
        new = Outbox(64, 9999)
        new.take_over(old)
        new.make_room()
        old = new
    assert 64 < old.size <= 128


async def test_taking_over_wakes_a_reader_that_waits() -> None:
    """A writer that waits for messages gets what was taken over."""
    old, new = Outbox(2, 100), Outbox(2, 100)
    waiting = asyncio.ensure_future(new.get())
    await asyncio.sleep(0)
    old.put("a")
    new.take_over(old)
    assert await asyncio.wait_for(waiting, 20) == "a"


async def test_a_message_is_passed_on_at_once_where_nothing_waits() -> None:
    """A transport that can send gets it; else it waits, and so does everything after it."""
    sent: list[str] = []
    ready = [True]
    outbox = Outbox(10, 5)
    assert not outbox.pass_on("a")  # Nobody sends.

    def send(text: str) -> bool:
        sent.extend([text] if ready[0] else [])
        return ready[0]

    outbox.read_by(send, lambda: None)
    assert outbox.pass_on("b")
    assert not outbox.pass_on("too long")
    ready[0] = False
    assert not outbox.pass_on("c")
    assert outbox.put("c")
    ready[0] = True
    assert not outbox.pass_on("d")
    assert outbox.take() == "c"
    assert outbox.take() is None
    outbox.end(1000, "")
    assert not outbox.pass_on("e")
    assert outbox.take() == Ending(1000, "")
    assert sent == ["b"]
