"""The kinds of values in messages, and how a message's fields are read and written."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room import fields
from signaling.room.fields import MAX_SAFE_INTEGER, Layout, Read, Sizes, Wrong, wire, wired
from signaling.room.refusal import Code, Refusal

SIZES = Sizes(sdp=10, candidate=10)


@wired
class Sample:
    """A message that shows every kind of field."""

    must: str = wire(fields.text(3))
    may: str | None = wire(fields.text(3), default=None)
    from_: str | None = wire(fields.text(), default=None, says="server")
    to: str | None = wire(fields.text(), default=None, says="client")
    renamed: int = wire(fields.whole(9), name="reName", default=0)
    value: Any = wire(fields.anything, default="unset", null=True)
    hidden: str = wire(fields.text(), default="", secret=True)
    flag: bool = wire(fields.flag, default=False)
    doubled: int = wire(fields.whole(), default=0, write=lambda number: number * 2)


LAYOUT = Layout(Sample)


def read(values: dict[str, Any], sayer: str = "client") -> Sample:
    return LAYOUT.read(values, SIZES, sayer=sayer, what="sample")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.text(3), "abc"),
        (fields.text(3), ""),
        (fields.whole(9), 0),
        (fields.whole(9), 9),
        (fields.whole(), MAX_SAFE_INTEGER),
        (fields.number, 0.5),
        (fields.number, -1),
        (fields.number, MAX_SAFE_INTEGER),
        (fields.number, -MAX_SAFE_INTEGER),
        (fields.mapping, {"a": 1}),
        (fields.anything, None),
        (fields.anything, [1]),
        (fields.sdp, "v" * 10),
        (fields.candidate, None),
    ],
)
def test_a_value_of_its_kind_is_read_as_it_is(kind: Read, value: Any) -> None:
    """What is right comes through unchanged, the limits included."""
    assert kind(value, SIZES) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.text(3), "abcd"),
        (fields.text(3), 1),
        (fields.text(3), None),
        (fields.whole(9), 10),
        (fields.whole(9), -1),
        (fields.whole(9), True),
        (fields.whole(9), 1.0),
        (fields.whole(), MAX_SAFE_INTEGER + 1),
        (fields.number, True),
        (fields.number, "1"),
        (fields.number, None),
        (fields.number, MAX_SAFE_INTEGER + 1),
        (fields.number, -1e300),
        (fields.mapping, []),
        (fields.mapping, None),
        (fields.sdp, 1),
        (fields.candidate, "x"),
        (fields.candidate, {"candidate": None}),
        (fields.candidate, {"candidate": "", "sdpMid": 1}),
        (fields.candidate, {"candidate": "", "sdpMLineIndex": 65536}),
        (fields.candidate, {"candidate": "", "usernameFragment": "u" * 257}),
    ],
)
def test_a_value_of_another_kind_is_wrong(kind: Read, value: Any) -> None:
    """What is not of the kind raises `Wrong`, whose text ends a sentence."""
    with pytest.raises(Wrong, match=r"^(a|an|at|text)\b"):
        kind(value, SIZES)


@pytest.mark.parametrize(
    ("value", "found"), [(True, True), (False, False), (1, False), ("x", False)]
)
def test_only_true_is_true(value: Any, found: bool) -> None:
    """Whatever else stands there counts as false."""
    assert fields.flag(value, SIZES) is found


@pytest.mark.parametrize(
    ("value", "found"), [("abc", "abc"), ("abcd", None), (1, None), ([], None)]
)
def test_text_that_may_be_nothing_is_never_wrong(value: Any, found: str | None) -> None:
    """What is no such text counts as left out."""
    assert fields.text_or_nothing(3)(value, SIZES) == found


def test_sizes_are_counted_in_bytes() -> None:
    """Ten characters of two bytes each are too many for ten bytes, with the code of their kind."""
    for kind, value, code in (
        (fields.sdp, "é" * 6, Code.SDP_TOO_LARGE),
        (fields.candidate, {"candidate": "é" * 6}, Code.CANDIDATE_TOO_LARGE),
        (fields.candidate, {}, Code.MISSING_FIELD),
    ):
        with pytest.raises(Refusal) as caught:
            kind(value, SIZES)
        assert caught.value.code == code


def test_a_candidate_keeps_what_it_is_made_of_and_nothing_else() -> None:
    """Other members are dropped; the user name fragment is kept where there is one."""
    given = {"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 1, "extra": "x"}
    kept = {"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 1}
    assert fields.candidate(given, SIZES) == kept
    fragment = {"usernameFragment": "u"}
    assert fields.candidate({**given, **fragment}, SIZES) == {**kept, **fragment}
    assert fields.candidate({"candidate": ""}, SIZES) == {
        "candidate": "",
        "sdpMid": None,
        "sdpMLineIndex": None,
    }


def test_a_message_is_frozen() -> None:
    """Nobody can change a message that others are sent as well."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sample("a").must = "b"  # type: ignore[misc]


def test_what_is_left_out_has_its_default() -> None:
    """A field with a default need not be there, and null counts as left out."""
    assert read({"must": "a"}) == Sample("a")
    assert read({"must": "a", "may": None, "reName": None}) == Sample("a")


def test_null_is_a_value_where_the_field_says_so() -> None:
    """A field that may be null keeps it apart from being left out."""
    assert read({"must": "a", "value": None}).value is None
    assert read({"must": "a"}).value == "unset"


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({}, Code.MISSING_FIELD, 'The message "sample" lacks "must".'),
        ({"must": None}, Code.BAD_FIELD, '"must" of the message "sample" must be text.'),
        (
            {"must": "abcd"},
            Code.BAD_FIELD,
            '"must" of the message "sample" must be at most 3 characters.',
        ),
        (
            {"must": "a", "reName": 10},
            Code.BAD_FIELD,
            '"reName" of the message "sample" must be a whole number from 0 to 9.',
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_name_on_the_wire(
    values: dict[str, Any], code: Code, words: str
) -> None:
    """The sentence names the field and what it must be."""
    with pytest.raises(Refusal) as caught:
        read(values)
    assert (caught.value.code, caught.value.sentence) == (code, words)


def test_each_side_says_its_own_fields_alone() -> None:
    """What only the other side may say is passed over, right or wrong."""
    said = {"must": "a", "from": "x", "to": "y"}
    assert read(said, "client") == Sample("a", to="y")
    assert read(said, "server") == Sample("a", from_="x")
    assert read({"must": "a", "from": 1}, "client") == Sample("a")


def test_a_message_is_written_with_what_it_has() -> None:
    """None and false are left out, except where null is a value; names are those of the wire."""
    assert LAYOUT.write(Sample("a", value=None)) == {
        "must": "a",
        "reName": 0,
        "value": None,
        "hidden": "",
        "doubled": 0,
    }
    assert LAYOUT.write(Sample("a", "b", "c", None, 1, 0, "h", True, 2)) == {
        "must": "a",
        "may": "b",
        "from": "c",
        "reName": 1,
        "value": 0,
        "hidden": "h",
        "flag": True,
        "doubled": 4,
    }


def test_false_is_written_as_it_is_where_null_may_be() -> None:
    """There false is a value like any other, and another one than null."""
    assert LAYOUT.write(Sample("a", value=False))["value"] is False


def test_a_secret_does_not_show() -> None:
    """A field that is secret is not in the text of its message."""
    assert "HUSH" not in repr(Sample("a", hidden="HUSH"))
    assert "SHOWN" in repr(Sample("a", may="SHOWN"))


@given(st.integers() | st.floats() | st.text() | st.none() | st.booleans() | st.lists(st.none()))
def test_any_value_is_read_or_wrong(value: Any) -> None:
    """No value makes a kind fail in another way."""
    for kind in (fields.text(), fields.whole(), fields.number, fields.mapping, fields.candidate):
        try:
            kind(value, SIZES)
        except (Wrong, Refusal):
            continue
