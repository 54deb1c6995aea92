"""Roles that change, and what is shown and said, while a peer is away."""

import pytest

from signaling.room.messages import (
    PeerConnected,
    Registered,
    RoleChange,
    Say,
    State,
)
from tests.signaling.room.class_bed import (
    a_class,
    classroom_token,
    enter,
    locked,
    of_type,
    resume_token,
    roles,
)
from tests.signaling.room.imaginary import CHAT
from tests.signaling.room.rooms_bed import NOW


def test_one_whose_role_changes_while_it_is_away_is_not_announced() -> None:
    """The others are told that it is parted from them, and meet it when it is back."""
    rooms = a_class("b", "c")
    back = classroom_token("b")
    rooms.drop("b", NOW)
    told = rooms.receive("l", RoleChange("quiet", to="b"), NOW)
    for peer in ("l", "c"):
        assert of_type(told, peer, PeerConnected) == []
        assert of_type(told, peer, RoleChange) == [RoleChange("quiet", id="b", by="l")]
    told = enter(rooms, "x", resume=back)
    assert of_type(told, "b", Registered)[0].role == "quiet"
    assert of_type(told, "c", PeerConnected) == [PeerConnected("quiet", "b", offers=True)]


def test_one_who_came_meanwhile_is_told_what_a_peer_shows_that_comes_back() -> None:
    """It has not met it before, so it does not know its state."""
    rooms = a_class("m")
    rooms.receive("m", State({"hand": True}), NOW)
    rooms.drop("m", NOW)
    assert of_type(enter(rooms, "n"), "n", State) == []
    told = enter(rooms, "x", resume=classroom_token("m"))
    assert of_type(told, "n", PeerConnected, State) == [
        PeerConnected("member", "m"),
        State({"hand": True}, from_="m"),
    ]


def test_one_who_replaces_its_connection_is_told_what_the_others_show() -> None:
    """What was on its way to the old connection may be lost."""
    rooms = a_class("m", "n")
    rooms.receive("m", State({"hand": True}), NOW)
    told = enter(rooms, "x", resume=classroom_token("n"))
    assert of_type(told, "n", State) == [State({"hand": True}, from_="m")]
    assert of_type(told, "m", PeerConnected, State) == []


@pytest.mark.parametrize("heard", [None, 2])
def test_one_who_is_let_in_while_it_is_away_is_told_what_was_said(heard: int | None) -> None:
    """As if it had been there: those whom it meets now spoke before it was cut off."""
    rooms = locked(a_class("m"))
    for body in ("one", "two"):
        rooms.receive("m", Say(CHAT, body), NOW)
    back = resume_token(enter(rooms, "z", source="z")[0])
    rooms.drop("z", NOW)
    rooms.receive("l", RoleChange("member", to="z"), NOW)
    rooms.receive("m", Say(CHAT, "three"), NOW)
    told = enter(rooms, "x", resume=back, heard=heard)
    assert [said.body for said in of_type(told, "z", Say)] == ["one", "two", "three"]


def test_one_who_comes_back_is_told_what_it_has_missed() -> None:
    """By the number that it has, or else from when it was cut off; never more than was kept."""
    for heard, bodies in ((None, ["two"]), (-1, ["one", "two"]), (0, ["two"]), (9, ["two"])):
        rooms = a_class("m", "n")
        (one,) = of_type(rooms.receive("m", Say(CHAT, "one"), NOW), "n", Say)
        heard = None if heard is None else one.n + heard
        rooms.drop("n", NOW)
        rooms.receive("m", Say(CHAT, "two"), NOW)
        told = enter(rooms, "x", resume=classroom_token("n"), heard=heard)
        assert [said.body for said in of_type(told, "n", Say)] == bodies


def test_one_who_moved_to_another_network_is_known_by_it() -> None:
    """It came back from another address before it was put out: from there it has to wait."""
    rooms = a_class("m")
    rooms.drop("m", NOW)
    enter(rooms, "x", resume=classroom_token("m"), source="elsewhere")
    rooms.receive("l", RoleChange(None, to="m"), NOW)
    enter(rooms, "again", source="elsewhere")
    assert roles(rooms)["again"] == "knocking"


def test_one_who_has_seen_what_a_peer_shows_is_not_told_again() -> None:
    """Coming and going must not be a way to send more than the rate allows."""
    rooms = a_class("m", "n")
    rooms.receive("m", State({"hand": True}), NOW)
    for _ in range(2):
        rooms.drop("m", NOW)
        told = enter(rooms, "x", resume=classroom_token("m"))
        assert of_type(told, "n", PeerConnected, State) == [PeerConnected("member", "m")]


def test_one_whose_role_changed_sees_what_those_show_who_were_away() -> None:
    """And they are seen by it: both ways, once they are back."""
    rooms = locked(a_class("m"))
    rooms.receive("m", State({"hand": True}), NOW)
    enter(rooms, "z", source="z")
    rooms.drop("m", NOW)
    rooms.receive("l", RoleChange("member", to="z"), NOW)
    told = enter(rooms, "x", resume=classroom_token("m"))
    assert of_type(told, "z", State) == [State({"hand": True}, from_="m")]
    rooms.drop("m", NOW)
    rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    told = enter(rooms, "x", resume=classroom_token("m"))
    assert of_type(told, "z", State) == [State({"hand": True}, from_="m")]


def test_what_a_peer_shows_is_owed_to_a_newcomer_once() -> None:
    """The next time that the peer is away, the newcomer knows it already."""
    rooms = a_class("m")
    rooms.receive("m", State({"hand": True}), NOW)
    rooms.drop("m", NOW)
    enter(rooms, "n")
    for shown in ([State({"hand": True}, from_="m")], []):
        told = enter(rooms, "x", resume=classroom_token("m"))
        assert of_type(told, "n", State) == shown
        rooms.drop("m", NOW)
