"""Who leads when the last leader is gone."""

import pytest

from signaling.room.changes import ROLES
from signaling.room.messages import (
    DocumentVersion,
    RoleChange,
)
from tests.signaling.room.class_bed import (
    a_class,
    class_rooms,
    enter,
    facts,
    newest,
    of_type,
    roles,
    with_role,
)
from tests.signaling.room.imaginary import classroom
from tests.signaling.room.rooms_bed import NOW


def test_the_first_leader_is_noted_once() -> None:
    """All who are there are told; a second one changes nothing."""
    rooms = class_rooms()
    enter(rooms, "m")
    assert facts(rooms)["led"] is False
    told = enter(rooms, "l", "leader")
    assert newest(told, "m", ROLES).value["led"] is True
    assert newest(told, "l", ROLES).version == 1
    assert len(of_type(told, "l", DocumentVersion)) == 2
    assert of_type(enter(rooms, "l2", "leader"), "m", DocumentVersion) == []


def test_the_peer_that_has_been_there_longest_inherits() -> None:
    """When the last leader is gone, not before; the server itself says so."""
    times = iter(range(1, 99))
    rooms = class_rooms(unix_time=lambda: float(next(times)))
    for peer, role in (("l", "leader"), ("l2", "leader"), ("z", "member"), ("a", "member")):
        enter(rooms, peer, role)
    assert of_type(rooms.leave("l", "left", NOW), "z", RoleChange) == []
    told = rooms.leave("l2", "left", NOW)
    assert of_type(told, "a", RoleChange) == [RoleChange("leader", id="z", by=None)]
    assert roles(rooms) == {"z": "leader", "a": "member"}
    assert facts(rooms)["changed"] == {"z": "leader"}


def test_one_who_is_here_inherits_before_one_who_is_away() -> None:
    """One who is away gets it where nobody else can."""
    rooms = a_class("a", "b")
    rooms.drop("a", NOW)
    rooms.leave("l", "left", NOW)
    assert roles(rooms) == {"a": "member", "b": "leader"}
    rooms = a_class("a")
    rooms.drop("a", NOW)
    rooms.leave("l", "left", NOW)
    assert roles(rooms) == {"a": "leader"}


def test_a_leader_that_is_away_still_leads() -> None:
    """Until it is lost."""
    rooms = a_class("m")
    rooms.drop("l", NOW)
    assert rooms.tick(NOW + 44) == []
    assert roles(rooms)["m"] == "member"
    rooms.tick(NOW + 45)
    assert roles(rooms) == {"m": "leader"}


def test_nobody_inherits_what_nobody_had() -> None:
    """In a room that no leader has entered yet."""
    rooms = class_rooms()
    enter(rooms, "m")
    enter(rooms, "n")
    assert of_type(rooms.leave("m", "left", NOW), "n", RoleChange) == []
    assert roles(rooms) == {"n": "member"}


def test_only_the_role_of_an_heir_inherits() -> None:
    """Those who are quiet or wait do not."""
    rooms = a_class("q")
    rooms.receive("l", RoleChange("quiet", to="q"), NOW)
    assert of_type(rooms.leave("l", "left", NOW), "q", RoleChange) == []
    assert roles(rooms) == {"q": "quiet"}


@pytest.mark.parametrize("role", ["quiet", None])
def test_somebody_inherits_where_the_last_leader_gives_up(role: str | None) -> None:
    """By its own wish or by another leader's: a room that was led is led."""
    kind = classroom()
    may = {**kind.roles["leader"].changes, "leader": frozenset({"quiet", None})}
    rooms = class_rooms(with_role("leader", changes=may))
    for peer, asked in (("l", "leader"), ("k", "leader"), ("m", "member")):
        enter(rooms, peer, asked)
    told = rooms.receive("l", RoleChange(role, to="k"), NOW)
    assert roles(rooms)["m"] == "member"
    told = rooms.receive("l", RoleChange(role, to="l"), NOW)
    assert roles(rooms)["m"] == "leader"
    assert RoleChange("leader", id="m", by=None) in of_type(told, "m", RoleChange)
