"""Resume tokens: made by one server for one peer, and good for nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room.links import Links
from signaling.room.messages import MAX_RESUME
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
