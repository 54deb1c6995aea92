"""Resume tokens and seals of documents: made by one server, and good for nothing else."""

import base64
import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room import messages
from signaling.room.links import Links
from signaling.room.messages import MAX_RESUME, DocumentVersion
from signaling.room.seals import Seals, Ticket

SEALS = Seals(b"s" * 32)


def make(peer_id: str, room: str, role: str, given: str | None = None, seals: Seals = SEALS) -> str:
    """The token of a peer of a camera room."""
    return seals.token(Ticket(peer_id, given or role, 7), "camera", room, role)


def read(token: str, room: str, role: str, kind: str = "camera") -> str | None:
    """The peer that a token is for."""
    ticket = SEALS.read_token(token, kind, room, role)
    return ticket.peer_id if ticket else None


def test_a_token_gives_the_peer_it_was_made_for() -> None:
    """Read for its own room and role, it gives the id."""
    assert read(make("p-1_A", "abc", "sender"), "abc", "sender") == "p-1_A"


@pytest.mark.parametrize(("room", "role"), [("abd", "sender"), ("abc", "receiver"), ("", "")])
def test_a_token_is_bound_to_its_room_and_role(room: str, role: str) -> None:
    """In another room or role it is no token."""
    assert read(make("p", "abc", "sender"), room, role) is None


def test_a_token_of_another_secret_is_none() -> None:
    """What one server has made, another does not take."""
    made = make("p", "abc", "sender", seals=Seals(b"a" * 32))
    assert read(made, "abc", "sender") is None


def test_another_process_with_the_same_secret_takes_a_token() -> None:
    """Nothing is stored: the secret is all that is needed."""
    made = make("p", "abc", "sender", seals=Seals(b"s" * 32))
    assert read(made, "abc", "sender") == "p"


def test_a_token_for_another_peer_cannot_be_made_from_ones_own() -> None:
    """The id in front is covered by the code behind."""
    *_, mac = make("mine", "abc", "sender").split(".")
    assert read(f"yours.abc.sender.sender.7.{mac}", "abc", "sender") is None


def test_the_key_of_a_link_is_no_token() -> None:
    """Keys and tokens have one secret, and still nothing in common."""
    keys = Links(b"s" * 32)
    for key in (keys.key("abc", "sender"), keys.key("resume", "abc")):
        assert read(f"p.abc.sender.sender.7.{key}", "abc", "sender") is None


def test_a_token_has_256_bits_and_fits_into_its_field() -> None:
    """The longest room code and role leave it within what `register` may carry."""
    token = make("x" * 12, "r" * 32, "receiver")
    mac = token.rpartition(".")[2]
    assert len(base64.urlsafe_b64decode(mac + "=")) == 32
    assert len(token) <= MAX_RESUME


@given(st.text(st.characters(), max_size=80))
def test_no_text_makes_reading_fail_otherwise_than_by_saying_no(text: str) -> None:
    """Whatever stands in place of a token, the answer is an id or none."""
    assert read(text, "abc", "sender") is None


@given(st.integers(0, 200), st.characters())
def test_a_damaged_token_is_none(at: int, other: str) -> None:
    """One character that is not the right one is enough."""
    token = make("peer", "abc", "sender")
    at %= len(token)
    damaged = token[:at] + other + token[at + 1 :]
    assert read(damaged, "abc", "sender") == ("peer" if damaged == token else None)


@pytest.mark.parametrize(
    "changed", ["q.abc.sender.sender.7", "p.abd.sender.sender.7", "p.abc.sender.viewer.7"]
)
def test_every_part_of_a_token_is_covered(changed: str) -> None:
    """Peer, room and role; the time too, by which heirs are found."""
    mac = make("p", "abc", "sender").rpartition(".")[2]
    assert read(f"p.abc.sender.sender.7.{mac}", "abc", "sender") == "p"
    assert read(f"{changed}.{mac}", "abc", "sender") is None
    assert read(f"p.abc.sender.sender.8.{mac}", "abc", "sender") is None
    assert read(f"p.abc.sender.sender.07.{mac}", "abc", "sender") is None


def test_a_token_is_bound_to_its_kind_of_room() -> None:
    """Two kinds may have rooms with the same code and roles with the same name."""
    assert read(make("p", "abc", "sender"), "abc", "sender", "meeting") is None


def test_a_token_tells_the_role_that_was_given() -> None:
    """Besides the one that was asked for, and when its owner came."""
    token = make("p", "abc", "sender", "waiting")
    assert SEALS.read_token(token, "camera", "abc", "sender") == Ticket("p", "waiting", 7)
    assert read(token, "abc", "waiting") is None


@pytest.mark.parametrize("since", ["", "-1", "1" * 16, "x", "1_0", "\u0667", " 7"])
def test_a_time_that_is_none_makes_no_token(since: str) -> None:
    """Only up to 15 ASCII digits are a time."""
    mac = make("p", "abc", "sender").rpartition(".")[2]
    assert read(f"p.abc.sender.sender.{since}.{mac}", "abc", "sender") is None


def test_a_token_of_nobody_is_none() -> None:
    """An empty id names no peer, however genuine the rest."""
    assert read(make("", "abc", "sender"), "abc", "sender") is None


def test_marks_are_short_and_tell_nothing() -> None:
    """The same place in the same room has the same mark; elsewhere, or from elsewhere, another."""
    mark = SEALS.mark("abc", "guest 192.0.2.7")
    assert mark == SEALS.mark("abc", "guest 192.0.2.7")
    assert len(mark) == 16
    others = {
        SEALS.mark("abd", "guest 192.0.2.7"),
        SEALS.mark("abc", "guest 192.0.2.8"),
        SEALS.mark("abc", "host 192.0.2.7"),
        Seals(b"t" * 32).mark("abc", "guest 192.0.2.7"),
    }
    assert mark not in others
    assert len(others) == 4


def sealed(value: Any, at: float = 7.5) -> DocumentVersion:
    """A version as the server sends it."""
    version = DocumentVersion("board", 3, value, "p", at)
    return dataclasses.replace(version, seal=SEALS.seal("camera", "abc", version))


def is_sealed(version: DocumentVersion) -> bool:
    return SEALS.is_sealed("camera", "abc", version)


def from_browser(version: DocumentVersion) -> DocumentVersion:
    """The version after JSON.parse and JSON.stringify, as a client hands it back."""
    held = json.loads(messages.encode(version), parse_int=float)
    text = stringify({name: held[name] for name in reversed(held)})
    read = messages.parse(text, max_message=1 << 20, max_sdp=1, max_candidate=1)
    assert isinstance(read, DocumentVersion)
    return read


def stringify(value: Any) -> str:
    """What JSON.stringify makes of a value whose numbers are all doubles (ECMA-262, 25.5.2)."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case float():
            return number_text(value)
        case str():
            return quoted(value)
        case list():
            return f"[{','.join(map(stringify, value))}]"
        case dict():
            whole = sorted((name for name in value if is_index(name)), key=int)
            order = [*whole, *(name for name in value if not is_index(name))]
            return f"{{{','.join(f'{quoted(n)}:{stringify(value[n])}' for n in order)}}}"
    raise AssertionError(value)


def is_index(name: str) -> bool:
    """Whether a browser puts this member first (ECMA-262, 10.1.11.1)."""
    return name.isascii() and name.isdigit() and str(int(name)) == name and int(name) < 2**32 - 1


def quoted(text: str) -> str:
    """Only lone surrogates and control characters are escaped (ECMA-262, 25.5.2.3)."""
    inner = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in inner)


def number_text(value: float) -> str:
    """The shortest digits, with an exponent only from 1e21 and below 1e-6 (ECMA-262,
    6.1.6.1.20)."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if 0 < point <= 21:
        body = text.ljust(point, "0")
        body = body[:point] + ("." + body[point:] if body[point:] else "")
    elif -6 < point <= 0:
        body = "0." + "0" * -point + text
    else:
        body = text[0] + ("." + text[1:] if text[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + body


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (0.1, "0.1"),
        (-12.25, "-12.25"),
        (123456789.0, "123456789"),
    ],
)
def test_numbers_are_written_as_a_browser_writes_them(value: float, text: str) -> None:
    """What stands in for a browser below is right, by examples of the standard."""
    assert number_text(value) == text


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -0.0,
        1.0,
        1.5,
        1e20,
        1e21,
        -1e21,
        1e300,
        5e-324,
        0.1 + 0.2,
        2**53 - 1,
        "",
        "é😀\u2028\x00",
        "\ud800",
        "\udfff\ud800",
        [],
        {},
        {"b": 1, "a": {"10": 1.0, "9": [2.0, None]}, "": False},
        {"😀": 1, "\uffff": 2, "é": 3},
        [[[[{"deep": [1e0]}]]]],
    ],
)
def test_a_seal_holds_after_a_round_trip_through_a_browser(value: Any) -> None:
    """Whatever the browser writes differently, members in another order included."""
    version = sealed(value)
    assert is_sealed(version)
    assert is_sealed(from_browser(version))


exact = st.integers(-(2**53) + 1, 2**53 - 1)
texts = st.text(st.characters(exclude_categories=()), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | exact | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def as_json(value: Any) -> Any:
    """The value as it comes over the wire: two halves of a surrogate pair are one character."""
    return json.loads(json.dumps(value))


@given(values.map(as_json), st.floats(0, 2**53 - 1))
def test_any_value_keeps_its_seal_through_a_browser(value: Any, at: float) -> None:
    """All that a document may hold."""
    assert is_sealed(from_browser(sealed(value, at)))


@given(values.map(as_json), values.map(as_json))
def test_the_seal_of_one_value_is_not_that_of_another(one: Any, other: Any) -> None:
    """Two values have the same seal only where a browser writes them alike."""
    same = stringify(floats(one)) == stringify(floats(other))
    if not same and sorted_text(one) != sorted_text(other):
        assert not is_sealed(dataclasses.replace(sealed(one), value=other))


def floats(value: Any) -> Any:
    return json.loads(json.dumps(value), parse_int=float)


def sorted_text(value: Any) -> str:
    return json.dumps(floats(value), sort_keys=True).replace("-0.0", "0.0")


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (1, "1"), (None, "null"), ([], {}), (0, None), (1, [1])],
)
def test_values_that_look_alike_have_different_seals(one: Any, other: Any) -> None:
    """A number is no truth value, and no text."""
    assert not is_sealed(dataclasses.replace(sealed(one), value=other))
    assert not is_sealed(dataclasses.replace(sealed(other), value=one))


@pytest.mark.parametrize(
    "changed",
    [{"name": "other"}, {"version": 4}, {"value": 2}, {"by": None}, {"by": "q"}, {"at": 7.6}],
)
def test_a_seal_covers_all_of_a_version(changed: dict[str, Any]) -> None:
    """One part that is another, and it is broken."""
    assert not is_sealed(dataclasses.replace(sealed(1), **changed))


@pytest.mark.parametrize("seal", [None, "", "x", "é", "\ud800", "A" * 43])
def test_what_is_no_seal_is_none(seal: str | None) -> None:
    """Whatever stands there instead."""
    assert not is_sealed(dataclasses.replace(sealed(1), seal=seal))


def test_a_seal_is_good_in_its_own_room_alone() -> None:
    """Of its own kind, on its own server."""
    version = sealed(1)
    assert not SEALS.is_sealed("camera", "abd", version)
    assert not SEALS.is_sealed("meeting", "abc", version)
    assert not Seals(b"t" * 32).is_sealed("camera", "abc", version)
    assert Seals(b"s" * 32).is_sealed("camera", "abc", version)


def test_a_seal_fits_into_its_field() -> None:
    """A client may hand it back as it is."""
    assert len(sealed({"a": "x" * 4000}).seal or "") <= 128


def test_a_lone_surrogate_stands_for_itself() -> None:
    """Not for the question mark that would be written for it: the two are different texts."""
    token = make("p?", "abc", "sender")
    assert read(token, "abc", "sender") == "p?"
    assert read(token.replace("?", "\ud800"), "abc", "sender") is None
    assert SEALS.mark("abc", "?") != SEALS.mark("abc", "\ud800")
