"""What peers hand back to a server that was started again, in any order and with any intent."""

from signaling.room.changes import ROLES
from signaling.room.deliveries import Delivery
from signaling.room.departures import Departures
from signaling.room.messages import (
    End,
    Registered,
    RoleChange,
    SetDocument,
)
from signaling.room.refusal import Code
from tests.signaling.room.class_bed import (
    a_class,
    class_rooms,
    classroom_token,
    dismissed,
    enter,
    facts,
    kept_out,
    newest,
    of_type,
    roles,
)
from tests.signaling.room.imaginary import BOARD, classroom
from tests.signaling.room.rooms_bed import NOW


def test_a_decision_after_the_restart_outlives_what_is_handed_back_late() -> None:
    """A friend of somebody who was silenced or removed cannot undo it with a newer document."""
    before = a_class("m", "n", "o")
    first = newest(before.receive("l", RoleChange("quiet", to="o"), NOW), "l", ROLES)
    later = newest(before.receive("l", RoleChange("member", to="o"), NOW), "n", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    for peer in ("m", "n"):
        enter(rooms, peer, resume=classroom_token(peer), source=peer)
    rooms.receive("l", first, NOW)
    rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    rooms.receive("l", RoleChange(None, to="n"), NOW)
    enter(rooms, "friend", source="f")
    rooms.receive("friend", later, NOW)
    assert roles(rooms)["m"] == "quiet"
    assert [peer for peer, _mark in facts(rooms)["out"]] == ["n"]
    assert facts(rooms)["changed"] == {"m": "quiet"}


def test_the_newest_version_wins_though_an_older_one_was_gone_on_from() -> None:
    """Whoever hands the newest back is heard, whatever number the document has by then."""
    before = a_class("m", "n")
    old = newest(before.receive("l", SetDocument(BOARD, 0, {"n": 1}), NOW), "m", BOARD)
    new = newest(before.receive("l", SetDocument(BOARD, 1, {"n": 2}), NOW), "n", BOARD)
    rooms = class_rooms(started=NOW, opened=False)
    for peer in ("m", "n"):
        enter(rooms, peer, resume=classroom_token(peer), source=peer)
    rooms.receive("m", old, NOW)
    rooms.receive("m", SetDocument(BOARD, 1, {"n": "went on"}), NOW)
    told = newest(rooms.receive("n", new, NOW), "m", BOARD)
    assert (told.version, told.value["n"]) == (3, 2)


def test_a_room_is_not_open_before_it_is_known_whether_it_is_locked() -> None:
    """That other documents were handed back says nothing of the one that locks it."""
    before = a_class("m")
    changed = newest(before.receive("l", RoleChange("quiet", to="m"), NOW), "l", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    rooms.receive("l", changed, NOW)
    enter(rooms, "early", source="e")
    assert roles(rooms)["early"] == "knocking"


def test_those_who_wait_outside_take_no_seat() -> None:
    """However many knock, a leader with a key comes in."""
    rooms = class_rooms(classroom(seats=3), started=NOW, opened=False)
    enter(rooms, "m", "leader")
    for n in range(3):
        enter(rooms, f"k{n}", source=f"{n}")
    assert set(roles(rooms).values()) == {"leader", "knocking"}
    enter(rooms, "l", "leader")
    assert roles(rooms)["l"] == "leader"


def test_one_who_comes_after_the_last_leader_inherits() -> None:
    """Where nobody was there who could."""
    rooms = a_class("m")
    rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    rooms.leave("l", "left", NOW)
    assert roles(rooms) == {"m": "quiet"}
    enter(rooms, "late", source="x")
    assert roles(rooms) == {"m": "quiet", "late": "leader"}


def test_one_who_left_after_the_restart_does_not_come_back() -> None:
    """Nor one who had left before it: the token alone makes a new peer, or none."""
    departures = Departures()
    before = a_class("m", departures=departures)
    before.leave("m", "left", NOW)
    rooms = class_rooms(started=NOW, departures=departures)
    enter(rooms, "l", "leader")
    for fresh in ("x", "y"):
        (answer, *_) = enter(rooms, fresh, resume=classroom_token("m"))
        assert answer.peer_id == fresh
    enter(rooms, "z", resume=classroom_token("n"))
    assert "n" in rooms
    rooms.leave("n", "left", NOW)
    assert enter(rooms, "z", resume=classroom_token("n"))[0].peer_id == "z"


def test_no_token_opens_a_room_that_was_ended() -> None:
    """Not one of a member who had not come back yet when the room was ended after a restart, nor
    one from a room that was ended before it."""
    departures = Departures()
    rooms = class_rooms(started=NOW, opened=False, departures=departures)
    enter(rooms, "l", "leader", resume=classroom_token("l", "leader"))
    rooms.receive("l", End(), NOW)
    for again in (rooms, class_rooms(started=NOW, opened=False, departures=departures)):
        assert kept_out(again, resume=classroom_token("m")) == Code.NO_ROOM
        assert again.counts().peers == 0


def test_after_a_restart_nobody_inherits_while_the_leader_may_come_back() -> None:
    """Once that time is over somebody does, and only where there still is none."""
    document = newest(a_class().receive("l", SetDocument(BOARD, 0, {}), NOW), "l", BOARD)
    led = newest(enter(a_class(), "x"), "x", ROLES)
    for returns in (False, True):
        rooms = class_rooms(started=NOW, opened=False)
        enter(rooms, "m", resume=classroom_token("m"))
        rooms.receive("m", led, NOW)
        rooms.receive("m", document, NOW)
        enter(rooms, "x")
        rooms.leave("x", "left", NOW)
        if returns:
            enter(rooms, "l", "leader")
        assert roles(rooms)["m"] == "member"
        rooms.tick(NOW + 44)
        assert roles(rooms)["m"] == "member"
        told = rooms.tick(NOW + 45)
        assert roles(rooms)["m"] == ("member" if returns else "leader")
        assert bool(of_type(told, "m", RoleChange)) is not returns


def test_after_a_restart_changed_roles_are_handed_back() -> None:
    """Those who are there get the role that they had, and all are told."""
    before = a_class("m", "n", "o")
    before.receive("l", RoleChange("quiet", to="m"), NOW)
    before.receive("l", RoleChange(None, to="o"), NOW)
    document = newest(before.receive("l", RoleChange("leader", to="n"), NOW), "n", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    for peer in ("m", "n", "o"):
        enter(rooms, peer, resume=classroom_token(peer), source=peer)
    assert set(roles(rooms).values()) == {"member"}
    told = rooms.receive("m", document, NOW)
    assert roles(rooms) == {"m": "quiet", "n": "leader"}
    assert dismissed(told) == {"o": "removed"}
    assert "o" not in rooms
    assert RoleChange("quiet", id="m", by=None) in of_type(told, "n", RoleChange)
    (late, *_) = enter(rooms, "x", source="o")
    assert isinstance(late, Delivery)
    assert isinstance(late.message, Registered)
    assert late.message.role == "knocking"


def test_a_changed_role_awaits_the_one_who_comes_back_later() -> None:
    """Once the document is there, a token brings the role that its owner had last."""
    before = a_class("m")
    document = newest(before.receive("l", RoleChange("quiet", to="m"), NOW), "l", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    rooms.receive("l", document, NOW)
    enter(rooms, "x", resume=classroom_token("m"))
    assert roles(rooms)["m"] == "quiet"


def test_one_who_got_in_before_it_was_known_to_be_out_has_to_wait() -> None:
    """It came as a stranger from where somebody was put out: it knocks from then on."""
    before = a_class("m")
    board = newest(before.receive("l", SetDocument(BOARD, 0, {}), NOW), "l", BOARD)
    document = newest(before.receive("l", RoleChange(None, to="m"), NOW), "l", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    rooms.receive("l", board, NOW)
    enter(rooms, "sneak", source="m")
    enter(rooms, "honest", source="n")
    assert roles(rooms)["sneak"] == "member"
    rooms.receive("l", document, NOW)
    assert roles(rooms) == {"l": "leader", "sneak": "knocking", "honest": "member"}


def test_after_a_restart_newcomers_wait_until_the_room_is_known() -> None:
    """Nobody may have said yet that it is locked; once somebody has, it is as it was."""
    before = a_class("m")
    board = newest(before.receive("l", SetDocument(BOARD, 0, {"x": 1}), NOW), "m", BOARD)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "m", resume=classroom_token("m"))
    enter(rooms, "early", source="e")
    assert roles(rooms) == {"m": "member", "early": "knocking"}
    rooms.receive("m", board, NOW)
    enter(rooms, "then", source="t")
    assert roles(rooms)["then"] == "member"
    rooms.tick(NOW + 45)
    enter(rooms, "late", source="l")
    assert roles(rooms)["late"] == "member"


def test_what_is_handed_back_too_late_is_passed_over() -> None:
    """A process that has served for longer knows its rooms itself."""
    before = a_class("m")
    document = newest(before.receive("l", RoleChange("quiet", to="m"), NOW), "l", ROLES)
    rooms = class_rooms(started=NOW - 45)
    enter(rooms, "l", "leader")
    was = facts(rooms)
    assert rooms.receive("l", document, NOW) == []
    assert facts(rooms) == was
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    rooms.tick(NOW + 45)
    assert rooms.receive("l", document, NOW + 45) == []


def test_one_who_was_silenced_cannot_hand_back_the_time_before() -> None:
    """Soon after a restart, in a room that was not there before it."""
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    enter(rooms, "m")
    earlier = newest(rooms.receive("l", RoleChange("member", to="m"), NOW), "m", ROLES)
    rooms.receive("l", RoleChange("quiet", to="m"), NOW)
    assert rooms.receive("m", earlier, NOW) == []
    assert roles(rooms)["m"] == "quiet"


def test_who_was_given_a_voice_after_the_restart_keeps_it() -> None:
    """That they were silenced before is no longer true, whoever hands that back."""
    before = a_class("m", "o")
    silenced = newest(before.receive("l", RoleChange("quiet", to="o"), NOW), "l", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    for peer in ("m", "o"):
        enter(rooms, peer, resume=classroom_token(peer), source=peer)
    rooms.receive("l", RoleChange("quiet", to="o"), NOW)
    rooms.receive("l", RoleChange("member", to="o"), NOW)
    rooms.receive("m", silenced, NOW)
    assert roles(rooms)["o"] == "member"


def test_who_was_decided_about_after_the_restart_is_not_put_out_for_before() -> None:
    """What a leader decides while somebody is back is newer than that they were removed."""
    before = a_class("m", "o")
    removed = newest(before.receive("l", RoleChange(None, to="o"), NOW), "l", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    for peer in ("m", "o"):
        enter(rooms, peer, resume=classroom_token(peer), source=peer)
    rooms.receive("l", RoleChange("quiet", to="o"), NOW)
    told = rooms.receive("m", removed, NOW)
    assert dismissed(told) == {}
    assert roles(rooms)["o"] == "quiet"


def test_what_is_gone_on_with_is_newer_than_what_was_handed_back() -> None:
    """Its number is higher, so nobody takes it for an older version."""
    before = a_class("m", "n", "o")
    for role in ("quiet", "member", "quiet"):
        last = newest(before.receive("l", RoleChange(role, to="o"), NOW), "m", ROLES)
    rooms = class_rooms(started=NOW, opened=False)
    enter(rooms, "l", "leader")
    for peer in ("m", "n"):
        enter(rooms, peer, resume=classroom_token(peer), source=peer)
    rooms.receive("l", RoleChange("quiet", to="n"), NOW)
    told = newest(rooms.receive("m", last, NOW), "m", ROLES)
    assert told.value["changed"] == {"o": "quiet", "n": "quiet"}
    assert told.version == last.version + 1


def test_a_full_room_still_has_somewhere_to_wait() -> None:
    """Who knocks at a full room waits; the leader may make a place."""
    rooms = class_rooms(classroom(seats=2))
    enter(rooms, "l", "leader")
    enter(rooms, "m")
    rooms.receive("l", SetDocument(BOARD, 0, {"locked": True}), NOW)
    enter(rooms, "late", source="x")
    assert roles(rooms)["late"] == "knocking"
