"""turn.relay: which clients reach each other, for how long, and how fast."""

import secrets

import pytest

from tests.turn.client import (
    Harness,
    Peer,
    channel_data,
    code,
    data_indication,
    lifetime,
    pair,
    request,
    send_indication,
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


# Indications and channels


def test_indication_to_indication(harness: Harness) -> None:
    """Data sent in an indication arrives in an indication that names the sender's relayed
    address.
    """
    ann, bob = pair(harness)
    for data in (b"", b"x", b"hello", bytes(1500)):
        harness.give(ann.client, send_indication(bob.port, data))
        assert data_indication(bob.client.take()) == (data, ann.port)


def test_channel_to_indication(harness: Harness) -> None:
    """A receiver that has bound no channel gets an indication."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.give(ann.client, channel_data(A, b"hello"))
    assert data_indication(bob.client.take()) == (b"hello", ann.port)


def test_channel_to_channel(harness: Harness) -> None:
    """If both have bound a channel, the data carries the receiver's number and no padding."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.bind(bob, B, ann)
    for padding in (b"", b"\0\0\0"):
        harness.give(ann.client, channel_data(A, b"hello") + padding)
        assert bob.client.take() == channel_data(B, b"hello")
    harness.give(bob.client, channel_data(B, b""))
    assert ann.client.take() == channel_data(A, b"")


def test_indication_to_channel(harness: Harness) -> None:
    """A receiver with a channel gets ChannelData, however the data was sent."""
    ann, bob = pair(harness)
    harness.bind(bob, B, ann)
    harness.give(ann.client, send_indication(bob.port, b"hello"))
    assert bob.client.take() == channel_data(B, b"hello")


def test_a_channel_bound_later_is_used_at_once(harness: Harness) -> None:
    """As soon as the receiver binds a channel, data comes as ChannelData instead of indications."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    harness.give(ann.client, channel_data(A, b"1"))
    bob.client.sent.clear()
    harness.bind(bob, B, ann)
    harness.give(ann.client, channel_data(A, b"2"))
    assert bob.client.take() == channel_data(B, b"2")


def test_figures(harness: Harness) -> None:
    """The counts of packets and bytes are those of the relayed data, without headers."""
    ann, bob = pair(harness)
    harness.give(ann.client, send_indication(bob.port, b"hello"))
    figures = harness.relay.figures()
    assert (figures["allocations"], figures["packets"], figures["bytes"]) == (2, 1, 5)


# Which clients reach each other


@pytest.mark.parametrize("permitting", [(), ("ann",), ("bob",)])
def test_both_must_permit(harness: Harness, permitting: tuple[str, ...]) -> None:
    """If only one side permits the other, nothing gets through in either direction."""
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
    """A client that permits and binds every port reaches only peers that permit it too."""
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
    """A permission covers all addresses of a peer, because Firefox asks only once for each IP
    address.
    """
    ann, _ = pair(harness)
    bob2 = harness.allocated("bob")
    harness.permit(bob2, ann)
    harness.give(bob2.client, send_indication(ann.port, b"x"))
    assert data_indication(ann.client.take()) == (b"x", bob2.port)
    harness.give(ann.client, send_indication(bob2.port, b"y"))
    assert data_indication(bob2.client.take()) == (b"y", ann.port)


def test_a_permission_outlives_the_address_it_named(harness: Harness) -> None:
    """When a peer gives up one address, its others stay permitted, and can be refreshed."""
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
    """A permission is for the peer that had the port when it was requested."""
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
    """A channel that led nowhere works again as soon as the same peer is back."""
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
    """Data from a client without an allocation goes nowhere."""
    ann, _ = pair(harness)
    stranger = harness.stranger()
    harness.give(stranger, send_indication(ann.port, b"x"))
    harness.give(stranger, channel_data(A, b"x"))
    assert ann.client.sent == stranger.sent == []
    assert harness.figure("drops") == {"no allocation": 2}


def test_rooms_are_apart(harness: Harness) -> None:
    """Two peers of different rooms reach each other in no way, even if both permit it; a port of
    another room is answered like one that nobody has.
    """
    ann = harness.allocated("ann", room="one")
    eve = harness.allocated("eve", room="other")
    for me, other, number in ((ann, eve, A), (eve, ann, B)):
        harness.permit(me, other)
        harness.bind(me, number, other)
    ann.client.sent.clear()
    eve.client.sent.clear()
    harness.give(ann.client, send_indication(eve.port, b"x"))
    harness.give(ann.client, channel_data(A, b"x"))
    harness.give(eve.client, channel_data(B, b"x"))
    assert ann.client.sent == eve.client.sent == []
    assert harness.figure("drops") == {"no permission": 3}


def test_a_peer_in_another_room_begins_anew(harness: Harness) -> None:
    """A peer that gets credentials for another room loses what it had allocated; for the same room
    it keeps it.
    """
    ann, _bob = pair(harness)
    harness.peer("ann")
    assert ann.client.allocation is not None
    harness.peer("ann", room="other")
    assert ann.client.allocation is None


@pytest.mark.parametrize("ending", ["revoke", "forget", "refresh"])
def test_a_way_ends_with_either_allocation(harness: Harness, ending: str) -> None:
    """When either allocation ends, in whatever way, nothing arrives any more, even on a route in
    use.
    """
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
    """A Send indication with an unknown attribute, or without address or data, is dropped."""
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
    """ChannelData that is cut off, or for a channel that is not bound, is dropped and counted."""
    ann, bob = pair(harness)
    harness.bind(ann, A, bob)
    ann.client.sent.clear()
    harness.give(ann.client, data)
    assert ann.client.sent == bob.client.sent == []
    assert sum(harness.figure("drops").values()) == 1


def test_the_largest_channel_data(harness: Harness) -> None:
    """Data too large for a datagram is dropped, whatever the receiver has bound."""
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
    """Refresh the allocations, and nothing else."""
    for peer in peers:
        harness.renew_nonce(peer)
        assert code(harness.ask(peer, Method.REFRESH, [lifetime(3600)])) == 0


def test_an_allocation_ends(harness: Harness) -> None:
    """An allocation ends when its lifetime is over, even before a sweep: neither data nor
    requests find it.
    """
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
    """A permission ends after 300 s unless refreshed, on either side and for channels too."""
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
    """A channel ends after 600 s: the sender's leads nowhere, and the receiver gets indications
    again.
    """
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
    """A route in use changes to indications when the receiver's channel expires."""
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
    """The limits set how long each thing lasts."""
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
    """A peer may send a limited number of bytes per second over all its allocations; others are
    not affected.
    """
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
    """What a client cannot take, data or answers, is dropped and counted."""
    ann, bob = pair(harness)
    bob.client.is_slow = True
    harness.give(ann.client, send_indication(bob.port, b"x"))
    harness.give(bob.client, request(Method.BINDING))
    assert harness.figure("drops") == {"slow": 2}
    assert harness.figure("packets") == 0
