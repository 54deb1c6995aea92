"""Links that end: what their keys say, and when they open a room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room import terms
from signaling.room.links import Links
from signaling.room.messages import Register, Registered
from signaling.room.refusal import Code, Refusal
from signaling.room.rooms import Rooms
from signaling.room.terms import ALWAYS, MAX_UNUSED, Terms, Unused
from tests.signaling.room.rooms_bed import NOW, SECRET, open_rooms

KEYS = Links(SECRET)
SOON = Terms(until=round(NOW) + 3600)


class Clock:
    """Unix time for `Rooms`, which the test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def enter(
    rooms: Rooms, key: str, *, peer_id: str = "p", token: str | None = None, source: str = ""
) -> Registered:
    """Register as a receiver of the room abc."""
    message = Register("receiver", "abc", key, resume=token)
    return rooms.register(peer_id, message, NOW, source=source).registered


def refused(rooms: Rooms, key: str, peer_id: str = "q", source: str = "") -> Code:
    with pytest.raises(Refusal) as caught:
        enter(rooms, key, peer_id=peer_id, source=source)
    return caught.value.code


def test_a_key_without_terms_is_as_it_ever_was() -> None:
    """Links from before still open their rooms, word for word."""
    assert KEYS.key("abc", "sender") == "p8_IuT3zry-2OyMcXE3Iiw"
    assert KEYS.terms("abc", "sender", KEYS.key("abc", "sender")) == ALWAYS


@pytest.mark.parametrize("made", [SOON, Terms(once="abcdefghijk"), Terms(5, "ABCDEFGH_-0")])
def test_the_key_covers_the_terms(made: Terms) -> None:
    """Whoever changes the terms of a link, or leaves them out, has a wrong key."""
    key = KEYS.key("abc", "sender", terms=made)
    mac = key.partition(".")[0]
    assert KEYS.terms("abc", "sender", key) == made
    assert not KEYS.opens("abc", "sender", key)
    for wrong in (mac, f"{mac}.", f"{mac}.e9999999999", f"{key}0", key.replace("e", "e0")):
        if wrong != key:
            assert KEYS.terms("abc", "sender", wrong) is None
    assert KEYS.terms("abd", "sender", key) is None
    assert KEYS.terms("abc", "receiver", key) is None
    assert Links(b"b" * 32).terms("abc", "sender", key) is None


@given(st.text(max_size=60))
def test_no_text_makes_reading_fail_otherwise_than_by_saying_no(text: str) -> None:
    """Whatever stands in place of terms, the answer is terms or nothing."""
    found = terms.read(text)
    assert found is None or found.text
    assert KEYS.terms("abc", "sender", f"{KEYS.key('abc', 'sender')}.{text}") is None


def test_a_link_opens_its_room_until_its_time_is_up() -> None:
    """After that it is refused with link-ended, which tells nobody without the key anything."""
    clock = Clock()
    rooms = open_rooms(keys=KEYS, unix_time=clock)
    key = KEYS.key("abc", "receiver", terms=SOON)
    enter(rooms, key)
    clock.now += 3600
    assert refused(rooms, key) == Code.LINK_ENDED
    assert refused(rooms, "x" + key[1:]) == Code.BAD_KEY


def test_whoever_came_by_a_link_is_put_out_when_its_time_is_up() -> None:
    """The others are told; a token does not bring the peer back."""
    clock = Clock()
    rooms = open_rooms(keys=KEYS, unix_time=clock)
    key = KEYS.key("abc", "receiver", terms=SOON)
    rooms.register("s", Register("sender", "abc", KEYS.key("abc", "sender")), NOW)
    registered = enter(rooms, key)
    assert rooms.tick(NOW) == []
    clock.now += 3600
    told = rooms.tick(NOW)
    assert [(o.peer_id, getattr(o, "reason", None)) for o in told] == [
        ("p", Code.LINK_ENDED),
        ("s", None),
    ]
    assert "p" not in rooms
    with pytest.raises(Refusal) as caught:
        enter(rooms, key, peer_id="q", token=registered.resume)
    assert caught.value.code == Code.LINK_ENDED


def test_a_link_that_is_good_once_lets_one_peer_in() -> None:
    """That peer may come back after a break; anyone else is refused."""
    rooms = open_rooms(keys=KEYS)
    key = KEYS.key("abc", "receiver", terms=Terms(once=rooms.name_link()))
    registered = enter(rooms, key)
    assert refused(rooms, key) == Code.LINK_ENDED
    rooms.drop("p", NOW)
    assert refused(rooms, key) == Code.LINK_ENDED
    assert enter(rooms, key, peer_id="q", token=registered.resume).resumed


def test_a_refusal_does_not_use_a_link_up() -> None:
    """Where the room is full the link is still good."""
    rooms = open_rooms(keys=KEYS, receivers=1)
    enter(rooms, KEYS.key("abc", "receiver"))
    key = KEYS.key("abc", "receiver", terms=Terms(once=rooms.name_link()))
    assert refused(rooms, key) == Code.ROOM_FULL
    rooms.leave("p", "left", NOW)
    enter(rooms, key, peer_id="q")


def test_no_link_that_is_good_once_opens_after_a_restart() -> None:
    """Used or not; but whoever came by it goes on, for the time that places are kept."""
    before = open_rooms(keys=KEYS)
    used, unused = (
        KEYS.key("abc", "receiver", terms=Terms(once=before.name_link())) for _ in range(2)
    )
    registered = enter(before, used)
    after = open_rooms(keys=KEYS, started=NOW)
    assert refused(after, used) == Code.LINK_ENDED
    assert refused(after, unused) == Code.LINK_ENDED
    assert enter(after, used, token=registered.resume).resumed


def test_few_unused_links_are_remembered() -> None:
    """The oldest ends when there are too many."""
    unused = Unused()
    names = [unused.name() for _ in range(MAX_UNUSED + 1)]
    with pytest.raises(Refusal):
        unused.check(Terms(once=names[0]), NOW, known=False)
    unused.check(Terms(once=names[1]), NOW, known=False)


def test_whoever_came_by_a_link_that_ends_invites_nobody() -> None:
    """An invitation would be a link without an end."""
    rooms = open_rooms(keys=KEYS)
    assert enter(rooms, KEYS.key("abc", "receiver")).invite is not None
    ending = KEYS.key("abc", "receiver", terms=SOON)
    assert enter(rooms, ending, peer_id="q").invite is None


def test_a_link_that_ends_leads_no_room() -> None:
    """It makes no rooms over HTTP."""
    rooms = open_rooms(keys=KEYS)
    assert not rooms.leads("abc", KEYS.key("abc", "receiver", terms=SOON))


def test_whoever_was_removed_does_not_come_in_by_the_same_link_from_there() -> None:
    """Not by its token either; by another link, or from elsewhere, somebody does."""
    rooms = open_rooms(keys=KEYS)
    key = KEYS.key("abc", "receiver")
    registered = enter(rooms, key, source="192.0.2.1")
    told = rooms.remove("p", NOW)
    assert [(o.peer_id, getattr(o, "reason", None)) for o in told] == [("p", "removed")]
    assert refused(rooms, key, source="192.0.2.1") == Code.REMOVED
    with pytest.raises(Refusal):
        enter(rooms, key, token=registered.resume, source="192.0.2.1")
    enter(rooms, key, peer_id="elsewhere", source="192.0.2.2")
    other = KEYS.key("abc", "receiver", terms=SOON)
    enter(rooms, other, peer_id="other", source="192.0.2.1")


def test_a_room_that_the_operator_ends_opens_no_more() -> None:
    """Whether somebody is in it or not."""
    rooms = open_rooms(keys=KEYS)
    key = KEYS.key("abc", "receiver")
    enter(rooms, key)
    assert [getattr(o, "reason", None) for o in rooms.close("abc", NOW)] == ["ended"]
    assert refused(rooms, key) == Code.NO_ROOM
    other = KEYS.key("empty", "receiver")
    assert rooms.close("empty", NOW) == []
    with pytest.raises(Refusal):
        rooms.register("q", Register("receiver", "empty", other), NOW)


def test_renewed_keys_put_everyone_out() -> None:
    """Old keys, tokens and links that are good once open nothing."""
    keys = Links(SECRET)
    rooms = open_rooms(keys=keys)
    old = keys.key("abc", "receiver")
    enter(rooms, old)
    once = Terms(once=rooms.name_link())
    keys.renew(b"n" * 32)
    assert [getattr(o, "reason", None) for o in rooms.renew(NOW)] == [Code.LINK_ENDED]
    assert (rooms.counts().peers, list(rooms.all())) == (0, [])
    assert refused(rooms, old) == Code.BAD_KEY
    assert refused(rooms, keys.key("abc", "receiver", terms=once)) == Code.LINK_ENDED
    enter(rooms, keys.key("abc", "receiver"))
