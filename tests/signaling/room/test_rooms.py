"""Rooms, without any socket: who is told what, who may say what, and who may come back."""

import dataclasses

import pytest

from signaling.room.deliveries import Delivery
from signaling.room.links import Links
from signaling.room.messages import (
    Answer,
    ClientMessage,
    Control,
    IceCandidate,
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
from signaling.room.refusal import Code, Refusal
from tests.signaling.room.class_bed import class_rooms, enter, kept_out
from tests.signaling.room.rooms_bed import (
    NOW,
    SECRET,
    Recording,
    a_pair,
    join,
    open_rooms,
    refused,
    to,
    token,
)
from turn.servers import Coturn


def test_a_sender_that_registers_is_answered() -> None:
    """`registered` carries role, id, room, the TURN configuration and a token to come back with; a
    sender gets no invite.
    """
    expected = Registered("sender", (), "s", "default", resume=token("s", "sender"))
    assert join(open_rooms(), "s", "sender") == [Delivery("s", expected)]


def test_a_receiver_is_given_the_link_for_a_phone() -> None:
    """A receiver gets the sender's link of its room, by the address at which it came itself."""
    (welcome,) = to(join(open_rooms(), "r", "receiver", "abc"), "r")
    assert isinstance(welcome, Registered)
    assert welcome.invite == Invite("https://here/sender#abc")


@pytest.mark.parametrize(("first", "second"), [("sender", "receiver"), ("receiver", "sender")])
def test_both_sides_are_told_of_each_other_whoever_came_first(first: str, second: str) -> None:
    """`peer-connected` goes to both, and to the newcomer after its `registered`."""
    rooms = open_rooms()
    assert [m.type for m in to(join(rooms, "a", first), "a")] == ["registered"]
    deliveries = join(rooms, "b", second)
    a_offers, b_offers = first == "sender", second == "sender"
    assert to(deliveries, "a") == [PeerConnected(second, "b", offers=a_offers)]
    welcome, met = to(deliveries, "b")
    assert isinstance(welcome, Registered)
    assert welcome.peers == (PeerInfo("a", first, offers=b_offers),)
    assert met == PeerConnected(first, "a", offers=b_offers)


def test_peers_of_the_same_role_do_not_meet() -> None:
    """Two receivers, or two senders, are not told of each other."""
    rooms = open_rooms()
    join(rooms, "r1", "receiver")
    deliveries = join(rooms, "r2", "receiver")
    assert to(deliveries, "r1") == []


def test_peers_of_other_rooms_do_not_meet() -> None:
    """What happens in a room stays in it."""
    rooms = open_rooms()
    join(rooms, "r1", "receiver", "one")
    assert to(join(rooms, "s", "sender", "two"), "r1") == []
    assert refused(rooms, "s", Offer("v=0", to="r1")) == Code.UNKNOWN_TARGET


@pytest.mark.parametrize(
    ("sender", "message", "receiver"),
    [
        ("s", Offer("v=0"), "r"),
        ("r", Answer("v=0"), "s"),
        ("s", IceCandidate(None), "r"),
        ("r", IceCandidate(None), "s"),
        ("r", Control({"preset": "hd"}), "s"),
        ("s", State({"status": "live"}), "r"),
    ],
)
def test_a_message_without_target_reaches_the_only_one_it_can_be_for(
    sender: str, message: Offer, receiver: str
) -> None:
    """With one sender and one receiver nobody needs to say `to`."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    expected = dataclasses.replace(message, from_=sender)
    assert rooms.receive(sender, message, NOW) == [Delivery(receiver, expected)]


def test_a_message_with_a_target_reaches_that_one_alone() -> None:
    """`to` names one of several; it is replaced by `from` on the way."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r1", "receiver")
    join(rooms, "r2", "receiver")
    assert rooms.receive("s", Offer("v=0", to="r2"), NOW) == [
        Delivery("r2", Offer("v=0", from_="s"))
    ]


def test_a_message_without_target_is_refused_where_several_could_be_meant() -> None:
    """Two receivers: an offer must say for which."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r1", "receiver")
    join(rooms, "r2", "receiver")
    assert refused(rooms, "s", Offer("v=0")) == Code.AMBIGUOUS_TARGET


def test_state_goes_to_every_receiver() -> None:
    """`state` without `to` is for all receivers."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r1", "receiver")
    join(rooms, "r2", "receiver")
    deliveries = rooms.receive("s", State({"status": "live"}), NOW)
    assert {d.peer_id for d in deliveries} == {"r1", "r2"}


@pytest.mark.parametrize(
    ("peer", "message", "code"),
    [
        ("s", Answer("v=0"), Code.WRONG_ROLE),
        ("s", Control({}), Code.WRONG_ROLE),
        ("r", Offer("v=0"), Code.WRONG_ROLE),
        ("r", State({}), Code.WRONG_ROLE),
        ("s", Offer("v=0", to="nobody"), Code.UNKNOWN_TARGET),
        ("s", Offer("v=0", to="s"), Code.UNKNOWN_TARGET),
        ("s", Register("sender"), Code.ALREADY_REGISTERED),
        ("x", Offer("v=0"), Code.NOT_REGISTERED),
        ("x", Register("boss"), Code.WRONG_ROLE),
        ("x", Register("sender", "No Room"), Code.BAD_KEY),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_code(
    peer: str, message: ClientMessage, code: Code
) -> None:
    """A refused message changes nothing and names its kind."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    before = rooms.counts()
    assert refused(rooms, peer, message) == code
    assert rooms.counts() == before


def test_an_offer_to_an_empty_room_is_refused() -> None:
    """With nobody there, the answer says so."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    assert refused(rooms, "s", Offer("v=0")) == Code.UNKNOWN_TARGET


def test_a_full_room_takes_no_more_of_that_role() -> None:
    """The limit is for each role; the other role still gets in."""
    rooms = open_rooms(senders=1, receivers=1)
    join(rooms, "s1", "sender")
    assert refused(rooms, "s2", Register("sender")) == Code.ROOM_FULL
    assert "s2" not in rooms
    assert join(rooms, "r1", "receiver")
    rooms.leave("s1", "left", NOW)
    assert join(rooms, "s2", "sender")


def test_a_full_server_opens_no_more_rooms() -> None:
    """The limit on rooms holds; rooms that are there still take peers."""
    rooms = open_rooms(max_rooms=1)
    join(rooms, "s", "sender", "one")
    assert refused(rooms, "x", Register("sender", "two")) == Code.SERVER_FULL
    assert join(rooms, "r", "receiver", "one")


def test_a_room_that_nobody_has_ever_entered_gives_way() -> None:
    """The oldest of them, where the server is full; one that somebody was in keeps its place."""
    rooms = class_rooms(max_rooms=3, opened=False)
    for code in ("used", "old", "new"):
        rooms.open(None, code, NOW)
    enter(rooms, "m", room="used")
    rooms.leave("m", "left", NOW)
    rooms.open(None, "newer", NOW)
    assert kept_out(rooms, room="old") == Code.NO_ROOM
    for number, code in enumerate(("used", "new", "newer")):
        assert enter(rooms, f"m{number}", room=code)
    with pytest.raises(Refusal) as caught:
        rooms.open(None, "newest", NOW)
    assert caught.value.code == Code.SERVER_FULL


def test_a_key_is_needed_where_access_is_by_key() -> None:
    """A wrong key, none, or one of another role does not open the room."""
    keys = Links(SECRET)
    rooms = open_rooms(keys=keys)
    for wrong in (None, "", "x", keys.key("abc", "receiver"), keys.key("abd", "sender")):
        assert refused(rooms, "s", Register("sender", "abc", wrong)) == Code.BAD_KEY
    assert refused(rooms, "s", Register("sender")) == Code.BAD_KEY
    assert rooms.register("s", Register("sender", "abc", keys.key("abc", "sender")), NOW)


def test_those_who_stay_are_told_who_left_and_why() -> None:
    """`peer-disconnected` carries role, id and reason."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    assert rooms.leave("s", "lost", NOW) == [Delivery("r", PeerDisconnected("sender", "s", "lost"))]
    assert rooms.leave("s", "lost", NOW) == []


def test_a_peer_that_left_may_come_back() -> None:
    """Leaving and joining again works as the first time."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    rooms.leave("s", "left", NOW)
    assert to(join(rooms, "s", "sender"), "r") == [PeerConnected("sender", "s")]


def test_fresh_turn_credentials_come_at_half_their_life() -> None:
    """`turn-config` is due long before the old credentials expire, and once for each half life."""
    unix = [5000.0]
    turn = Coturn(["turn:192.0.2.1"], "secret", 600)
    rooms = open_rooms(turn=turn, unix_time=lambda: unix[0])
    (welcome,) = to(join(rooms, "s", "sender"), "s")
    assert isinstance(welcome, Registered)
    assert welcome.ice_servers[0]["username"] == "5600:s"
    unix[0] = 5299
    assert rooms.tick(NOW) == []
    unix[0] = 5300
    (fresh,) = to(rooms.tick(NOW), "s")
    assert isinstance(fresh, TurnConfig)
    assert fresh.ice_servers[0]["username"] == "5900:s"
    unix[0] = 5301
    assert rooms.tick(NOW) == []


def test_servers_that_do_not_expire_are_not_sent_again() -> None:
    """Without expiry there is no `turn-config`."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    assert rooms.tick(NOW + 1e9) == []


def test_the_credentials_of_a_peer_that_left_are_revoked() -> None:
    """Whoever issues credentials is told when their peer is gone."""
    turn = Recording()
    rooms = a_pair(turn)
    rooms.leave("s", "left", NOW)
    assert turn.revoked == ["s"]


def test_turn_credentials_never_run_out_in_a_running_session() -> None:
    """With a tick every 5 s whoever stays always holds credentials with time left."""
    unix = [5000.0]
    rooms = open_rooms(turn=Coturn(["turn:192.0.2.1"], "secret", 60), unix_time=lambda: unix[0])
    (welcome,) = to(join(rooms, "s", "sender"), "s")
    assert isinstance(welcome, Registered)
    held = welcome.ice_servers
    for unix[0] in range(5000, 6000, 5):
        for message in to(rooms.tick(NOW), "s"):
            assert isinstance(message, TurnConfig)
            held = message.ice_servers
        expires = int(held[0]["username"].partition(":")[0])
        assert expires - unix[0] >= 60 / 2 - 5


def test_candidates_are_limited_for_each_offer_or_answer() -> None:
    """Past the limit each one is refused; the next offer or answer allows as many again."""
    rooms = a_pair()
    for peer, description in (("s", Offer("v=0")), ("r", Answer("v=0"))):
        for _ in range(2):
            rooms.receive(peer, description, NOW)
            for _ in range(3):
                assert rooms.receive(peer, IceCandidate(None), NOW)
            assert refused(rooms, peer, IceCandidate(None)) == Code.TOO_MANY_CANDIDATES


def test_the_candidates_of_one_peer_do_not_count_for_another() -> None:
    """Each has its own limit, and a refused one is not counted."""
    rooms = a_pair()
    assert refused(rooms, "s", IceCandidate(None, to="nobody")) == Code.UNKNOWN_TARGET
    for peer in ("s", "r"):
        for _ in range(3):
            assert rooms.receive(peer, IceCandidate(None), NOW)


def test_a_state_that_is_too_long_is_not_kept() -> None:
    """Everyone who is there gets it; those who come later are not sent hundreds of kilobytes."""
    rooms = a_pair()
    for length, kept in ((4000, True), (5000, False)):
        state = State({"x": "y" * length})
        assert to(rooms.receive("s", state, NOW), "r") == [dataclasses.replace(state, from_="s")]
        late = to(join(rooms, f"late{length}", "receiver"), f"late{length}")
        assert any(isinstance(message, State) for message in late) is kept
