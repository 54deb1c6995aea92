"""Documents: small values that all see, changed by compare-and-set, and sealed."""

import dataclasses
from typing import Any

import pytest

from signaling.room.documents import MAX_DEPTH, Documents, StaleVersion
from signaling.room.fields import MAX_SAFE_INTEGER
from signaling.room.messages import DocumentVersion, SetDocument
from signaling.room.refusal import Code, Refusal
from signaling.room.room_type import Document, RoomType
from signaling.room.seals import Seals

SECRET = b"s" * 32


def accept(_old: Any, new: Any, at: float) -> Any:
    if new == "never":
        raise Refusal(Code.BAD_VALUE, "Not that.")
    return {"was": new, "at": at} if new == "stamp" else new


KIND = RoomType(
    "kind",
    roles={},
    pages={},
    seats=1,
    documents={
        "board": Document("blank", frozenset({"writer"}), accept, max_bytes=60),
        "other": Document(None, frozenset({"writer"}), accept),
    },
)
MORE = {"extra": Document(0, frozenset(), accept)}


def documents(room: str = "abc", secret: bytes = SECRET, kind: str = "kind") -> Documents:
    """Those of a room, as a process makes them that has just started."""
    return Documents(dataclasses.replace(KIND, name=kind), room, Seals(secret), MORE)


def change(
    held: Documents, base: int, value: Any, *, role: str = "writer", name: str = "board"
) -> DocumentVersion:
    return held.set(SetDocument(name, base, value), role, "p", 7.5)


def refusal(held: Documents, *args: Any, **how: Any) -> Refusal:
    before = held.all
    with pytest.raises(Refusal) as caught:
        change(held, *args, **how)
    assert held.all == before
    return caught.value


def test_a_new_room_has_the_initial_values() -> None:
    """Version 0 of each, those that every such room has included, with no seal and no author."""
    held = documents()
    assert held.values == {"board": "blank", "other": None, "extra": 0}
    assert held.all == (
        DocumentVersion("board", 0, "blank"),
        DocumentVersion("other", 0, None),
        DocumentVersion("extra", 0, 0),
    )


def test_a_change_from_the_newest_version_makes_the_next() -> None:
    """It says who made it and when, and bears a seal that this room's server knows."""
    held = documents()
    for version in (1, 2):
        made = change(held, version - 1, f"text {version}")
        assert (made.name, made.version, made.value) == ("board", version, f"text {version}")
        assert (made.by, made.at) == ("p", 7.5)
        assert made in held.all
    assert held.values["board"] == "text 2"
    assert held.values["other"] is None


def test_what_the_kind_of_room_makes_of_a_value_is_the_value() -> None:
    """`accept` gets the old value, the new one and the time; its result counts."""
    seen: list[Any] = []

    def watch(old: Any, new: Any, at: float) -> Any:
        seen.append((old, new, at))
        return "mine"

    kind = dataclasses.replace(KIND, documents={"board": Document("a", frozenset({"w"}), watch)})
    held = Documents(kind, "abc", Seals(SECRET), {})
    made = held.set(SetDocument("board", 0, "b"), "w", "p", 3)
    assert (made.value, seen) == ("mine", [("a", "b", 3)])


@pytest.mark.parametrize("base", [0, 2, 3, 99])
def test_a_change_from_another_version_is_stale(base: int) -> None:
    """Older or not there yet: refused with the newest version, to begin from."""
    held = documents()
    newest = change(held, 0, "text")
    stale = refusal(held, base, "late")
    assert isinstance(stale, StaleVersion)
    assert (stale.code, stale.newest) == (Code.STALE_VERSION, newest)


@pytest.mark.parametrize(
    ("name", "role", "value", "code"),
    [
        ("nothing", "writer", 1, Code.UNKNOWN_DOCUMENT),
        ("board", "reader", 1, Code.WRONG_ROLE),
        ("extra", "writer", 1, Code.WRONG_ROLE),
        ("board", "writer", "never", Code.BAD_VALUE),
        ("board", "writer", "x" * 59, Code.BAD_FIELD),
        ("board", "writer", MAX_SAFE_INTEGER + 1, Code.BAD_FIELD),
        ("board", "writer", {"a": [-MAX_SAFE_INTEGER - 1]}, Code.BAD_FIELD),
    ],
)
def test_what_cannot_be_is_refused(name: str, role: str, value: Any, code: Code) -> None:
    """With the code of its kind, and nothing has changed."""
    held = documents()
    assert refusal(held, 0, value, role=role, name=name).code == code


def test_a_value_may_be_as_long_as_its_limit() -> None:
    """Counted as compact JSON: the quotes count, blanks between members do not."""
    held = documents()
    assert change(held, 0, "x" * 58).version == 1
    assert change(held, 1, {"a": ["x" * 23, "y" * 24]}).version == 2


def test_a_value_may_be_nested_as_deep_as_the_limit() -> None:
    """One level more is refused, of lists and of objects alike."""
    held = documents()
    lists: Any = 1
    objects: Any = 1
    for _ in range(MAX_DEPTH):
        lists, objects = [lists], {"": objects}
    assert change(held, 0, lists).version == 1
    assert refusal(held, 1, [lists]).code == Code.BAD_FIELD
    assert change(held, 0, objects, name="other").version == 1
    assert refusal(held, 1, {"": objects}, name="other").code == Code.BAD_FIELD


def test_the_largest_numbers_that_are_kept_exactly_are_taken() -> None:
    """2 to the 53rd less one, on both sides of zero."""
    value = [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER, 1e300, True]
    assert change(documents(), 0, value).value == value


def test_the_server_changes_a_document_itself() -> None:
    """The version is the next one, and nobody's."""
    held = documents()
    made = held.put("extra", 5, 9)
    assert (made.version, made.value, made.by, made.at) == (1, 5, None, 9)
    assert held.values["extra"] == 5


def test_a_version_from_before_a_restart_is_taken_back() -> None:
    """It is as it was, its seal included, and the next change follows it."""
    before = documents()
    change(before, 0, "one")
    newest = change(before, 1, "two")
    held = documents()
    assert not held.restored
    assert held.restore(newest) == newest
    assert held.restored
    assert newest in held.all
    assert change(held, 2, "three").version == 3


def test_the_newest_of_several_versions_wins() -> None:
    """Whatever the order in which they are handed back; an older one changes nothing."""
    before = documents()
    old, new = change(before, 0, "old"), change(before, 1, "new")
    held = documents()
    assert held.restore(old) == old
    assert held.restore(new) == new
    assert held.restore(old) is None
    assert held.restore(new) is None
    assert held.values["board"] == "new"


def test_what_was_begun_from_nothing_gives_way_to_what_was_there() -> None:
    """Whoever wrote before the first version was handed back did not know better; the version
    that is handed back becomes the newest, with its author and time.
    """
    before = documents()
    first = change(before, 0, "kept")
    held = documents()
    change(held, 0, "hasty")
    change(held, 1, "hasty again")
    again = held.restore(first)
    assert again is not None
    assert (again.version, again.value, again.by, again.at) == (3, "kept", "p", 7.5)
    assert again.seal not in (None, first.seal)
    # It is sealed again under its new number, so it survives the next restart.
    assert documents().restore(again) == again


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 9},
        {"value": "forged"},
        {"by": "other"},
        {"by": None},
        {"at": 8.0},
        {"name": "other"},
        {"seal": None},
        {"seal": ""},
        {"seal": "x" * 43},
    ],
)
def test_a_version_that_was_changed_is_refused(changed: dict[str, Any]) -> None:
    """The seal covers all of it; what is refused changes nothing."""
    genuine = change(documents(), 0, "text")
    held = documents()
    before = held.all
    with pytest.raises(Refusal) as caught:
        held.restore(dataclasses.replace(genuine, **changed))
    assert caught.value.code == Code.BAD_SEAL
    assert (held.all, held.restored) == (before, frozenset())


@pytest.mark.parametrize(
    "elsewhere",
    [{"room": "abd"}, {"secret": b"t" * 32}, {"kind": "other"}],
    ids=["room", "server", "kind of room"],
)
def test_a_version_of_elsewhere_is_refused(elsewhere: dict[str, Any]) -> None:
    """A seal is good in its own room, of its own kind, on its own server."""
    version = change(documents(**elsewhere), 0, "text")
    with pytest.raises(Refusal) as caught:
        documents().restore(version)
    assert caught.value.code == Code.BAD_SEAL


def test_a_document_that_is_not_there_is_not_taken_back() -> None:
    """Sealed or not, the room must have one of that name."""
    with pytest.raises(Refusal) as caught:
        documents().restore(DocumentVersion("nothing", 1, "x", seal="y"))
    assert caught.value.code == Code.UNKNOWN_DOCUMENT


def test_the_sentence_for_a_missing_document_stays_short() -> None:
    """However long the name is that somebody asks for."""
    assert len(refusal(documents(), 0, 1, name="n" * 128).sentence) < 100


def test_a_document_does_not_grow_past_its_limit() -> None:
    """Not by many small changes either, where each adds to what was there."""

    def add(old: Any, new: Any, _at: float) -> Any:
        return [*old, new]

    kind = dataclasses.replace(
        KIND, documents={"list": Document([], frozenset({"writer"}), add, max_bytes=31)}
    )
    held = Documents(kind, "abc", Seals(SECRET), {})
    for version in range(4):
        change(held, version, "x" * 3, name="list")
    assert refusal(held, 4, "x" * 5, name="list").code == Code.BAD_FIELD
    assert change(held, 4, "x" * 3, name="list").version == 5


def test_a_version_that_this_process_made_is_not_taken_back() -> None:
    """Only what was there before a restart: else anybody who may not write could undo a change."""
    held = documents()
    first = change(held, 0, "first")
    change(held, 1, "second")
    assert held.restore(first) is None
    assert held.values["board"] == "second"
    assert not held.restored


def test_what_a_kind_makes_of_a_value_is_asked_for_values_within_the_limits_alone() -> None:
    """A value that is too long or nested too deep does not get that far."""

    def never(_old: Any, _new: Any, _at: float) -> Any:
        raise AssertionError

    kind = dataclasses.replace(
        KIND, documents={"board": Document(0, frozenset({"writer"}), never, max_bytes=60)}
    )
    held = Documents(kind, "abc", Seals(SECRET), {})
    assert refusal(held, 0, "x" * 59).code == Code.BAD_FIELD
    assert refusal(held, 0, [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]).code == Code.BAD_FIELD


def test_the_seal_covers_which_process_made_a_version() -> None:
    """Else a version of this process could be passed off as one from before a restart."""
    held = documents()
    made = change(held, 0, "text")
    change(held, 1, "newer")
    _maker, _, mac = (made.seal or "").partition(".")
    for maker in ("", "other"):
        with pytest.raises(Refusal) as caught:
            held.restore(dataclasses.replace(made, seal=f"{maker}.{mac}"))
        assert caught.value.code == Code.BAD_SEAL
