"""Roles that change while peers are in a room, and the document that remembers it."""

import dataclasses

import pytest

from signaling.room import changes
from signaling.room.changes import MAX_CHANGES, ROLES
from signaling.room.deliveries import Delivery, Dismissal
from signaling.room.messages import (
    DocumentVersion,
    End,
    Offer,
    PeerConnected,
    PeerDisconnected,
    Registered,
    RoleChange,
    Say,
    SetDocument,
    State,
)
from signaling.room.refusal import Code, Refusal
from signaling.room_types.camera import camera
from tests.signaling.room.class_bed import (
    a_class,
    a_room,
    class_rooms,
    denied,
    dismissed,
    enter,
    facts,
    kept_out,
    locked,
    newest,
    of_type,
    resume_token,
    roles,
    seat,
    with_role,
)
from tests.signaling.room.imaginary import BOARD, CHAT, classroom
from tests.signaling.room.rooms_bed import NOW


def test_only_a_kind_of_room_in_which_roles_change_has_the_document() -> None:
    """Nothing can change in a room without an heir and without roles that change others."""
    assert changes.documents_of(camera(senders=1, receivers=1, viewers=1)) == {}
    assert set(changes.documents_of(classroom())) == {ROLES}
    nobody = with_role("leader", changes={})
    assert set(changes.documents_of(nobody)) == {ROLES}
    assert changes.documents_of(dataclasses.replace(nobody, heir=None)) == {}


def test_nobody_but_the_server_writes_the_document() -> None:
    """Not even somebody who leads the room."""
    rooms = a_class()
    base = newest(enter(rooms, "m"), "m", ROLES).version
    assert denied(rooms, "l", SetDocument(ROLES, base, {})) == Code.WRONG_ROLE


def test_a_peer_is_given_another_role() -> None:
    """Everyone whom it concerns is told who changed it, then all get the newest document."""
    rooms = a_class("m", "n")
    told = rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    assert roles(rooms) == {"l": "leader", "m": "quiet", "n": "member"}
    for peer in ("l", "m", "n"):
        assert of_type(told, peer, RoleChange) == [RoleChange("quiet", id="m", by="l")]
        assert newest(told, peer, ROLES).value["changed"] == {"m": "quiet"}
    assert denied(rooms, "m", Say(CHAT, "x")) == Code.WRONG_ROLE


def test_the_role_that_a_peer_came_with_need_not_be_remembered() -> None:
    """Given back, the change is forgotten."""
    rooms = a_class("m")
    rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    rooms.receive("l", RoleChange("member", to="m"), NOW)
    assert facts(rooms)["changed"] == {}
    assert roles(rooms)["m"] == "member"


@pytest.mark.parametrize(
    ("peer", "message", "code"),
    [
        ("m", RoleChange("quiet", to="l"), Code.WRONG_ROLE),
        ("m", RoleChange("leader", to="m"), Code.WRONG_ROLE),
        ("l", RoleChange("knocking", to="m"), Code.WRONG_ROLE),
        ("l", RoleChange("boss", to="m"), Code.WRONG_ROLE),
        ("l", RoleChange(None, to="l"), Code.WRONG_ROLE),
        ("l", RoleChange("member", to="l"), Code.WRONG_ROLE),
        ("l", RoleChange("quiet", to="nobody"), Code.UNKNOWN_TARGET),
        ("l", RoleChange("quiet"), Code.UNKNOWN_TARGET),
    ],
)
def test_a_change_that_is_not_allowed_changes_nothing(
    peer: str, message: RoleChange, code: Code
) -> None:
    """A role changes whom its role may change, to what it may, and nobody else."""
    rooms = a_class("m")
    before, was = facts(rooms), roles(rooms)
    assert denied(rooms, peer, message) == code
    assert (facts(rooms), roles(rooms)) == (before, was)


def test_a_peer_of_another_room_cannot_be_changed() -> None:
    """Its id is as that of nobody."""
    rooms = a_class()
    rooms.open("classroom", "other", NOW)
    enter(rooms, "m", room="other")
    assert denied(rooms, "l", RoleChange(None, to="m")) == Code.UNKNOWN_TARGET


def test_there_must_be_a_seat_of_the_new_role() -> None:
    """Full is full, also for those who are in the room already; nothing has changed."""
    rooms = class_rooms(classroom(leaders=1))
    enter(rooms, "l", "leader")
    enter(rooms, "m")
    before = facts(rooms)
    assert denied(rooms, "l", RoleChange("leader", to="m")) == Code.ROOM_FULL
    assert (facts(rooms), roles(rooms)["m"]) == (before, "member")


def test_the_seats_of_a_room_are_for_all_roles_together() -> None:
    """One who only changes the role needs no further seat."""
    rooms = class_rooms(classroom(seats=3))
    enter(rooms, "l", "leader")
    enter(rooms, "m")
    enter(rooms, "n")
    assert kept_out(rooms) == Code.ROOM_FULL
    assert kept_out(rooms, "leader") == Code.ROOM_FULL
    assert rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    assert set(roles(rooms)) == {"l", "m", "n"}


def test_one_who_is_let_in_meets_the_others() -> None:
    """They meet it, with what all of them show, and it is told what was said."""
    rooms = locked(a_class("a"))
    rooms.receive("a", State({"hand": True}), NOW)
    (said,) = of_type(rooms.receive("a", Say(CHAT, "hello"), NOW), "a", Say)
    welcome = enter(rooms, "z", source="z")
    assert isinstance(welcome[0], Delivery)
    assert isinstance(welcome[0].message, Registered)
    assert (welcome[0].message.role, welcome[0].message.peers) == ("knocking", ())
    assert of_type(welcome, "z", Say, PeerConnected, State) == []
    assert of_type(welcome, "a", PeerConnected) == []
    told = rooms.receive("l", RoleChange("member", to="z"), NOW)
    assert of_type(told, "z", RoleChange, PeerConnected, State, Say) == [
        RoleChange("member", id="z", by="l"),
        PeerConnected("leader", "l"),
        PeerConnected("member", "a"),
        State({"hand": True}, from_="a"),
        said,
    ]
    assert of_type(told, "a", RoleChange, PeerConnected) == [
        RoleChange("member", id="z", by="l"),
        PeerConnected("member", "z", offers=True),
    ]


def test_one_who_waits_hears_and_says_nothing() -> None:
    """No word, no state, no offer reaches it, and it may send none."""
    rooms = locked(a_class("a"))
    enter(rooms, "z", source="z")
    for message in (Say(CHAT, "x"), State({})):
        assert of_type(rooms.receive("a", message, NOW), "z", Say, State) == []
    assert denied(rooms, "a", Offer("", to="z")) == Code.UNKNOWN_TARGET
    for sent in (
        Say(CHAT, "x"),
        State({}),
        SetDocument(BOARD, 1, {}),
        RoleChange("member", to="z"),
    ):
        assert denied(rooms, "z", sent) == Code.WRONG_ROLE


def test_those_who_stay_connected_are_not_told_that_they_meet() -> None:
    """A change that keeps both who meets and who offers keeps the connection: no word of it."""
    rooms = a_class("m")
    rooms.receive("l", Say(CHAT, "heard already"), NOW)
    rooms.receive("m", State({"hand": True}), NOW)
    told = rooms.receive("l", RoleChange("leader", to="m"), NOW)
    assert of_type(told, "l", PeerConnected, PeerDisconnected, State) == []
    assert of_type(told, "m", PeerConnected, PeerDisconnected, Say) == []


def test_those_whose_offers_change_sides_meet_again() -> None:
    """b offered to c; once b does not publish c offers: both are told to begin again."""
    rooms = a_class("b", "c")
    told = rooms.receive("l", RoleChange("quiet", to="b"), NOW)
    assert of_type(told, "c", PeerDisconnected, PeerConnected) == [
        PeerDisconnected("member", "b", "role"),
        PeerConnected("quiet", "b", offers=True),
    ]
    assert of_type(told, "b", PeerDisconnected, PeerConnected)[:2] == [
        PeerDisconnected("leader", "l", "role"),
        PeerDisconnected("member", "c", "role"),
    ]
    assert of_type(told, "b", PeerConnected) == [
        PeerConnected("leader", "l"),
        PeerConnected("member", "c"),
    ]


def test_those_who_do_not_meet_any_more_are_parted() -> None:
    """Both sides hear of it, with the reason `role`."""
    kind = with_role("quiet", meets=frozenset({"leader"}))
    kind = with_role("member", kind, meets=frozenset({"leader", "member"}))
    rooms = class_rooms(kind)
    for peer, role in (("l", "leader"), ("m", "member"), ("n", "member")):
        enter(rooms, peer, role)
    told = rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    assert PeerDisconnected("member", "m", "role") in of_type(told, "n", PeerDisconnected)
    assert of_type(told, "n", PeerConnected) == []
    assert PeerDisconnected("member", "n", "role") in of_type(told, "m", PeerDisconnected)
    assert of_type(told, "m", PeerConnected) == []
    assert of_type(told, "l", PeerConnected, PeerDisconnected) == []


def test_a_peer_is_put_out() -> None:
    """It is told, and its connection ends; the others are told why, and all remember it."""
    rooms = a_class("m", "n")
    told = rooms.receive("l", RoleChange(None, to="m"), NOW)
    change = RoleChange(None, id="m", by="l")
    assert of_type(told, "m", RoleChange, DocumentVersion) == [change]
    assert dismissed(told) == {"m": "removed"}
    for peer in ("l", "n"):
        assert of_type(told, peer, RoleChange, PeerDisconnected) == [
            change,
            PeerDisconnected("member", "m", "removed"),
        ]
        assert [out for out, _mark in newest(told, peer, ROLES).value["out"]] == ["m"]
    assert "m" not in rooms
    assert denied(rooms, "m", Say(CHAT, "x")) == Code.NOT_REGISTERED
    order = [o for o in told if o.peer_id == "m"]
    assert [type(outcome) for outcome in order] == [Delivery, Dismissal]


def test_one_who_was_put_out_does_not_come_back_as_who_it_was() -> None:
    """Its token is refused, in this process and in the next one."""
    rooms = class_rooms()
    enter(rooms, "l", "leader")
    back = resume_token(enter(rooms, "m", source="here")[0])
    told = rooms.receive("l", RoleChange(None, to="m"), NOW)
    assert kept_out(rooms, resume=back, source="elsewhere") == Code.REMOVED
    document = newest(told, "l", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    rooms.receive("l", document, NOW)
    assert kept_out(rooms, resume=back, source="elsewhere") == Code.REMOVED
    assert "m" not in rooms


def test_one_who_was_put_out_waits_when_it_comes_by_the_same_link() -> None:
    """From where it came before; somebody from elsewhere walks in."""
    rooms = a_class("m")
    rooms.receive("l", RoleChange(None, to="m"), NOW)
    for source, role in (("m", "knocking"), ("elsewhere", "member"), ("", "member")):
        (answer, *_) = enter(rooms, f"from {source}", source=source)
        assert isinstance(answer, Delivery)
        assert isinstance(answer.message, Registered)
        assert answer.message.role == role


def test_one_who_was_put_out_is_refused_where_nobody_can_wait() -> None:
    """A role that does not knock has no place for it."""
    rooms = class_rooms(dataclasses.replace(classroom(), knocks={}))
    enter(rooms, "l", "leader")
    enter(rooms, "m", source="m")
    rooms.receive("l", RoleChange(None, to="m"), NOW)
    before = rooms.counts()
    assert kept_out(rooms, source="m") == Code.REMOVED
    assert rooms.counts() == before
    assert enter(rooms, "n", source="n")


def test_one_who_is_let_in_again_is_forgiven() -> None:
    """After that it comes and goes as before."""
    rooms = a_class("m")
    rooms.receive("l", RoleChange(None, to="m"), NOW)
    enter(rooms, "again", source="m")
    rooms.receive("l", RoleChange("member", to="again"), NOW)
    assert facts(rooms)["out"] == []
    rooms.leave("again", "left", NOW)
    enter(rooms, "third", source="m")
    assert roles(rooms)["third"] == "member"


def test_one_who_waits_and_is_put_out_waits_again() -> None:
    """Refused at the door once, it may still knock, and does not get in."""
    rooms = locked(a_class())
    enter(rooms, "z", source="z")
    told = rooms.receive("l", RoleChange(None, to="z"), NOW)
    assert dismissed(told) == {"z": "removed"}
    rooms.receive("l", SetDocument(BOARD, 1, {"locked": False}), NOW)
    enter(rooms, "again", source="z")
    assert roles(rooms)["again"] == "knocking"


def test_the_role_of_one_who_was_put_out_is_forgotten() -> None:
    """Only that it is out is kept."""
    rooms = a_class("m")
    rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    rooms.receive("l", RoleChange(None, to="m"), NOW)
    assert facts(rooms)["changed"] == {}


def test_what_a_room_remembers_of_changes_is_bounded() -> None:
    """The oldest is forgotten first, of those put out and of changed roles alike."""
    rooms = class_rooms(classroom(seats=200))
    enter(rooms, "l", "leader")
    for number in range(MAX_CHANGES + 2):
        for name in ("out", "new"):
            enter(rooms, f"{name}{number}", source=f"{name}{number}")
        rooms.receive("l", RoleChange(None, to=f"out{number}"), NOW)
        rooms.receive("l", RoleChange("quiet", to=f"new{number}"), NOW)
    kept = facts(rooms)
    expected = list(range(2, MAX_CHANGES + 2))
    assert [out for out, _mark in kept["out"]] == [f"out{n}" for n in expected]
    assert list(kept["changed"]) == [f"new{n}" for n in expected]


def test_a_role_that_is_not_there_any_more_counts_as_unchanged() -> None:
    """A document from before an update may name one."""
    room = a_room()
    room.documents.put(ROLES, {"changed": {"m": "gone"}, "out": [], "led": False}, 1)
    assert changes.role_of(room, "m", "member") == "member"
    assert changes.role_of(room, "n", "quiet") == "quiet"


def test_marks_tell_nobody_where_a_peer_is() -> None:
    """The document holds no address, and marks differ from room to room."""
    rooms = class_rooms()
    enter(rooms, "l", "leader")
    enter(rooms, "m", source="192.0.2.7")
    told = rooms.receive("l", RoleChange(None, to="m"), NOW)
    assert "192.0.2" not in str(newest(told, "l", ROLES))


def test_ending_a_room_puts_everyone_out() -> None:
    """Those who are away too; nobody enters any more, with a key or a token or without."""
    rooms = a_class("m")
    back = resume_token(enter(rooms, "n")[0])
    rooms.drop("n", NOW)
    assert denied(rooms, "m", End()) == Code.WRONG_ROLE
    assert dismissed(rooms.receive("l", End(), NOW)) == dict.fromkeys("lmn", "ended")
    assert rooms.counts().peers == rooms.counts().rooms == 0
    for role, how in (("leader", {}), ("member", {}), ("member", {"resume": back})):
        assert kept_out(rooms, role, **how) == Code.NO_ROOM


def test_a_seat_is_taken_while_its_peer_is_away() -> None:
    """It is the peer's own, in whichever role it has by now."""
    room = a_room(classroom(seats=2))
    seat(room, "a", "member").lost_at = 1.0
    changes.check_space(room, room.type.roles["member"], comes=True)
    seat(room, "b", "quiet")
    with pytest.raises(Refusal):
        changes.check_space(room, room.type.roles["leader"], comes=True)
    changes.check_space(room, room.type.roles["leader"], comes=False)


def test_a_new_role_does_not_tell_the_words_of_those_it_does_not_meet() -> None:
    """Its own role is met only where the role says so."""
    kind = with_role("leader", meets=frozenset({"member"}))
    rooms = class_rooms(kind)
    enter(rooms, "l", "leader")
    enter(rooms, "m")
    rooms.receive("l", Say(CHAT, "for members"), NOW)
    told = rooms.receive("l", RoleChange("leader", to="m"), NOW)
    assert of_type(told, "m", Say) == []


@pytest.mark.parametrize(("newcomer", "leader_offers"), [("z", True), ("a", False)])
def test_a_leader_meets_one_who_is_let_in(newcomer: str, leader_offers: bool) -> None:
    """It has heard of it before, but only now is one of the two to make offers."""
    rooms = locked(a_class())
    welcome = enter(rooms, newcomer, source="n")
    assert of_type(welcome, "l", PeerConnected) == [PeerConnected("knocking", newcomer)]
    assert denied(rooms, "l", Offer("", to=newcomer)) == Code.WRONG_ROLE
    told = rooms.receive("l", RoleChange("member", to=newcomer), NOW)
    assert PeerConnected("leader", "l", offers=not leader_offers) in of_type(
        told, newcomer, PeerConnected
    )
    if leader_offers:
        assert of_type(told, "l", PeerDisconnected, PeerConnected) == [
            PeerDisconnected("knocking", newcomer, "role"),
            PeerConnected("member", newcomer, offers=True),
        ]
