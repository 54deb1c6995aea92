"""Peers that are cut off, and come back: what rooms make of them."""

import pytest

from signaling.room.deliveries import Delivery
from signaling.room.links import Links
from signaling.room.messages import (
    Invite,
    Offer,
    PeerConnected,
    PeerDisconnected,
    PeerInfo,
    Register,
    Registered,
    State,
    TurnConfig,
)
from signaling.room.refusal import Code
from tests.signaling.room.rooms_bed import (
    LONG_AGO,
    NOW,
    SECRET,
    Recording,
    a_pair,
    join,
    open_rooms,
    refused,
    resume,
    to,
    token,
)
from turn.servers import Coturn


def test_the_credentials_of_a_peer_that_is_away_stay_valid() -> None:
    """Its media goes on by the relay; they are taken back once it is lost, not before."""
    turn = Recording()
    rooms = a_pair(turn)
    rooms.drop("s", NOW)
    rooms.tick(NOW + 44)
    assert turn.revoked == []
    rooms.tick(NOW + 45)
    assert turn.revoked == ["s"]


def test_coming_back_revokes_nothing() -> None:
    """The old credentials serve allocations that the peer still has."""
    turn = Recording()
    rooms = a_pair(turn)
    rooms.drop("s", NOW)
    resume(rooms, "x", "sender", token("s", "sender"), NOW + 1)
    rooms.tick(NOW + 1000)
    assert turn.revoked == []


def test_the_others_are_told_that_a_peer_is_away() -> None:
    """A peer that was cut off is `away`, is still counted, and is so once."""
    rooms = a_pair()
    assert rooms.drop("s", NOW) == [Delivery("r", PeerDisconnected("sender", "s", "away"))]
    assert rooms.drop("s", NOW + 1) == []
    assert rooms.drop("nobody", NOW) == []
    assert rooms.counts().by_role == {"sender": 1, "receiver": 1, "viewer": 0}


def test_a_peer_comes_back_with_its_id() -> None:
    """The others are told that it is there again; it learns who else is."""
    rooms = a_pair()
    rooms.drop("s", NOW)
    answer, told = resume(rooms, "x", "sender", token("s", "sender"), NOW + 44)
    assert answer == Registered(
        "sender",
        (),
        "s",
        "default",
        (PeerInfo("r", "receiver", offers=True),),
        resume=token("s", "sender"),
        resumed=True,
    )
    assert told == [Delivery("r", PeerConnected("sender", "s"), known=True)]
    assert "x" not in rooms
    assert rooms.tick(NOW + 1000) == []


def test_a_peer_that_is_still_there_comes_back_unnoticed() -> None:
    """By a newer connection it is the same peer, and nobody hears of it."""
    rooms = a_pair()
    answer, told = resume(rooms, "x", "sender", token("s", "sender"))
    assert (answer.id, answer.resumed, told) == ("s", True, [])


def test_a_peer_that_does_not_come_back_is_lost() -> None:
    """When its time is up the others are told, its seat is free and its token gives a new id."""
    rooms = a_pair()
    rooms.drop("s", NOW)
    assert rooms.tick(NOW + 44.9) == []
    assert rooms.tick(NOW + 45) == [Delivery("r", PeerDisconnected("sender", "s", "lost"))]
    assert rooms.counts().by_role == {"sender": 0, "receiver": 1, "viewer": 0}
    answer, told = resume(rooms, "x", "sender", token("s", "sender"), NOW + 46)
    assert (answer.id, answer.resumed) == ("x", False)
    assert told == [
        Delivery("x", PeerConnected("receiver", "r", offers=True)),
        Delivery("r", PeerConnected("sender", "x")),
    ]


def test_each_time_away_has_its_own_end() -> None:
    """Who came back and is cut off again has all of its time once more."""
    rooms = a_pair()
    rooms.drop("s", NOW)
    resume(rooms, "x", "sender", token("s", "sender"), NOW + 40)
    rooms.drop("s", NOW + 41)
    assert rooms.tick(NOW + 85) == []
    assert rooms.tick(NOW + 86) != []


def test_peers_lost_at_once_leave_nothing() -> None:
    """Nobody is told of anybody where all are gone."""
    rooms = a_pair()
    rooms.drop("s", NOW)
    rooms.drop("r", NOW)
    assert rooms.tick(NOW + 45) == []
    assert rooms.counts().peers == 0


@pytest.mark.parametrize(
    "bad",
    [
        token("s", "sender", secret=b"t" * 32),
        token("s", "sender", "other"),
        token("s", "receiver"),
        token("s", "sender")[:-1],
        "",
        "x",
    ],
    ids=["another server", "another room", "another role", "damaged", "empty", "no token"],
)
@pytest.mark.parametrize("started", [LONG_AGO, NOW], ids=["old process", "new process"])
def test_a_token_that_is_not_good_gives_a_plain_registration(bad: str, started: float) -> None:
    """It is never refused because of the token; it just is another peer."""
    rooms = open_rooms(started=started)
    join(rooms, "s", "sender")
    rooms.drop("s", NOW)
    answer, _told = resume(rooms, "x", "sender", bad)
    assert (answer.id, answer.resumed) == ("x", False)


def test_a_token_does_not_stand_in_for_the_key() -> None:
    """Coming back needs the link's key as coming does."""
    keys = Links(SECRET)
    rooms = open_rooms(keys=keys)
    rooms.register("s", Register("sender", "abc", keys.key("abc", "sender")), NOW)
    rooms.drop("s", NOW)
    message = Register("sender", "abc", "wrong", resume=token("s", "sender", "abc"))
    assert refused(rooms, "x", message) == Code.BAD_KEY


def test_a_registered_peer_cannot_become_another_one() -> None:
    """A second `register` is refused, with a good token too."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "t", "sender")
    rooms.drop("s", NOW)
    message = Register("sender", resume=token("s", "sender"))
    assert refused(rooms, "t", message) == Code.ALREADY_REGISTERED


def test_a_new_process_takes_the_peers_of_the_one_before() -> None:
    """For as long as they could come back to that one, they keep their ids here."""
    rooms = open_rooms(started=NOW)
    join(rooms, "r", "receiver")
    answer, told = resume(rooms, "x", "sender", token("s", "sender"), NOW + 44.9)
    assert (answer.id, answer.resumed) == ("s", True)
    assert told == [
        Delivery("s", PeerConnected("receiver", "r", offers=True)),
        Delivery("r", PeerConnected("sender", "s")),
    ]
    late, _told = resume(rooms, "y", "sender", token("t", "sender"), NOW + 45)
    assert (late.id, late.resumed) == ("y", False)


def test_a_new_process_keeps_its_limits_for_those_who_come_back() -> None:
    """An id from before needs a free seat like any other."""
    rooms = open_rooms(started=NOW, senders=1)
    join(rooms, "other", "sender")
    message = Register("sender", resume=token("s", "sender"))
    assert refused(rooms, "x", message) == Code.ROOM_FULL


@pytest.mark.parametrize("reason", ["left", "lost"])
def test_who_is_gone_for_good_does_not_come_back(reason: str) -> None:
    """In a new process too: an id that has gone from here is not one of the process before."""
    rooms = open_rooms(started=NOW)
    join(rooms, "s", "sender")
    rooms.leave("s", reason, NOW)
    answer, _told = resume(rooms, "x", "sender", token("s", "sender"), NOW + 1)
    assert (answer.id, answer.resumed) == ("x", False)


def test_a_peer_that_is_away_keeps_its_seat() -> None:
    """Nobody takes its place, nor that of its room, until its time is up."""
    rooms = open_rooms(max_rooms=1, senders=1)
    join(rooms, "s", "sender", "one")
    rooms.drop("s", NOW)
    assert refused(rooms, "x", Register("sender", "one")) == Code.ROOM_FULL
    assert refused(rooms, "x", Register("sender", "two")) == Code.SERVER_FULL
    rooms.tick(NOW + 45)
    assert join(rooms, "x", "sender", "two")


def test_a_newcomer_sees_who_is_away_and_meets_them_when_they_are_back() -> None:
    """`peers` says so; `peer-connected` comes when there is somebody to connect to."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    rooms.drop("s", NOW)
    told = join(rooms, "r", "receiver")
    (answer,) = to(told, "r")
    assert isinstance(answer, Registered)
    assert answer.peers == (PeerInfo("s", "sender", away=True),)
    assert to(told, "s") == [PeerConnected("receiver", "r", offers=True)]
    _answer, told = resume(rooms, "x", "sender", token("s", "sender"))
    assert told == [Delivery("r", PeerConnected("sender", "s"))]


def test_a_message_for_a_peer_that_is_away_is_for_it_still() -> None:
    """Named, as one of all, or as the only one that can be meant."""
    rooms = a_pair()
    rooms.drop("r", NOW)
    for message in (Offer("v=0", to="r"), Offer("v=0"), State({})):
        (delivery,) = rooms.receive("s", message, NOW)
        assert delivery.peer_id == "r"


def test_a_message_without_target_is_for_who_is_there_first() -> None:
    """One that is away is not meant where another one is there: it may never come back."""
    rooms = a_pair()
    rooms.drop("r", NOW)
    join(rooms, "r2", "receiver")
    (delivery,) = rooms.receive("s", Offer("v=0"), NOW)
    assert delivery.peer_id == "r2"


def test_coming_back_brings_fresh_turn_credentials() -> None:
    """From then on their half life counts; while a peer is away none are made for it."""
    unix = [5000.0]
    rooms = a_pair(Coturn(["turn:192.0.2.1"], "secret", 60), lambda: unix[0])
    rooms.drop("s", NOW)
    unix[0] = 5040
    assert {delivery.peer_id for delivery in rooms.tick(NOW)} == {"r"}
    unix[0] = 5041
    answer, _told = resume(rooms, "x", "sender", token("s", "sender"))
    assert answer.ice_servers[0]["username"] == "5101:s"
    unix[0] = 5070.9
    assert to(rooms.tick(NOW), "s") == []
    unix[0] = 5071
    (fresh,) = to(rooms.tick(NOW), "s")
    assert isinstance(fresh, TurnConfig)


def test_a_clock_that_is_set_loses_nobody() -> None:
    """Seats are kept by a clock that never jumps, whatever the time of day becomes."""
    unix = [5000.0]
    rooms = a_pair(unix_time=lambda: unix[0])
    rooms.drop("s", NOW)
    unix[0] = 2e9
    assert rooms.tick(NOW + 44) == []
    assert "s" in rooms


def test_an_invite_is_made_for_the_address_of_the_new_connection() -> None:
    """Who comes back may come by another address."""
    rooms = a_pair()
    message = Register("receiver", resume=token("r", "receiver"))
    joined = rooms.register("x", message, NOW, origin="https://there")
    assert joined.registered.invite == Invite("https://there/sender#default")
