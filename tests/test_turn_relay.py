"""turn.relay: who reaches whom, for how long, how fast, and what garbage does: nothing."""

import secrets
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.turn_client import (
    Harness,
    Peer,
    channel,
    channel_data,
    code,
    data_indication,
    lifetime,
    request,
    send_indication,
    signed,
    transport,
)
from turn import stun
from turn.allocations import RELAY_HOST
from turn.limits import RelayLimits
from turn.stun import Attribute, Kind, Method

A = 0x4000
B = 0x4FFF


@pytest.fixture
def harness() -> Harness:
    """A relay with the default limits."""
    return Harness()


def pair(harness: Harness) -> tuple[Peer, Peer]:
    """Two peers that permit each other."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    harness.permit(ann, bob)
    harness.permit(bob, ann)
    ann.client.sent.clear()
    bob.client.sent.clear()
    return ann, bob


# The four ways


def test_indication_to_indication(harness: Harness) -> None:
    """Data sent by indication arrives as an indication that names the sender's relayed address."""
    ann, bob = pair(harness)
    for data in (b"", b"x", b"hello", bytes(1500)):
        harness.give(ann.client, send_indication(bob.port, data))
        assert data_indication(bob.client.take()) == (data, ann.port)


def test_channel_to_indication(harness: Harness) -> None:
    """Where the receiver has bound no channel, it gets an indication."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.give(ann.client, channel_data(A, b"hello"))
    assert data_indication(bob.client.take()) == (b"hello", ann.port)


def test_channel_to_channel(harness: Harness) -> None:
    """Where both have bound one, the number is the receiver's; padding is not passed on."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.bind(bob, B, ann)
    for padding in (b"", b"\0\0\0"):
        harness.give(ann.client, channel_data(A, b"hello") + padding)
        assert bob.client.take() == channel_data(B, b"hello")
    harness.give(bob.client, channel_data(B, b""))
    assert ann.client.take() == channel_data(A, b"")


def test_indication_to_channel(harness: Harness) -> None:
    """A receiver with a channel gets ChannelData, however it was sent."""
    ann, bob = pair(harness)
    harness.bind(bob, B, ann)
    harness.give(ann.client, send_indication(bob.port, b"hello"))
    assert bob.client.take() == channel_data(B, b"hello")


def test_a_channel_bound_later_is_used_at_once(harness: Harness) -> None:
    """Data on its way changes from indications to ChannelData with the binding."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.give(ann.client, channel_data(A, b"1"))
    bob.client.sent.clear()
    harness.bind(bob, B, ann)
    harness.give(ann.client, channel_data(A, b"2"))
    assert bob.client.take() == channel_data(B, b"2")


def test_figures(harness: Harness) -> None:
    """Packets and bytes are counted as relayed, without headers."""
    ann, bob = pair(harness)
    harness.give(ann.client, send_indication(bob.port, b"hello"))
    figures = harness.relay.figures()
    assert (figures["allocations"], figures["packets"], figures["bytes"]) == (2, 1, 5)


# Who reaches whom


@pytest.mark.parametrize("permitting", [(), ("ann",), ("bob",)])
def test_both_must_permit(harness: Harness, permitting: tuple[str, ...]) -> None:
    """One side's permission lets nothing through, in neither direction."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    if "ann" in permitting:
        harness.permit(ann, bob)
    if "bob" in permitting:
        harness.permit(bob, ann)
    harness.give(ann.client, send_indication(bob.port, b"x"))
    harness.give(bob.client, send_indication(ann.port, b"x"))
    assert ann.client.sent == bob.client.sent == []
    assert harness.figure("drops") == {"no permission": 2}


def test_a_guessed_port_is_of_no_use(harness: Harness) -> None:
    """Who permits and binds every port there is reaches nobody who did not name it."""
    ann, bob = pair(harness)
    eve = harness.allocated("eve")
    for number, victim in enumerate((ann, bob)):
        harness.bind(eve, A + number, victim)
        harness.give(eve.client, channel_data(A + number, b"x"))
        harness.give(eve.client, send_indication(victim.port, b"x"))
        harness.give(victim.client, send_indication(eve.port, b"x"))
    for client in (ann.client, bob.client):
        assert client.sent == []


def test_a_permission_is_for_all_addresses_of_a_peer(harness: Harness) -> None:
    """Firefox asks once for each IP address: what it names first opens to all of that peer's."""
    ann, _ = pair(harness)
    bob2 = harness.allocated("bob")
    harness.permit(bob2, ann)
    harness.give(bob2.client, send_indication(ann.port, b"x"))
    assert data_indication(ann.client.take()) == (b"x", bob2.port)
    harness.give(ann.client, send_indication(bob2.port, b"y"))
    assert data_indication(bob2.client.take()) == (b"y", ann.port)


def test_a_permission_outlives_the_address_it_named(harness: Harness) -> None:
    """When a peer gives one address up, its others stay permitted, also by a refresh."""
    ann, bob = pair(harness)
    bob2 = harness.allocated("bob")
    harness.permit(bob2, ann)
    harness.ask(bob, Method.REFRESH, [lifetime(0)])
    harness.now += 200
    harness.permit(ann, bob)
    harness.permit(bob2, ann)
    harness.now += 200
    harness.give(bob2.client, send_indication(ann.port, b"x"))
    assert data_indication(ann.client.take()) == (b"x", bob2.port)


def test_a_later_owner_of_a_port_is_not_permitted(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A permission is for the peer that had the port when it was asked for."""
    ann, bob = pair(harness)
    harness.ask(bob, Method.REFRESH, [lifetime(0)])
    monkeypatch.setattr(secrets, "randbelow", lambda _: bob.port - 1024)
    eve = harness.allocated("eve")
    assert eve.port == bob.port
    harness.permit(ann, eve)
    harness.permit(eve, ann)
    harness.give(eve.client, send_indication(ann.port, b"x"))
    assert ann.client.sent == []


def test_a_peer_that_has_its_port_again(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that led nowhere leads there again as soon as the same peer is back."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.ask(bob, Method.REFRESH, [lifetime(0)])
    harness.give(ann.client, channel_data(A, b"lost"))
    bob2 = harness.allocated("bob")
    harness.permit(bob2, ann)
    harness.give(ann.client, channel_data(A, b"lost"))
    monkeypatch.setattr(secrets, "randbelow", lambda _: bob.port - 1024)
    harness.allocate(bob)
    bob.client.sent.clear()
    harness.permit(bob, ann)
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, b"x"))
    assert data_indication(bob.client.take()) == (b"x", ann.port)


def test_a_stranger_can_send_nothing(harness: Harness) -> None:
    """Without an allocation data goes nowhere."""
    ann, _ = pair(harness)
    stranger = harness.stranger()
    harness.give(stranger, send_indication(ann.port, b"x"))
    harness.give(stranger, channel_data(A, b"x"))
    assert ann.client.sent == stranger.sent == []
    assert harness.figure("drops") == {"no allocation": 2}


@pytest.mark.parametrize("ending", ["revoke", "forget", "refresh"])
def test_a_way_ends_with_either_allocation(harness: Harness, ending: str) -> None:
    """Whichever way the target goes, and though the way was in use, nothing arrives any more."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.bind(bob, B, ann)
    harness.give(ann.client, channel_data(A, b"1"))
    assert bob.client.take()
    if ending == "revoke":
        harness.relay.revoke("bob")
    elif ending == "forget":
        harness.relay.forget(bob.client)
    else:
        harness.ask(bob, Method.REFRESH, [lifetime(0)])
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, b"2"))
    harness.give(bob.client, channel_data(B, b"3"))
    assert bob.client.sent == ann.client.sent == []


def test_send_indication_with_an_unknown_attribute(harness: Harness) -> None:
    """It is dropped, as is one without an address or without data."""
    ann, bob = pair(harness)
    harness.give(ann.client, send_indication(bob.port, b"x", (0x7FFF, b"")))
    harness.give(ann.client, send_indication(bob.port, b"x", (Attribute.DONT_FRAGMENT, b"")))
    peer = (Attribute.XOR_PEER_ADDRESS, stun.xor_address(RELAY_HOST, bob.port, bytes(12)))
    for attributes in ([], [peer], [(Attribute.DATA, b"x")]):
        harness.give(ann.client, stun.encode(Method.SEND, Kind.INDICATION, bytes(12), attributes))
    assert ann.client.sent == bob.client.sent == []


@pytest.mark.parametrize(
    "data", [b"\x40", b"\x40\0\0", b"\x40\0\0\2x", b"\x40\1\0\0", b"\x7f\xff\0\0", b""]
)
def test_malformed_channel_data(harness: Harness, data: bytes) -> None:
    """Cut, or for a channel that is not bound: dropped and counted."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    ann.client.sent.clear()
    harness.give(ann.client, data)
    assert ann.client.sent == bob.client.sent == []
    assert sum(harness.figure("drops").values()) == 1


def test_the_largest_channel_data(harness: Harness) -> None:
    """What fits in no datagram is dropped, whatever the receiver has bound."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.give(ann.client, channel_data(A, bytes(65535)))
    harness.give(ann.client, send_indication(bob.port, bytes(65490)))
    harness.bind(bob, B, ann)
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, bytes(65535)))
    assert bob.client.sent == []
    harness.give(ann.client, channel_data(A, bytes(65000)))
    assert bob.client.take() == channel_data(B, bytes(65000))


# For how long


def refreshed(harness: Harness, *peers: Peer) -> None:
    """Make the allocations last, and nothing else."""
    for peer in peers:
        harness.renew_nonce(peer)
        assert code(harness.ask(peer, Method.REFRESH, [lifetime(3600)])) == 0


def test_an_allocation_ends(harness: Harness) -> None:
    """At its lifetime, without a sweep; data and requests find it gone."""
    ann, bob = pair(harness)
    refreshed(harness, bob)
    harness.bind(ann, A, bob)
    harness.bind(bob, B, ann)
    harness.now += 290
    for peer in (ann, bob):
        harness.permit(peer, bob if peer is ann else ann)
    harness.now += 290
    for peer in (ann, bob):
        harness.permit(peer, bob if peer is ann else ann)
    harness.now += 19
    ann.client.sent.clear()
    harness.give(bob.client, channel_data(B, b"1"))
    assert ann.client.take() == channel_data(A, b"1")
    harness.now += 1
    harness.give(bob.client, channel_data(B, b"2"))
    harness.give(ann.client, channel_data(A, b"3"))
    harness.give(ann.client, send_indication(bob.port, b"4"))
    assert ann.client.sent == []
    harness.relay.sweep(harness.now)
    assert harness.figure("allocations") == 1
    assert ann.client.allocation is None
    harness.renew_nonce(ann)
    assert code(harness.ask(ann, Method.REFRESH)) == 437


@pytest.mark.parametrize("expiring", ["ann", "bob"])
def test_a_permission_ends(harness: Harness, expiring: str) -> None:
    """After 300 s, on either side and for channels too, unless it was refreshed."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    refreshed(harness, ann, bob)
    harness.now += 150
    keeps = (bob, ann) if expiring == "ann" else (ann, bob)
    harness.permit(*keeps)
    harness.now += 149
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, b"1"))
    harness.give(ann.client, send_indication(bob.port, b"2"))
    assert len(bob.client.sent) == 2
    harness.now += 1
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, b"3"))
    harness.give(ann.client, send_indication(bob.port, b"4"))
    assert bob.client.sent == []


def test_a_channel_ends(harness: Harness) -> None:
    """After 600 s: the sender's leads nowhere, and the receiver gets indications again."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.bind(bob, B, ann)
    refreshed(harness, ann, bob)
    harness.now += 599
    for peer, other in ((ann, bob), (bob, ann)):
        harness.renew_nonce(peer)
        harness.permit(peer, other)
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, b"1"))
    assert bob.client.take() == channel_data(B, b"1")
    harness.now += 1
    harness.give(ann.client, channel_data(A, b"2"))
    assert bob.client.sent == []
    harness.give(ann.client, send_indication(bob.port, b"3"))
    assert data_indication(bob.client.take()) == (b"3", ann.port)


def test_only_the_receiver_s_channel_ends(harness: Harness) -> None:
    """A way in use goes over to indications when the receiver's binding is over."""
    ann, bob = pair(harness)
    harness.bind(bob, B, ann)
    harness.now += 300
    refreshed(harness, ann, bob)
    harness.bind(ann, A, bob)
    harness.permit(bob, ann)
    harness.now += 299
    harness.permit(ann, bob)
    harness.permit(bob, ann)
    bob.client.sent.clear()
    harness.give(ann.client, channel_data(A, b"1"))
    assert bob.client.take() == channel_data(B, b"1")
    harness.now += 1
    harness.give(ann.client, channel_data(A, b"2"))
    assert data_indication(bob.client.take()) == (b"2", ann.port)


def test_shorter_lifetimes() -> None:
    """The limits say how long each thing lasts."""
    harness = Harness(RelayLimits(default_lifetime=2, permission_lifetime=1))
    ann, bob = pair(harness)
    harness.now += 1
    harness.give(ann.client, send_indication(bob.port, b"x"))
    assert bob.client.sent == []
    harness.now += 1
    harness.relay.sweep(harness.now)
    assert harness.figure("allocations") == 0


# How fast


def test_rate() -> None:
    """A peer sends so many bytes in a second, over all its allocations; others are not affected."""
    harness = Harness(RelayLimits(bytes_per_second=10_000))
    ann, bob = pair(harness)
    ann2 = harness.allocated("ann")
    harness.permit(ann2, bob)
    harness.bind(ann, A, bob)
    bob.client.sent.clear()
    ann.client.sent.clear()
    for _ in range(6):
        harness.give(ann.client, channel_data(A, bytes(996)))
        harness.give(ann2.client, send_indication(bob.port, bytes(996)))
    assert len(bob.client.sent) == 10
    assert harness.figure("drops") == {"rate": 2}
    harness.give(bob.client, send_indication(ann.port, b"x"))
    assert len(ann.client.sent) == 1
    harness.now += 0.5
    for _ in range(6):
        harness.give(ann.client, channel_data(A, bytes(996)))
    assert len(bob.client.sent) == 15
    harness.now += 100
    for _ in range(12):
        harness.give(ann.client, channel_data(A, bytes(996)))
    assert len(bob.client.sent) == 25


def test_a_slow_receiver(harness: Harness) -> None:
    """What its client cannot take is dropped and counted, data and answers alike."""
    ann, bob = pair(harness)
    bob.client.is_slow = True
    harness.give(ann.client, send_indication(bob.port, b"x"))
    harness.give(bob.client, request(Method.BINDING))
    assert harness.figure("drops") == {"slow": 2}
    assert harness.figure("packets") == 0


# Garbage


def state(harness: Harness) -> Any:
    """All that garbage must not change."""
    table = harness.relay._table
    return [
        (a.port, a.expires, dict(a.permissions), {n: c.port for n, c in a.channels.items()})
        for a in table._by_port.values()
    ]


def busy() -> tuple[Harness, Peer, Peer]:
    """A relay in use."""
    harness = Harness()
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.bind(bob, B, ann)
    ann.client.sent.clear()
    bob.client.sent.clear()
    return harness, ann, bob


GARBAGE = st.one_of(
    st.binary(max_size=100),
    st.binary(max_size=60).map(lambda tail: bytes(4) + stun.MAGIC_COOKIE + tail),
    st.builds(lambda head, tail: head + tail, st.sampled_from([b"\x40\0", b"\x4f"]), st.binary()),
)


@settings(deadline=None)
@given(st.lists(GARBAGE, max_size=10))
def test_random_bytes(packets: list[bytes]) -> None:
    """Random bytes raise nothing, change nothing, and are answered only if they are a request."""
    harness, ann, _ = busy()
    stranger = harness.stranger()
    before = state(harness)
    for packet in packets:
        for client in (stranger, ann.client):
            client.sent.clear()
            harness.give(client, packet)
            message = stun.parse(packet)
            assert not client.sent or (message is not None and message.kind == Kind.REQUEST)
    assert state(harness) == before


VALID = st.sampled_from(["allocate", "refresh", "permit", "bind", "send", "channel"])


def packet_of(kind: str, ann: Peer, bob: Peer) -> bytes:
    """One good packet of each sort."""
    transaction = bytes(12)
    peer = (Attribute.XOR_PEER_ADDRESS, stun.xor_address(RELAY_HOST, bob.port, transaction))
    match kind:
        case "allocate":
            return signed(ann, Method.ALLOCATE, [transport()])
        case "refresh":
            return signed(ann, Method.REFRESH, [lifetime(3600)])
        case "permit":
            return signed(ann, Method.CREATE_PERMISSION, [peer], transaction=transaction)
        case "bind":
            numbered = [channel(0x4001), peer]
            return signed(ann, Method.CHANNEL_BIND, numbered, transaction=transaction)
        case "send":
            return send_indication(bob.port, b"hello")
    return channel_data(A, b"hello")


@settings(max_examples=300, deadline=None)
@given(VALID, st.data())
def test_mutated_packets(kind: str, data: st.DataObject) -> None:
    """A good packet cut, stretched or changed raises nothing, and what is signed does no harm."""
    harness, ann, bob = busy()
    packet = bytearray(packet_of(kind, ann, bob))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, max(0, len(packet) - 1)))
        match data.draw(st.sampled_from(["change", "cut", "insert", "swap"])):
            case "change" if packet:
                packet[position] ^= data.draw(st.integers(1, 255))
            case "cut":
                del packet[position : position + data.draw(st.integers(1, 8))]
            case "insert":
                packet[position:position] = data.draw(st.binary(max_size=8))
            case "swap":
                packet = packet[position:] + packet[:position]
    before = state(harness)
    harness.give(ann.client, bytes(packet))
    message = stun.parse(bytes(packet))
    if message is None or message.kind != Kind.REQUEST:
        assert ann.client.sent == []
    if message is None or not message.is_signed_with(ann.key):
        assert state(harness) == before
    assert harness.figure("allocations") == 2


ACTIONS = st.tuples(
    st.sampled_from(
        ["allocate", "delete", "permit", "bind", "send", "channel", "revoke", "forget"]
    ),
    st.integers(0, 3),
    st.integers(0, 3),
    st.floats(0, 400),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_any_order_of_events(actions: list[tuple[str, int, int, float]]) -> None:
    """Whatever clients do, the table stays whole, and data arrives only where both permit."""
    harness = Harness(RelayLimits(allocations_per_peer=2, permissions=3, channels=2))
    peers = [harness.peer(f"p{i}") for i in range(4)]
    permitted: dict[tuple[int, int], float] = {}
    for action, i, j, wait in actions:
        me, other = peers[i], peers[j]
        harness.now += wait
        me.credentials = harness.access.issue(f"p{i}", harness.now + 1.7e9 - 1000)
        harness.renew_nonce(me)
        for peer in peers:
            peer.client.sent.clear()
        done = _act(harness, action, me, other)
        if done and action in ("permit", "bind"):
            permitted[i, j] = harness.now + 300
        if action == "send" and other.client.sent:
            assert permitted.get((i, j), 0) > harness.now
            assert permitted.get((j, i), 0) > harness.now
        harness.relay.sweep(harness.now)
        _check(harness, peers)


def _act(harness: Harness, action: str, me: Peer, other: Peer) -> bool:
    match action:
        case "allocate":
            answer = harness.ask(me, Method.ALLOCATE, [transport()])
            if code(answer) == 0:
                value = answer.get(Attribute.XOR_RELAYED_ADDRESS) or b""
                relayed = stun.read_xor_address(value, answer.transaction)
                me.port = relayed[1] if relayed else 0
            return code(answer) == 0
        case "delete":
            return code(harness.ask(me, Method.REFRESH, [lifetime(0)])) == 0
        case "permit":
            return code(harness.ask_peer(me, Method.CREATE_PERMISSION, other.port)) == 0
        case "bind":
            number = channel(A + other.port % 8)
            return code(harness.ask_peer(me, Method.CHANNEL_BIND, other.port, number)) == 0
        case "send":
            harness.give(me.client, send_indication(other.port, b"x"))
        case "channel":
            harness.give(me.client, channel_data(A + other.port % 8, b"x"))
        case "revoke":
            harness.relay.revoke(me.credentials.username.partition(":")[2])
        case "forget":
            harness.relay.forget(me.client)
    return True


def _check(harness: Harness, peers: list[Peer]) -> None:
    table = harness.relay._table
    live = {peer.client.allocation for peer in peers} - {None}
    assert set(table._by_port.values()) == live
    owned = {a for owner in table._owners.values() for a in owner.allocations}
    assert owned == live
    for allocation in owned:
        assert {c.port: n for n, c in allocation.channels.items()} == allocation.numbers
        assert len(allocation.permissions) <= 3
        assert len(allocation.channels) <= 2
