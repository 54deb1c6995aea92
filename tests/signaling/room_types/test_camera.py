"""The camera room: what each of its roles may do, and what it may not."""

import pytest

from signaling.room.deliveries import Delivery
from signaling.room.messages import (
    Answer,
    ClientMessage,
    Control,
    DocumentVersion,
    End,
    IceCandidate,
    Offer,
    PeerConnected,
    PeerInfo,
    Register,
    Registered,
    RoleChange,
    Say,
    SetDocument,
    State,
    Time,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.rooms import Rooms
from signaling.room_types.camera import camera
from tests.signaling.room.rooms_bed import NOW, join, open_rooms, refused, to

MESSAGES: list[ClientMessage] = [
    Offer(""),
    Answer(""),
    IceCandidate(None),
    Control({"restart": True}),
    Control({"zoom": 2}),
    Control({"restart": True, "zoom": 2}),
    Control({}),
    State({}),
    Say("chat", "x"),
    SetDocument("roles", 0, {}),
    DocumentVersion("roles", 1, {}, seal="x"),
    RoleChange(None, to="s"),
    RoleChange("sender", to="v"),
    RoleChange("receiver", to="v"),
    Time(1),
    End(),
]

OFFER, ANSWER, CANDIDATE, RESTART, ZOOM, BOTH, NONE, STATE = range(8)
HAND_BACK, TIME = 10, 14
ALLOWED = {
    "s": {OFFER, CANDIDATE, STATE},
    "r": {ANSWER, CANDIDATE, RESTART, ZOOM, BOTH, NONE},
    "v": {ANSWER, CANDIDATE, RESTART, NONE},
}
"""By their places in the list above. Besides, each may ask for the time and hand back a document,
which is passed over where the server was not started a moment ago."""


def everyone() -> Rooms:
    """One peer of each role."""
    rooms = open_rooms()
    for peer_id, role in (("s", "sender"), ("r", "receiver"), ("v", "viewer")):
        join(rooms, peer_id, role)
    return rooms


def named(message: ClientMessage, to_peer: str) -> ClientMessage:
    """The same message for one peer."""
    match message:
        case Offer(sdp):
            return Offer(sdp, to=to_peer)
        case IceCandidate(candidate):
            return IceCandidate(candidate, to=to_peer)
        case _:
            return message


@pytest.mark.parametrize("peer", ALLOWED)
@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_each_role_sends_what_it_may(peer: str, number: int) -> None:
    """Every message from every role: passed on, or refused with wrong-role."""
    rooms = everyone()
    message = named(MESSAGES[number], "r" if peer == "s" else "s")
    if number in ALLOWED[peer] | {HAND_BACK, TIME}:
        told = rooms.receive(peer, message, NOW)
        reached = {outcome.peer_id for outcome in told}
        if number == TIME:
            assert reached == {peer}
        elif number == HAND_BACK:
            assert reached == set()
        elif number == STATE:
            assert reached == {"r", "v"}
        else:
            assert reached == ({"r"} if peer == "s" else {"s"})
    else:
        assert refused(rooms, peer, message) == Code.WRONG_ROLE


def test_those_who_only_watch_are_met_by_those_who_send() -> None:
    """Each hears of the other, and the sending side makes the offers."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    told = join(rooms, "v", "viewer")
    assert to(told, "s") == [PeerConnected("viewer", "v", offers=True)]
    answer, met = to(told, "v")
    assert isinstance(answer, Registered)
    assert answer.peers == (PeerInfo("s", "sender"),)
    assert met == PeerConnected("sender", "s")


def test_those_who_watch_do_not_hear_of_each_other() -> None:
    """Neither of the same role nor of the other one, nor can they name one another."""
    rooms = everyone()
    told = join(rooms, "v2", "viewer")
    assert {outcome.peer_id for outcome in told} == {"v2", "s"}
    for peer, other in (("v", "r"), ("r", "v"), ("v", "v2"), ("v2", "v")):
        assert refused(rooms, peer, Control({"restart": True}, to=other)) == Code.UNKNOWN_TARGET


def test_only_a_receiver_is_given_links() -> None:
    """Those of a sender and a viewer. A viewer brings nobody in, and neither does a sender."""
    rooms = open_rooms()
    invites = {}
    others = {}
    for role in ("sender", "receiver", "viewer"):
        answer = to(join(rooms, role, role), role)[0]
        assert isinstance(answer, Registered)
        invites[role] = answer.invite
        others[role] = answer.invites
    assert invites["receiver"] is not None
    assert "/sender#" in invites["receiver"].url
    assert (invites["sender"], invites["viewer"]) == (None, None)
    assert list(others["receiver"] or ()) == ["viewer"]
    assert "/viewer#" in (others["receiver"] or {})["viewer"].url
    assert (others["sender"], others["viewer"]) == (None, None)


def test_a_viewer_gets_the_video_as_a_receiver_does() -> None:
    """Offer and answer, candidates both ways, and the state of the camera."""
    rooms = everyone()
    exchange: list[tuple[str, ClientMessage, str]] = [
        ("s", Offer("o", to="v"), "v"),
        ("v", Answer("a"), "s"),
        ("s", IceCandidate(None, to="v"), "v"),
        ("v", IceCandidate(None), "s"),
        ("v", Control({"restart": "again"}), "s"),
    ]
    for peer, message, reaches in exchange:
        (delivery,) = rooms.receive(peer, message, NOW)
        assert isinstance(delivery, Delivery)
        assert delivery.peer_id == reaches


def test_each_role_has_seats_of_its_own() -> None:
    """And all of them together fill the room."""
    kind = camera(senders=1, receivers=2, viewers=3)
    assert {name: role.seats for name, role in kind.roles.items()} == {
        "sender": 1,
        "receiver": 2,
        "viewer": 3,
    }
    assert kind.seats == 6
    rooms = open_rooms(senders=1, receivers=2, viewers=3)
    for role, seats in (("viewer", 3), ("receiver", 2), ("sender", 1)):
        for number in range(seats):
            join(rooms, f"{role}{number}", role)
        with pytest.raises(Refusal) as caught:
            rooms.register("late", Register(role), NOW)
        assert caught.value.code == Code.ROOM_FULL


def test_roles_do_not_change_and_nothing_is_remembered() -> None:
    """A camera room has no documents, not even that of its roles, and no words."""
    kind = camera(senders=1, receivers=1, viewers=1)
    assert not kind.changes_roles
    assert (kind.documents, kind.utterances, kind.code_hours) == ({}, {}, None)
    assert [type(m) for m in to(join(open_rooms(), "r", "receiver"), "r")] == [Registered]


def test_every_role_has_its_page_and_its_key() -> None:
    """A page for each, named as the role is."""
    kind = camera(senders=1, receivers=1, viewers=1)
    assert kind.pages == {f"/{name}": name for name in kind.roles}
    assert all(role.keyed for role in kind.roles.values())
