"""Who has left and which rooms were ended: remembered, also by the next process, and bounded."""

from collections.abc import Iterable

import pytest

from signaling.room import departures
from signaling.room.departures import Departures


class Lines:
    """Keeps lines in a list."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.replaced = 0

    def add(self, line: str) -> None:
        self.kept.append(line)

    def replace(self, lines: Iterable[str]) -> None:
        self.kept = list(lines)
        self.replaced += 1


def test_who_has_left_and_what_was_ended_is_known() -> None:
    """A peer is no room, and the other way round."""
    there = Departures()
    there.leave("p")
    there.end("r")
    assert (there.has_left("p"), there.has_left("r")) == (True, False)
    assert (there.is_ended("r"), there.is_ended("p")) == (True, False)


def test_the_next_process_knows_it_too() -> None:
    """From the lines that were kept; lines that say nothing are passed over."""
    store = Lines()
    before = Departures(store=store)
    before.leave("p")
    before.end("r")
    after = Departures([*store.kept, "", "left", "left ", "lef", "\ufffd", "other x"], Lines())
    assert after.has_left("p")
    assert after.is_ended("r")
    assert not after.has_left("")


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind; one that is noted again is the newest."""
    monkeypatch.setattr(departures, "MAX_LEFT", 2)
    monkeypatch.setattr(departures, "MAX_ENDED", 1)
    there = Departures()
    for peer in ("a", "b", "a", "c"):
        there.leave(peer)
    there.end("r")
    assert [there.has_left(peer) for peer in "abc"] == [True, False, True]
    there.end("s")
    assert (there.is_ended("r"), there.is_ended("s")) == (False, True)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many leave; rooms that were ended are not pushed out by peers that leave."""
    monkeypatch.setattr(departures, "MAX_LEFT", 3)
    monkeypatch.setattr(departures, "MAX_ENDED", 2)
    store = Lines()
    there = Departures(store=store)
    there.end("r")
    longest = 0
    for number in range(100):
        there.leave(f"p{number}")
        longest = max(longest, len(store.kept))
    assert longest == 10
    assert store.replaced > 1
    again = Departures(store.kept, store)
    assert again.is_ended("r")
    assert [again.has_left(f"p{n}") for n in (96, 97, 98, 99)] == [False, True, True, True]


def test_a_file_that_has_grown_too_long_is_shortened_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anybody leaves."""
    monkeypatch.setattr(departures, "MAX_LEFT", 2)
    monkeypatch.setattr(departures, "MAX_ENDED", 1)
    store = Lines()
    Departures([f"left p{number}" for number in range(50)], store)
    assert store.kept == ["left p48", "left p49"]
