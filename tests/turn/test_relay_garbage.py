"""turn.relay with garbage, and with events in any order: nothing breaks, and nobody gains
access.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.turn.client import (
    Harness,
    Peer,
    channel,
    channel_data,
    code,
    lifetime,
    pair,
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


def state(harness: Harness) -> Any:
    """Everything that garbage must not change."""
    table = harness.relay._table
    return [
        (a.port, a.expires, dict(a.permissions), {n: c.port for n, c in a.channels.items()})
        for a in table._by_port.values()
    ]


def busy() -> tuple[Harness, Peer, Peer]:
    """A relay that is in use."""
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
    """Random bytes raise no exception, change nothing, and get an answer only if they are a
    request.
    """
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
    """One valid packet of each kind."""
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
    """A valid packet that was cut, extended or changed raises no exception; signed ones do no
    harm.
    """
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
    """Whatever clients do, the table stays consistent, and data arrives only if both sides
    permit it.
    """
    harness = Harness(RelayLimits(allocations_per_peer=2, permissions=3, channels=2))
    peers = [harness.peer(f"p{i}") for i in range(4)]
    permitted: dict[tuple[int, int], float] = {}
    for action, i, j, wait in actions:
        me, other = peers[i], peers[j]
        harness.now += wait
        me.credentials = harness.access.issue(f"p{i}", "room", harness.now + 1.7e9 - 1000)
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
