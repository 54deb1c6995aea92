"""What was said in a room, as far as it is kept."""

from collections.abc import Set

from hypothesis import given
from hypothesis import strategies as st

from signaling.room.history import History
from signaling.room.messages import Say
from signaling.room.room_type import Utterance

KINDS = {"talk": Utterance(10, kept=3), "note": Utterance(10, kept=2), "wave": Utterance(10)}
EVERYONE = {"a", "b"}


def speak(history: History, kind: str, role: str, by: str = "p") -> int:
    number = history.next_number()
    history.keep(Say(kind, "x", from_=by, n=number), role)
    return number


def numbers(history: History, after: int = 0, roles: Set[str] = frozenset(EVERYONE)) -> list[int]:
    return [said.n or 0 for said in history.after(after, roles)]


def test_numbers_go_up_by_one() -> None:
    """Each word has the next number, whatever its kind, and `count` is the last."""
    assert History(KINDS, 41).next_number() == 42
    history = History(KINDS)
    assert history.count == 0
    assert [history.next_number() for _ in range(3)] == [1, 2, 3]
    assert history.count == 3


def test_the_last_of_each_kind_are_kept() -> None:
    """Each kind keeps as many as it says; a kind that keeps none is gone at once."""
    history = History(KINDS)
    for _ in range(5):
        for kind in KINDS:
            speak(history, kind, "a")
    kept = [(said.kind, said.n) for said in history.after(0, EVERYONE)]
    assert kept == [("talk", 7), ("talk", 10), ("note", 11), ("talk", 13), ("note", 14)]


def test_only_what_came_after_a_number_is_told() -> None:
    """The number itself is not among it; past the last there is nothing."""
    history = History(KINDS)
    for _ in range(3):
        speak(history, "talk", "a")
    assert numbers(history, 1) == [2, 3]
    assert numbers(history, 3) == []
    assert numbers(history, 99) == []


def test_only_what_the_asked_roles_said_is_told() -> None:
    """Words of other roles are left out, by the role that the speaker had then."""
    history = History(KINDS)
    first, second = speak(history, "talk", "a"), speak(history, "talk", "b")
    assert numbers(history, roles={"a"}) == [first]
    assert numbers(history, roles={"b"}) == [second]
    assert numbers(history, roles=set()) == []


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from("ab")), max_size=40))
def test_what_is_told_is_in_order_and_bounded(said: list[tuple[str, str]]) -> None:
    """However much was said, what is kept is at most the sum of the kinds, in order, each once."""
    history = History(KINDS)
    for kind, role in said:
        speak(history, kind, role)
    found = numbers(history)
    assert found == sorted(set(found))
    expected = [
        number
        for number, (kind, _role) in enumerate(said, 1)
        if number in [n for n, (k, _r) in enumerate(said, 1) if k == kind][-KINDS[kind].kept :]
        and KINDS[kind].kept
    ]
    assert found == expected
