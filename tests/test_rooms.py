"""Rooms, without any socket: who is told what, who may say what, and that nothing is left over."""

import dataclasses
from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from signaling.errors import Code, Refusal
from signaling.links import Links
from signaling.protocol import (
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
    ServerMessage,
    State,
    TurnConfig,
)
from signaling.rooms import Delivery, Rooms
from turn.servers import Coturn, NoTurn, TurnServers

NOW = 1_000_000.0


def invite(room: str, origin: str) -> Invite:
    return Invite(f"{origin}/sender#{room}", "<svg/>")


def open_rooms(
    *, max_rooms: int = 10, senders: int = 8, receivers: int = 8, turn: TurnServers | None = None
) -> Rooms:
    capacity = {"sender": senders, "receiver": receivers}
    return Rooms(
        max_rooms=max_rooms,
        capacity=capacity,
        keys=None,
        turn=turn or NoTurn(),
        invite=invite,
    )


def join(rooms: Rooms, peer_id: str, role: str, room: str | None = None) -> list[Delivery]:
    return rooms.receive(peer_id, Register(role, room), NOW, origin="https://here")


def refused(rooms: Rooms, peer_id: str, message: ClientMessage) -> Code:
    with pytest.raises(Refusal) as caught:
        rooms.receive(peer_id, message, NOW)
    return caught.value.code


def to(deliveries: list[Delivery], peer_id: str) -> list[ServerMessage]:
    return [d.message for d in deliveries if d.peer_id == peer_id]


def test_a_sender_that_registers_is_answered() -> None:
    """`registered` carries role, id, room and the TURN configuration; a sender gets no invite."""
    deliveries = join(open_rooms(), "s", "sender")
    assert deliveries == [Delivery("s", Registered("sender", (), "s", "default"))]


def test_a_receiver_is_given_the_link_for_a_phone() -> None:
    """A receiver gets the sender's link of its room, by the address at which it came itself."""
    (welcome,) = to(join(open_rooms(), "r", "receiver", "abc"), "r")
    assert isinstance(welcome, Registered)
    assert welcome.invite == Invite("https://here/sender#abc", "<svg/>")


@pytest.mark.parametrize(("first", "second"), [("sender", "receiver"), ("receiver", "sender")])
def test_both_sides_are_told_of_each_other_whoever_came_first(first: str, second: str) -> None:
    """`peer-connected` goes to both, and to the newcomer after its `registered`."""
    rooms = open_rooms()
    assert [d.message.type for d in join(rooms, "a", first)] == ["registered"]
    deliveries = join(rooms, "b", second)
    assert to(deliveries, "a") == [PeerConnected(second, "b")]
    welcome, met = to(deliveries, "b")
    assert isinstance(welcome, Registered)
    assert welcome.peers == (PeerInfo("a", first),)
    assert met == PeerConnected(first, "a")


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
    rooms.leave("s1", "left")
    assert join(rooms, "s2", "sender")


def test_a_full_server_opens_no_more_rooms() -> None:
    """The limit on rooms holds; rooms that are there still take peers."""
    rooms = open_rooms(max_rooms=1)
    join(rooms, "s", "sender", "one")
    assert refused(rooms, "x", Register("sender", "two")) == Code.SERVER_FULL
    assert join(rooms, "r", "receiver", "one")


def test_a_key_is_needed_where_access_is_by_key() -> None:
    """A wrong key, none, or one of another role does not open the room."""
    keys = Links(b"s" * 32)
    rooms = Rooms(
        max_rooms=1, capacity={"sender": 1, "receiver": 1}, keys=keys, turn=NoTurn(), invite=invite
    )
    for wrong in (None, "", "x", keys.key("abc", "receiver"), keys.key("abd", "sender")):
        assert refused(rooms, "s", Register("sender", "abc", wrong)) == Code.BAD_KEY
    assert refused(rooms, "s", Register("sender")) == Code.BAD_KEY
    assert rooms.receive("s", Register("sender", "abc", keys.key("abc", "sender")), NOW)


def test_those_who_stay_are_told_who_left_and_why() -> None:
    """`peer-disconnected` carries role, id and reason."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    assert rooms.leave("s", "lost") == [Delivery("r", PeerDisconnected("sender", "s", "lost"))]
    assert rooms.leave("s", "lost") == []


def test_a_peer_that_left_may_come_back() -> None:
    """Leaving and joining again works as the first time."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    rooms.leave("s", "left")
    assert to(join(rooms, "s", "sender"), "r") == [PeerConnected("sender", "s")]


def test_fresh_turn_credentials_come_at_half_their_life() -> None:
    """`turn-config` is due long before the old credentials expire, and once for each half life."""
    rooms = open_rooms(turn=Coturn(["turn:192.0.2.1"], "secret", 600))
    (welcome,) = to(join(rooms, "s", "sender"), "s")
    assert isinstance(welcome, Registered)
    assert welcome.ice_servers[0]["username"] == f"{NOW + 600:.0f}:s"
    assert rooms.tick(NOW + 299) == []
    (delivery,) = rooms.tick(NOW + 300)
    assert isinstance(delivery.message, TurnConfig)
    assert delivery.message.ice_servers[0]["username"] == f"{NOW + 900:.0f}:s"
    assert rooms.tick(NOW + 301) == []


def test_servers_that_do_not_expire_are_not_sent_again() -> None:
    """Without expiry there is no `turn-config`."""
    rooms = open_rooms()
    join(rooms, "s", "sender")
    assert rooms.tick(NOW + 1e9) == []


def test_the_credentials_of_a_peer_that_left_are_revoked() -> None:
    """Whoever issues credentials is told when their peer is gone."""

    class Recording(NoTurn):
        def __init__(self) -> None:
            self.revoked: list[str] = []

        def revoke(self, peer_id: str) -> None:
            self.revoked.append(peer_id)

    turn = Recording()
    rooms = open_rooms(turn=turn)
    join(rooms, "s", "sender")
    rooms.leave("s", "left")
    assert turn.revoked == ["s"]


class RoomsMachine(RuleBasedStateMachine):
    """Random joins, messages and drops, against a model that is a dictionary."""

    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.rooms = open_rooms(max_rooms=2, senders=2, receivers=2)
        self.model: dict[str, tuple[str, str]] = {}
        self.count = 0

    @rule(
        target=peers,
        role=st.sampled_from(["sender", "receiver"]),
        room=st.sampled_from(["one", "two", "three"]),
    )
    def join(self, role: str, room: str) -> str:
        self.count += 1
        peer_id = f"p{self.count}"
        try:
            deliveries = self.rooms.receive(peer_id, Register(role, room), NOW)
        except Refusal:
            rooms = {there for there, _role in self.model.values()}
            full = list(self.model.values()).count((room, role)) == 2
            assert full or (room not in rooms and len(rooms) == 2)
            return peer_id
        self.model[peer_id] = (room, role)
        self.check_confined(deliveries, room)
        return peer_id

    @rule(peer=peers, target_peer=peers | st.none(), kind=st.integers(0, 4))
    def send(self, peer: str, target_peer: str | None, kind: int) -> None:
        message = (
            Offer("v=0", to=target_peer),
            Answer("v=0", to=target_peer),
            IceCandidate(None, to=target_peer),
            Control({}, to=target_peer),
            State({}, to=target_peer),
        )[kind]
        try:
            deliveries = self.rooms.receive(peer, message, NOW)
        except Refusal:
            return
        room, role = self.model[peer]
        self.check_confined(deliveries, room)
        for delivery in deliveries:
            assert self.model[delivery.peer_id][1] != role
            assert getattr(delivery.message, "from_", None) == peer

    @rule(peer=consumes(peers))
    def leave(self, peer: str) -> None:
        deliveries = self.rooms.leave(peer, "left")
        room, _role = self.model.pop(peer, ("", ""))
        self.check_confined(deliveries, room)

    def check_confined(self, deliveries: list[Delivery], room: str) -> None:
        assert all(self.model[d.peer_id][0] == room for d in deliveries)

    @invariant()
    def counts_are_the_model_s(self) -> None:
        counts = self.rooms.counts()
        roles: dict[str, int] = defaultdict(int)
        for _room, role in self.model.values():
            roles[role] += 1
        assert counts.peers == len(self.model)
        assert counts.rooms == len({room for room, _role in self.model.values()})
        assert {k: v for k, v in counts.by_role.items() if v} == dict(roles)

    def teardown(self) -> None:
        for peer in list(self.model):
            self.rooms.leave(peer, "left")
        # White box on purpose: no residue means that nothing is kept, counted or not.
        assert not self.rooms._rooms
        assert not self.rooms._peers


RoomsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_random_sequences_leave_no_residue = RoomsMachine.TestCase
