"""The door: a kind of room, a role, and a key or a code."""

import dataclasses

import pytest

from signaling.room.departures import Departures
from signaling.room.door import Door
from signaling.room.links import OPEN_ROOM, Links
from signaling.room.messages import Register
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Room
from signaling.room.room_type import RoomType
from tests.signaling.room.class_bed import ROOM, a_room
from tests.signaling.room.imaginary import classroom
from tests.signaling.room.rooms_bed import SECRET

USUAL = dataclasses.replace(classroom(), name="usual")
CLASS = classroom()
KEYS = Links(SECRET)


def door(keys: Links | None = KEYS, departures: Departures | None = None) -> Door:
    """A door to two kinds of room."""
    return Door([USUAL, CLASS], keys, departures or Departures())


def enters(
    at: Door,
    role: str,
    *,
    key: str | None = None,
    room: Room | None = None,
    code: str = ROOM,
    kind: RoomType = CLASS,
    known: bool = False,
) -> Code | None:
    """The code with which somebody is refused, or None."""
    try:
        at.check(room, kind, kind.roles[role], code, key, known=known)
    except Refusal as refusal:
        return refusal.code
    return None


def leader_key(code: str = ROOM, role: str = "leader", scope: str = "classroom") -> str:
    return KEYS.key(code, role, scope)


def test_who_names_no_kind_of_room_means_the_first() -> None:
    """Any other by its name; one that is not there is refused, with those that are."""
    assert door().room_type(None) is USUAL
    assert door().room_type("usual") is USUAL
    assert door().room_type("classroom") is CLASS
    with pytest.raises(Refusal, match="usual, classroom") as caught:
        door().room_type("attic")
    assert caught.value.code == Code.BAD_FIELD


def test_a_role_is_one_of_its_kind_of_room() -> None:
    """One that is not there is refused, with those that are."""
    assert door().role(CLASS, "member") is CLASS.roles["member"]
    with pytest.raises(Refusal, match="leader, member") as caught:
        door().role(CLASS, "boss")
    assert caught.value.code == Code.WRONG_ROLE


def test_who_names_no_room_means_the_open_one_where_access_is_open() -> None:
    """With keys every client names its room."""
    assert door(None).code(Register("member")) == OPEN_ROOM
    assert door(None).code(Register("member", "abc")) == "abc"
    assert door().code(Register("member")) == ""
    assert door().code(Register("member", "abc")) == "abc"


def test_a_key_opens_its_room_in_its_role() -> None:
    """Whether somebody is in there or not."""
    for room in (None, a_room(CLASS)):
        assert enters(door(), "leader", key=leader_key(), room=room) is None


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "x",
        leader_key("abd"),
        leader_key(role="member"),
        leader_key(scope=""),
        leader_key(scope="usual"),
    ],
)
def test_another_key_opens_nothing(key: str | None) -> None:
    """None, one of another room, role or kind of room: all the same answer."""
    for room in (None, a_room(CLASS)):
        for known in (False, True):
            assert enters(door(), "leader", key=key, room=room, known=known) == Code.BAD_KEY


def test_the_keys_of_the_first_kind_have_no_scope() -> None:
    """So the links from before there were other kinds still hold."""
    assert door().scope(USUAL) == ""
    assert door().scope(CLASS) == "classroom"
    assert enters(door(), "leader", kind=USUAL, key=leader_key(scope="")) is None
    assert enters(door(), "leader", kind=USUAL, key=leader_key()) == Code.BAD_KEY


@pytest.mark.parametrize("code", ["", "No Room", "-a", "a" * 33, "a\0b", "\ud800"])
def test_a_code_that_can_name_no_room_gets_the_answer_of_a_wrong_key(code: str) -> None:
    """Nothing to learn from it; with open access too."""
    for at in (door(), door(None)):
        assert enters(at, "leader", code=code, key="x") == Code.BAD_KEY
        assert enters(at, "member", code=code) == Code.NO_ROOM


def test_with_open_access_no_key_is_needed() -> None:
    """Any key will do, or none."""
    for key in (None, "", "x"):
        assert enters(door(None), "leader", key=key) is None


def test_a_code_opens_a_room_that_is_there() -> None:
    """No key is asked for; a room that is not there cannot be made by its code."""
    for at in (door(), door(None)):
        assert enters(at, "member", room=a_room(CLASS)) is None
        assert enters(at, "member") == Code.NO_ROOM


def test_who_was_there_before_a_restart_comes_back_by_the_code_alone() -> None:
    """The server does not know the room any more, but it knows its own token."""
    assert enters(door(), "member", known=True) is None


def test_a_room_of_another_kind_is_not_there() -> None:
    """By a code, by a good key, or known: the kind must be the room's."""
    at = door()
    key = leader_key(scope="")
    assert enters(at, "member", kind=USUAL, room=a_room(CLASS)) == Code.NO_ROOM
    assert enters(at, "member", kind=USUAL, room=a_room(CLASS), known=True) == Code.NO_ROOM
    assert enters(at, "leader", kind=USUAL, room=a_room(CLASS), key=key) == Code.NO_ROOM


def test_the_code_of_a_room_that_was_ended_opens_nothing_any_more() -> None:
    """Not for the key of who led it, nor for one who was there; other rooms are as they were."""
    departures = Departures()
    at = door(departures=departures)
    departures.end(ROOM)
    assert enters(at, "leader", key=leader_key()) == Code.NO_ROOM
    assert enters(at, "member") == Code.NO_ROOM
    assert enters(at, "member", known=True) == Code.NO_ROOM
    assert enters(at, "leader", code="abd", key=leader_key("abd")) is None


def test_who_may_end_a_room_leads_it() -> None:
    """Of whatever kind it is; another role's key, another room's or none does not."""
    for scope in ("", "classroom"):
        assert door().leads(ROOM, leader_key(scope=scope))
        for key in (
            "",
            "x",
            leader_key("abd", scope=scope),
            leader_key(role="member", scope=scope),
        ):
            assert not door().leads(ROOM, key)
    assert not door(None).leads(ROOM, leader_key())


def test_a_key_that_may_not_end_the_room_does_not_lead() -> None:
    """Keyed or not: what counts is that the role may send `end`."""
    keyed = dataclasses.replace(CLASS.roles["member"], keyed=True)
    kind = dataclasses.replace(CLASS, roles={**CLASS.roles, "member": keyed})
    at = Door([USUAL, kind], KEYS, Departures())
    assert enters(at, "member", kind=kind, key=leader_key(role="member")) is None
    assert not at.leads(ROOM, leader_key(role="member"))


@pytest.mark.parametrize("role", ["quiet", "knocking"])
def test_a_role_that_only_others_give_cannot_be_asked_for(role: str) -> None:
    """It has no key, so anybody with the code could get past the lock by it."""
    with pytest.raises(Refusal) as caught:
        door().role(CLASS, role)
    assert caught.value.code == Code.WRONG_ROLE


def test_a_role_without_a_page_can_be_asked_for_with_its_key() -> None:
    """A program may have the link of one that no page has."""
    kind = dataclasses.replace(CLASS, pages={"/class": "member"})
    assert door().role(kind, "leader") is kind.roles["leader"]


def test_a_role_without_a_key_does_not_lead_by_one() -> None:
    """Though it may end the room: nobody was ever given such a key."""
    ends = dataclasses.replace(CLASS.roles["member"], sends=frozenset({"end"}))
    kind = dataclasses.replace(CLASS, roles={**CLASS.roles, "member": ends})
    assert not Door([USUAL, kind], KEYS, Departures()).leads(ROOM, leader_key(role="member"))
