"""turn.requests: the answer to each request."""

import itertools
import secrets

import pytest

from tests.turn.client import (
    FakeClient,
    Harness,
    code,
    lifetime,
    request,
    send_indication,
    signed,
    transport,
)
from turn import stun
from turn.allocations import RELAY_HOST
from turn.stun import Attribute, Kind, Message, Method

MORE_IPV6 = (Attribute.ADDITIONAL_ADDRESS_FAMILY, b"\2\0\0\0")
EVEN = (Attribute.EVEN_PORT, b"\0")
UNKNOWN = (0x7FFF, b"what")
OPTIONAL = (0xC057, b"\0\1\0\2")  # Chromium's GOOG_NETWORK_INFO.


@pytest.fixture
def harness() -> Harness:
    """A relay with the default limits."""
    return Harness()


def seconds(answer: Message) -> int:
    """The LIFETIME in an answer."""
    value = answer.get(Attribute.LIFETIME)
    assert value
    return int.from_bytes(value, "big")


# Binding


def test_binding_tells_the_client_s_address(harness: Harness) -> None:
    """Any client learns its own address, without credentials."""
    client = FakeClient("udp 203.0.113.5 5555")
    answer = harness.exchange(client, request(Method.BINDING))
    assert answer is not None
    assert answer.kind == Kind.SUCCESS
    value = answer.get(Attribute.XOR_MAPPED_ADDRESS)
    assert value == stun.xor_address("203.0.113.5", 5555, answer.transaction)


def test_binding_of_an_ipv6_client(harness: Harness) -> None:
    """An IPv6 client learns its IPv6 address, link-local ones included."""
    for host, told in (("2001:db8::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1")):
        answer = harness.exchange(FakeClient(f"udp {host} 5555"), request(Method.BINDING))
        assert answer is not None
        value = answer.get(Attribute.XOR_MAPPED_ADDRESS)
        assert value == stun.xor_address(told, 5555, answer.transaction)


@pytest.mark.parametrize("fingerprint", [True, False])
def test_an_answer_has_a_fingerprint_where_the_request_has_one(
    harness: Harness, fingerprint: bool
) -> None:
    """Successes and errors end in a fingerprint if the request did, or if they are signed."""
    client = harness.stranger()
    for method in (Method.BINDING, Method.ALLOCATE):
        asked = stun.encode(method, Kind.REQUEST, bytes(12), [], fingerprint=fingerprint)
        answer = harness.exchange(client, asked)
        assert answer is not None
        assert answer.fingerprint == fingerprint
    ann = harness.allocated("ann")
    asked = signed(ann, Method.REFRESH, fingerprint=fingerprint)
    answer = harness.exchange(ann.client, asked)
    assert answer is not None
    assert answer.fingerprint


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (Method.SEND, Kind.REQUEST),
        (Method.DATA, Kind.REQUEST),
        (0x00B, Kind.REQUEST),
        (Method.BINDING, Kind.INDICATION),
        (Method.ALLOCATE, Kind.SUCCESS),
        (Method.ALLOCATE, Kind.ERROR),
        (Method.DATA, Kind.INDICATION),
    ],
)
def test_what_is_no_request_to_a_relay_is_not_answered(
    harness: Harness, method: int, kind: Kind
) -> None:
    """Other methods, indications and answers are dropped silently."""
    assert harness.exchange(harness.stranger(), request(method, kind=kind)) is None


# Allocate


def test_allocate(harness: Harness) -> None:
    """The answer holds a relayed address on the common host, the lifetime, and the client's own
    address.
    """
    peer = harness.peer("ann")
    answer = harness.allocate(peer, OPTIONAL)
    assert seconds(answer) == 600
    mapped = answer.get(Attribute.XOR_MAPPED_ADDRESS)
    assert mapped == stun.xor_address(*peer.client.address, answer.transaction)
    assert 1024 <= peer.port <= 65535
    assert harness.figure("allocations") == 1


def test_relayed_ports_are_random(harness: Harness) -> None:
    """Relayed ports cannot be predicted from each other, and none is given twice."""
    ports = [harness.allocated(f"p{i}").port for i in range(100)]
    assert len(set(ports)) == 100
    steps = {after - before for before, after in itertools.pairwise(ports)}
    assert len(steps) > 90


def test_one_host_for_every_client(harness: Harness) -> None:
    """A relayed address is on the same host, whichever transport the client uses."""
    for name in ("tcp 198.51.100.7 4000", "tls 2001:db8::1 4000"):
        peer = harness.peer("ann")
        peer.client = FakeClient(name)
        harness.renew_nonce(peer)
        harness.allocate(peer)


@pytest.mark.parametrize(("asked", "given"), [(1, 600), (601, 601), (3600, 3600), (99999, 3600)])
def test_lifetimes(harness: Harness, asked: int, given: int) -> None:
    """The lifetime is as requested, but at least the default and at most the maximum, also for
    Refresh.
    """
    peer = harness.peer("ann")
    assert seconds(harness.allocate(peer, lifetime(asked))) == given
    assert seconds(harness.ask(peer, Method.REFRESH, [lifetime(asked)])) == given


def test_an_even_port(harness: Harness) -> None:
    """EVEN-PORT without a reservation gives an even port."""
    for i in range(8):
        assert harness.allocated(f"p{i}", EVEN).port % 2 == 0


def test_no_additional_ipv6(harness: Harness) -> None:
    """If a client asks for IPv6 as well, the answer says 440 for IPv6 only (RFC 8656 7.2)."""
    answer = harness.allocate(harness.peer("ann"), MORE_IPV6)
    value = answer.get(Attribute.ADDRESS_ERROR_CODE)
    assert value is not None
    assert value[:4] == bytes((2, 0, 4, 40))


def test_a_repeated_allocate_has_the_same_answer(harness: Harness) -> None:
    """A repeated request makes no second allocation and gets no error."""
    peer = harness.peer("ann")
    data = signed(peer, Method.ALLOCATE, [transport()])
    harness.give(peer.client, data)
    harness.give(peer.client, data)
    first, second = peer.client.sent
    assert first == second
    assert harness.figure("allocations") == 1


def test_attributes_after_the_integrity_are_ignored(harness: Harness) -> None:
    """Attributes that somebody adds on the way change nothing, not even unknown ones."""
    peer = harness.peer("ann")
    data = signed(peer, Method.ALLOCATE, [transport()])[:-8]
    data += stun.attribute(*UNKNOWN) + stun.attribute(*lifetime(3600))
    data = data[:2] + (len(data) - 20).to_bytes(2, "big") + data[4:]
    answer = harness.exchange(peer.client, data)
    assert answer is not None
    assert code(answer) == 0
    assert seconds(answer) == 600


# Refresh, CreatePermission, ChannelBind


def test_refresh_with_0_deletes(harness: Harness) -> None:
    """Refresh with a lifetime of 0 deletes the allocation and its permissions at once."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    harness.permit(bob, ann)
    answer = harness.ask(ann, Method.REFRESH, [lifetime(0)])
    assert seconds(answer) == 0
    assert harness.figure("allocations") == 1
    assert ann.client.allocation is None
    assert code(harness.ask(ann, Method.REFRESH)) == 437
    harness.allocate(ann)


def test_several_permissions_in_one_request(harness: Harness) -> None:
    """Each XOR-PEER-ADDRESS in a request counts."""
    ann, bob, eve = (harness.allocated(name) for name in ("ann", "bob", "eve"))
    transaction = secrets.token_bytes(12)
    named = [
        (Attribute.XOR_PEER_ADDRESS, stun.xor_address(RELAY_HOST, p.port, transaction))
        for p in (bob, eve)
    ]
    answer = harness.ask(ann, Method.CREATE_PERMISSION, named, transaction=transaction)
    assert code(answer) == 0
    for other in (bob, eve):
        harness.permit(other, ann)
        harness.give(other.client, send_indication(ann.port, b"x"))
    assert len(ann.client.sent) == 2


def test_all_permissions_of_a_request_or_none(harness: Harness) -> None:
    """If one peer of a request is forbidden, none is permitted."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    transaction = secrets.token_bytes(12)
    named = [
        (Attribute.XOR_PEER_ADDRESS, stun.xor_address(host, bob.port, transaction))
        for host in (RELAY_HOST, "8.8.8.8")
    ]
    answer = harness.ask(ann, Method.CREATE_PERMISSION, named, transaction=transaction)
    assert code(answer) == 403
    harness.permit(bob, ann)
    harness.give(bob.client, send_indication(ann.port, b"x"))
    assert ann.client.sent == []


def test_a_channel_may_be_bound_again_to_the_same_peer(harness: Harness) -> None:
    """Binding a channel again to the same peer refreshes it."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    for _ in range(2):
        harness.bind(ann, 0x4000, bob)
