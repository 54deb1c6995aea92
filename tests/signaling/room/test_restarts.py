"""What peers hand back to a server that was started again, in any order and with any intent."""

from signaling.room.changes import ROLES
from signaling.room.messages import RoleChange, SetDocument
from tests.signaling.room.class_bed import class_rooms, dismissed, enter, newest
from tests.signaling.room.imaginary import BOARD, classroom
from tests.signaling.room.rooms_bed import NOW
from tests.signaling.room.test_changes import a_class, classroom_token, facts, roles


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
