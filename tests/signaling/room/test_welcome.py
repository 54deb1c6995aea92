"""What a peer is given when it enters a room or comes back."""

import pytest

from signaling.room.deliveries import Delivery
from signaling.room.messages import Invite, PeerConnected, PeerInfo, Registered, Say, State
from signaling.room.room import Peer, Room
from signaling.room.seals import Ticket
from signaling.room.welcome import Welcome
from tests.signaling.room.class_bed import ROOM, SEALS, a_room, seat, with_role
from tests.signaling.room.imaginary import BOARD, CHAT
from turn.servers import Coturn, NoTurn, TurnServers


def welcome(
    turn: TurnServers | None = None, unix: float = 5000, limits: dict[str, float] | None = None
) -> Welcome:
    return Welcome(
        turn or NoTurn(),
        lambda: unix,
        lambda kind, role, room, origin: Invite(f"{origin} {kind.name} {role} {room}"),
        SEALS,
        limits or {},
    )


def a_pair() -> tuple[Room, Peer, Peer]:
    room = a_room()
    return room, seat(room, "a", "member", since=7), seat(room, "b", "member")


def test_the_answer_says_who_the_peer_is_and_who_is_there() -> None:
    """Role, id, room, the others with who offers, and a token to come back with."""
    _room, a, _b = a_pair()
    token = SEALS.token(Ticket("a", "member", 7), "classroom", ROOM, "member")
    assert welcome().registered(a, resumed=False) == Registered(
        "member", (), "a", ROOM, (PeerInfo("b", "member", offers=True),), resume=token
    )


def test_the_token_remembers_how_the_peer_came() -> None:
    """The role that it asked for and the one it was given then, whatever it has by now."""
    room = a_room()
    peer = seat(room, "a", "member", since=7)
    peer.given, peer.role = "knocking", room.type.roles["quiet"]
    token = welcome().registered(peer, resumed=True).resume
    assert token is not None
    ticket = SEALS.read_token(token, "classroom", ROOM, "member")
    assert ticket == Ticket("a", "knocking", 7)
    assert SEALS.read_token(token, "classroom", ROOM, "knocking") is None


def test_the_answer_says_whether_the_peer_has_come_back() -> None:
    """`resumed` is as the caller says."""
    _room, a, _b = a_pair()
    assert welcome().registered(a, resumed=True).resumed


def test_the_limits_are_told_where_there_are_any() -> None:
    """As they are, by name."""
    _room, a, _b = a_pair()
    told = {"resume": 45.0}
    assert welcome(limits=told).registered(a, resumed=False).limits == told
    assert welcome().registered(a, resumed=False).limits is None


def test_a_role_that_invites_is_given_a_link() -> None:
    """For each role that it invites, by the origin by which it came itself; others get none."""
    room = a_room(with_role("leader", invites=("member", "leader")))
    leader, member = seat(room, "l", "leader"), seat(room, "m", "member")
    leader.origin = "https://here"
    answer = welcome().registered(leader, resumed=False)
    assert answer.invite == Invite(f"https://here classroom member {ROOM}")
    assert answer.invites == {"leader": Invite(f"https://here classroom leader {ROOM}")}
    answer = welcome().registered(member, resumed=False)
    assert (answer.invite, answer.invites) == (None, None)


def test_credentials_are_renewed_after_half_their_life() -> None:
    """Those that do not expire are not."""
    _room, a, _b = a_pair()
    (server,) = welcome(Coturn(["turn:192.0.2.1"], "secret", 600)).ice_servers(a)
    assert (server["username"], a.refresh_at) == ("5600:a", 5300)
    assert welcome().ice_servers(a) == ()
    assert a.refresh_at is None


def test_a_peer_is_told_what_the_room_remembers() -> None:
    """Every document, then what was said after the number that it has, in order."""
    room, a, b = a_pair()
    board = room.documents.put(BOARD, {}, 1)
    said = [Say(CHAT, str(n), from_="b", n=room.history.next_number()) for n in range(3)]
    for words in said:
        room.history.keep(words, b.role.name)
    told = list(welcome().memory(a, 1))
    assert {outcome.peer_id for outcome in told} == {"a"}
    assert board in room.documents.all
    assert [outcome.message for outcome in told] == [*room.documents.all, *said[1:]]


@pytest.mark.parametrize(("role", "hears"), [("quiet", True), ("knocking", False)])
def test_a_peer_is_told_the_words_of_those_it_meets(role: str, hears: bool) -> None:
    """Nothing of what was said where it would not have heard it."""
    room, _a, b = a_pair()
    room.history.keep(Say(CHAT, "x", from_="b", n=room.history.next_number()), b.role.name)
    told = welcome().memory(seat(room, "n", role), 0)
    assert any(isinstance(outcome.message, Say) for outcome in told) is hears


def test_a_newcomer_is_told_of_those_who_are_here() -> None:
    """With what they show; one that is away is announced when it is back."""
    room, a, b = a_pair()
    c = seat(room, "c", "member")
    b.state, c.lost_at = {"hand": True}, 1.0
    assert list(welcome().present(a)) == [
        Delivery("a", PeerConnected("member", "b", offers=True)),
        Delivery("a", State({"hand": True}, from_="b")),
    ]


def test_who_comes_back_is_told_what_the_others_show() -> None:
    """Those who are away too; who shows nothing is left out."""
    room, a, b = a_pair()
    seat(room, "c", "member")
    b.state, b.lost_at = {"hand": True}, 1.0
    assert list(welcome().states(a)) == [Delivery("a", State({"hand": True}, from_="b"))]


def test_a_peer_is_not_told_the_words_of_its_own_role_where_those_do_not_meet() -> None:
    """What it said itself it is told; nothing that others of its role said."""
    room = a_room(with_role("member", meets=frozenset({"leader"})))
    for peer in ("a", "b"):
        seat(room, peer, "member")
        said = Say(CHAT, peer, from_=peer, n=room.history.next_number())
        room.history.keep(said, "member")
    told = [outcome.message for outcome in welcome().memory(room.peers["a"], 0)]
    assert [message.body for message in told if isinstance(message, Say)] == ["a"]
