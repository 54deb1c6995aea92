"""The seats of peers that are away: one budget for all, and a count for each address."""

from signaling.config import Limits
from signaling.transport.away import AwaySeats, Seat
from signaling.transport.connection import Allowance
from signaling.transport.outbox import Outbox


def seat(room: str, *texts: str, address: str = "192.0.2.1") -> Seat:
    """A seat for which some messages wait already."""
    missed = Outbox(100, 1000)
    for text in texts:
        assert missed.put(text, source="p")
    return Seat(room, address, missed, Allowance(Limits(), 0))


async def waiting(there: AwaySeats, peer_id: str) -> list[str]:
    """Take a seat: what has waited for its peer."""
    kept = there.take(peer_id)
    assert kept is not None
    return [str(await kept.missed.get()) for _ in range(kept.missed.size // 2)]


async def test_what_waits_for_a_peer_is_kept_in_order() -> None:
    """What its connection left, then what came while it was away."""
    there = AwaySeats(100)
    there.keep("a", seat("one", "m1"))
    assert there.put("a", "m2", "p")
    assert there.size == 4
    assert "a" in there
    assert await waiting(there, "a") == ["m1", "m2"]
    assert "a" not in there
    assert there.size == 0
    assert there.take("a") is None


def test_the_bounds_of_one_client_hold() -> None:
    """What does not fit for one is not kept, whatever the budget."""
    there = AwaySeats(10_000)
    there.keep("a", seat("one"))
    kept = [there.put("a", "x" * 100, "p") for _ in range(9)]
    assert kept == [True] * 5 + [False] * 4
    assert there.size == 500


async def test_past_the_budget_the_oldest_room_gives_way() -> None:
    """The one in which something has waited longest: all that waits there, for all its peers; they
    keep their seats."""
    there = AwaySeats(10)
    there.keep("idle", seat("idle"))
    there.keep("b", seat("second"))
    there.keep("a", seat("first", "a1"))
    there.keep("a+", seat("first", "a2"))
    assert there.put("b", "b1", "p")
    assert there.put("a", "a3", "p")
    assert there.put("b", "b2", "p")
    assert there.size == 10
    assert there.put("b", "b3", "p")
    assert there.size == 6
    assert list(there) == ["idle", "b", "a", "a+"]
    assert await waiting(there, "b") == ["b1", "b2", "b3"]
    assert await waiting(there, "a") == await waiting(there, "a+") == []
    assert there.size == 0


async def test_a_room_in_which_nothing_waits_any_more_is_not_the_oldest() -> None:
    """Once its peers are back, its time begins again."""
    there = AwaySeats(4)
    there.keep("a", seat("first", "a1"))
    there.keep("b", seat("second", "b1"))
    assert await waiting(there, "a") == ["a1"]
    there.keep("a", seat("first", "a2"))
    assert there.put("b", "b2", "p")
    assert await waiting(there, "b") == []
    assert await waiting(there, "a") == ["a2"]


def test_more_than_the_whole_budget_is_not_kept() -> None:
    """Not even where it is all that waits."""
    there = AwaySeats(3)
    there.keep("a", seat("one", "a1"))
    assert there.put("a", "a2", "p")
    assert there.size == 0
    there.keep("b", seat("two", "long"))
    assert there.size == 0


def test_each_address_has_its_count() -> None:
    """An IPv6 network counts as one; who is back counts no more."""
    there = AwaySeats(100)
    for peer, address in (("a", "2001:db8::1"), ("b", "2001:db8::2"), ("c", "192.0.2.1")):
        there.keep(peer, seat("one", address=address))
    assert there.from_address("2001:db8::3") == 2
    there.take("a")
    there.take("c")
    assert (there.from_address("2001:db8::3"), there.from_address("192.0.2.1")) == (1, 0)
