"""turn.requests: each error code, provoked on purpose."""

import pytest

from tests.turn.client import (
    UNIX_TIME,
    Harness,
    channel,
    code,
    lifetime,
    request,
    send_indication,
    signed,
    transport,
)
from turn.limits import RelayLimits
from turn.requests import KNOWN
from turn.stun import Attribute, AttributeValue, Method

IPV4 = (Attribute.REQUESTED_ADDRESS_FAMILY, b"\1\0\0\0")
IPV6 = (Attribute.REQUESTED_ADDRESS_FAMILY, b"\2\0\0\0")
MORE_IPV6 = (Attribute.ADDITIONAL_ADDRESS_FAMILY, b"\2\0\0\0")
EVEN = (Attribute.EVEN_PORT, b"\0")
EVEN_AND_NEXT = (Attribute.EVEN_PORT, b"\x80")
TOKEN = (Attribute.RESERVATION_TOKEN, bytes(8))
DONT_FRAGMENT = (Attribute.DONT_FRAGMENT, b"")
UNKNOWN = (0x7FFF, b"what")


@pytest.fixture
def harness() -> Harness:
    """A relay with the default limits."""
    return Harness()


def test_400_credentials_incomplete(harness: Harness) -> None:
    """A request with an integrity, but without USERNAME, REALM or NONCE, gets 400 without a
    signature.
    """
    peer = harness.peer("ann")
    for left_out in (Attribute.USERNAME, Attribute.REALM, Attribute.NONCE):
        data = signed(peer, Method.ALLOCATE, [transport()], without=(left_out,))
        answer = harness.exchange(peer.client, data)
        assert answer is not None
        assert code(answer) == 400
        assert answer.integrity is None


@pytest.mark.parametrize(
    "attributes",
    [
        [],
        [(Attribute.REQUESTED_TRANSPORT, b"\x11")],
        [transport(), (Attribute.LIFETIME, b"\1")],
        [transport(), TOKEN, EVEN],
        [transport(), TOKEN, IPV4],
        [transport(), TOKEN, MORE_IPV6],
        [transport(), IPV4, MORE_IPV6],
        [transport(), EVEN_AND_NEXT, MORE_IPV6],
        [transport(), (Attribute.ADDITIONAL_ADDRESS_FAMILY, b"\1\0\0\0")],
        [transport(), (Attribute.REQUESTED_ADDRESS_FAMILY, b"\1")],
        [transport(), (Attribute.EVEN_PORT, b"")],
    ],
)
def test_400_allocate(harness: Harness, attributes: list[AttributeValue]) -> None:
    """Allocate without REQUESTED-TRANSPORT, or with malformed or contradicting attributes, gets
    400.
    """
    assert code(harness.ask(harness.peer("ann"), Method.ALLOCATE, attributes)) == 400
    assert harness.figure("allocations") == 0


def test_400_permissions_and_channels(harness: Harness) -> None:
    """A missing or malformed peer, or a missing or invalid channel number, gets 400."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    short = (Attribute.XOR_PEER_ADDRESS, b"\0\1\0")
    assert code(harness.ask(ann, Method.CREATE_PERMISSION)) == 400
    assert code(harness.ask(ann, Method.CREATE_PERMISSION, [short])) == 400
    assert code(harness.ask(ann, Method.CHANNEL_BIND, [channel(0x4000)])) == 400
    assert code(harness.ask(ann, Method.CHANNEL_BIND, [channel(0x4000), short])) == 400
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, bob.port)) == 400
    for number in (0, 0x3FFF, 0x8000, 0xFFFF):
        assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, bob.port, channel(number))) == 400
    half = (Attribute.CHANNEL_NUMBER, b"\x40\0")
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, bob.port, half)) == 400


def test_400_channel_bound_otherwise(harness: Harness) -> None:
    """A channel number is for one peer, and a peer has one number, until the binding expires."""
    ann, bob, eve = (harness.allocated(name) for name in ("ann", "bob", "eve"))
    harness.bind(ann, 0x4000, bob)
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, eve.port, channel(0x4000))) == 400
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, bob.port, channel(0x4001))) == 400
    harness.now += 599
    for peer in (ann, bob, eve):
        harness.ask(peer, Method.REFRESH, [lifetime(3600)])
        harness.renew_nonce(peer)
    harness.now += 1
    harness.bind(ann, 0x4000, eve)
    harness.bind(ann, 0x4001, bob)


def test_401_without_credentials(harness: Harness) -> None:
    """Every TURN request must be signed; the unsigned 401 holds what a client needs to sign."""
    for method in (
        Method.ALLOCATE,
        Method.REFRESH,
        Method.CREATE_PERMISSION,
        Method.CHANNEL_BIND,
    ):
        answer = harness.exchange(harness.stranger(), request(method))
        assert answer is not None
        assert code(answer) == 401
        assert answer.get(Attribute.REALM) == b"lenscast"
        assert answer.get(Attribute.NONCE)
        assert answer.integrity is None


def test_401_forged(harness: Harness) -> None:
    """A wrong password, another peer's user name and a later expiry all get 401."""
    peer, other = harness.peer("ann"), harness.peer("bob")
    longer = f"{int(UNIX_TIME) + 10**6}:ann"
    tries = [
        signed(peer, Method.ALLOCATE, [transport()], key=bytes(16)),
        signed(peer, Method.ALLOCATE, [transport()], username=other.credentials.username),
        signed(peer, Method.ALLOCATE, [transport()], username=longer),
        signed(peer, Method.ALLOCATE, [transport()], username=longer.replace("ann", "nobody")),
    ]
    for data in tries:
        answer = harness.exchange(peer.client, data)
        assert answer is not None
        assert code(answer) == 401
    assert harness.figure("allocations") == 0


def test_401_changed_on_the_way(harness: Harness) -> None:
    """A signed request whose content was changed gets 401."""
    peer = harness.peer("ann")
    data = bytearray(signed(peer, Method.ALLOCATE, [transport()])[:-8])
    data[24] = 6  # The transport.
    data[2:4] = (len(data) - 20).to_bytes(2, "big")
    answer = harness.exchange(peer.client, bytes(data))
    assert answer is not None
    assert code(answer) == 401


def test_401_expired(harness: Harness) -> None:
    """Expired credentials give no new allocation."""
    peer = harness.peer("ann")
    harness.now += 3600
    harness.renew_nonce(peer)
    assert code(harness.ask(peer, Method.ALLOCATE, [transport()])) == 401


def test_an_allocation_outlives_its_credentials(harness: Harness) -> None:
    """A call continues after the expiry, as long as it is refreshed and its peer is in the room."""
    peer = harness.allocated("ann", lifetime(3600))
    harness.now += 3599
    harness.renew_nonce(peer)
    assert code(harness.ask(peer, Method.REFRESH, [lifetime(3600)])) == 0
    harness.now += 100
    assert code(harness.ask(peer, Method.REFRESH)) == 0
    harness.ask(peer, Method.REFRESH, [lifetime(0)])
    assert code(harness.ask(peer, Method.ALLOCATE, [transport()])) == 401


def test_401_revoked(harness: Harness) -> None:
    """A peer that leaves the room loses its allocations at once and gets no new ones."""
    peer, other = harness.allocated("ann"), harness.allocated("bob")
    harness.relay.revoke("ann")
    assert peer.client.allocation is None
    assert harness.figure("allocations") == 1
    assert code(harness.ask(peer, Method.REFRESH)) == 401
    assert code(harness.ask(peer, Method.ALLOCATE, [transport()])) == 401
    assert code(harness.ask(other, Method.REFRESH)) == 0


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "224.0.0.1", "0.0.0.0"),
        *("255.255.255.255", "8.8.8.8", "192.0.0.7", "192.0.0.9", "198.51.100.7"),
    ],
)
def test_403_any_other_host(harness: Harness, host: str) -> None:
    """A client can permit only the host of relayed addresses, and send to nothing else."""
    ann = harness.allocated("ann")
    assert code(harness.ask_peer(ann, Method.CREATE_PERMISSION, 9, host=host)) == 403
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, 9, channel(0x4000), host=host)) == 403
    harness.give(ann.client, send_indication(9, b"x", host=host))
    assert harness.figure("packets") == 0


def test_a_port_that_is_nobody_s_is_not_refused(harness: Harness) -> None:
    """A port that nobody has is permitted: 403 would make Firefox give up the host, and would
    tell who is there.
    """
    ann = harness.allocated("ann")
    for port in (0, 9, ann.port ^ 1):
        assert code(harness.ask_peer(ann, Method.CREATE_PERMISSION, port)) == 0


@pytest.mark.parametrize("attribute", [UNKNOWN, DONT_FRAGMENT, (0x001C, bytes(32))])
def test_420(harness: Harness, attribute: AttributeValue) -> None:
    """The answer names each unknown attribute that the server would have to understand."""
    peer = harness.peer("ann")
    answer = harness.ask(peer, Method.ALLOCATE, [transport(), attribute])
    assert code(answer) == 420
    assert answer.get(Attribute.UNKNOWN_ATTRIBUTES) == attribute[0].to_bytes(2, "big")


def test_420_binding(harness: Harness) -> None:
    """A Binding request can get 420 too, and the answer names a limited number of attributes."""
    many = [(0x7000 + i, b"") for i in range(100)]
    answer = harness.exchange(harness.stranger(), request(Method.BINDING, many))
    assert answer is not None
    assert code(answer) == 420
    assert len(answer.get(Attribute.UNKNOWN_ATTRIBUTES) or b"") == 32


def test_437_no_allocation(harness: Harness) -> None:
    """Without an allocation, Refresh, CreatePermission and ChannelBind get 437."""
    peer, other = harness.peer("ann"), harness.allocated("bob")
    assert code(harness.ask(peer, Method.REFRESH)) == 437
    assert code(harness.ask_peer(peer, Method.CREATE_PERMISSION, other.port)) == 437
    bound = harness.ask_peer(peer, Method.CHANNEL_BIND, other.port, channel(0x4000))
    assert code(bound) == 437


def test_437_another_allocation(harness: Harness) -> None:
    """A 5-tuple has only one allocation; only the same request sent again gets the same answer."""
    ann, bob = harness.peer("ann"), harness.peer("bob")
    answer = harness.allocate(ann)
    assert code(harness.ask(ann, Method.ALLOCATE, [transport()])) == 437
    bob.client, bob.nonce = ann.client, ann.nonce
    again = {"transaction": answer.transaction}
    assert code(harness.ask(bob, Method.ALLOCATE, [transport()], **again)) == 437


def test_438_nonce_of_another_address(harness: Harness) -> None:
    """A request replayed from another address gets 438, with a nonce that is valid there."""
    ann, bob = harness.peer("ann"), harness.peer("bob")
    data = signed(ann, Method.ALLOCATE, [transport()])
    answer = harness.exchange(bob.client, data)
    assert answer is not None
    assert code(answer) == 438
    assert answer.get(Attribute.REALM) == b"lenscast"
    assert answer.get(Attribute.NONCE) == bob.nonce


@pytest.mark.parametrize("nonce", [b"", b"garbage", bytes(32), b"f" * 32])
def test_438_made_up_nonce(harness: Harness, nonce: bytes) -> None:
    """An invented nonce gets 438."""
    peer = harness.peer("ann")
    assert code(harness.ask(peer, Method.ALLOCATE, [transport()], nonce=nonce)) == 438


def test_438_stale(harness: Harness) -> None:
    """An old nonce gets 438 with a new nonce, and the request succeeds with that one."""
    peer = harness.allocated("ann", lifetime(3600))
    harness.now += 599
    assert code(harness.ask(peer, Method.REFRESH)) == 0
    harness.now += 1
    answer = harness.ask(peer, Method.REFRESH)
    assert code(answer) == 438
    assert answer.integrity is None
    peer.nonce = answer.get(Attribute.NONCE) or b""
    assert code(harness.ask(peer, Method.REFRESH)) == 0


@pytest.mark.parametrize("family", [IPV6, (Attribute.REQUESTED_ADDRESS_FAMILY, b"\7\0\0\0")])
def test_440(harness: Harness, family: AttributeValue) -> None:
    """Relayed addresses are IPv4 only."""
    assert code(harness.ask(harness.peer("ann"), Method.ALLOCATE, [transport(), family])) == 440
    harness.allocated("bob", IPV4)


def test_441(harness: Harness) -> None:
    """Only the user name that made an allocation can change it, not another valid one."""
    ann, bob = harness.allocated("ann"), harness.peer("bob")
    bob.client, bob.nonce = ann.client, ann.nonce
    assert code(harness.ask(bob, Method.REFRESH, [lifetime(0)])) == 441
    assert code(harness.ask_peer(bob, Method.CREATE_PERMISSION, 9)) == 441
    assert code(harness.ask_peer(bob, Method.CHANNEL_BIND, 9, channel(0x4000))) == 441
    assert harness.figure("allocations") == 1


@pytest.mark.parametrize("number", [6, 0, 255])
def test_442(harness: Harness, number: int) -> None:
    """Peers are reached over UDP only."""
    assert code(harness.ask(harness.peer("ann"), Method.ALLOCATE, [transport(number)])) == 442


@pytest.mark.parametrize("host", ["::1", "fe80::1", "ff02::1", "2001:db8::1", "::ffff:192.0.0.8"])
def test_443(harness: Harness, host: str) -> None:
    """An IPv6 peer does not fit an IPv4 allocation, not even one that maps the relay's own host."""
    ann = harness.allocated("ann")
    assert code(harness.ask_peer(ann, Method.CREATE_PERMISSION, 9, host=host)) == 443
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, 9, channel(0x4000), host=host)) == 443
    assert code(harness.ask(ann, Method.REFRESH, [IPV6])) == 443


def test_486() -> None:
    """A peer has a limited number of allocations under all its user names; other peers keep
    theirs.
    """
    harness = Harness(RelayLimits(allocations_per_peer=2))
    harness.allocated("ann")
    harness.now += 1
    second = harness.allocated("ann")
    one_more = harness.peer("ann")
    assert code(harness.ask(one_more, Method.ALLOCATE, [transport()])) == 486
    harness.allocated("bob")
    harness.ask(second, Method.REFRESH, [lifetime(0)])
    harness.allocate(one_more)


def test_508_full() -> None:
    """There is a limited number of allocations in all."""
    harness = Harness(RelayLimits(allocations=2))
    harness.allocated("ann")
    harness.allocated("bob")
    assert code(harness.ask(harness.peer("eve"), Method.ALLOCATE, [transport()])) == 508


@pytest.mark.parametrize("attribute", [EVEN_AND_NEXT, TOKEN])
def test_508_reservation(harness: Harness, attribute: AttributeValue) -> None:
    """No port can be reserved, so no reservation token is valid."""
    assert code(harness.ask(harness.peer("ann"), Method.ALLOCATE, [transport(), attribute])) == 508


def test_508_permissions_and_channels() -> None:
    """An allocation has a limited number of permissions and channels; existing ones can still be
    refreshed.
    """
    harness = Harness(RelayLimits(permissions=2, channels=1))
    ann, bob, eve = (harness.allocated(name) for name in ("ann", "bob", "eve"))
    harness.bind(ann, 0x4000, bob)
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, eve.port, channel(0x4001))) == 508
    harness.permit(ann, eve)
    assert code(harness.ask_peer(ann, Method.CREATE_PERMISSION, 9)) == 508
    assert code(harness.ask_peer(ann, Method.CHANNEL_BIND, 9, channel(0x4001))) == 508
    harness.bind(ann, 0x4000, bob)
    harness.permit(ann, eve)


def test_refusals_are_counted(harness: Harness) -> None:
    """Refusals are counted by their code."""
    harness.ask(harness.peer("ann"), Method.ALLOCATE, [transport(6)])
    assert harness.figure("refusals") == {"401": 1, "442": 1}


def test_what_is_known_is_what_the_relay_reads() -> None:
    """DONT-FRAGMENT counts as unknown, because the RFC answers 420 if it is not supported."""
    assert Attribute.DONT_FRAGMENT not in KNOWN
    assert Attribute.EVEN_PORT in KNOWN
