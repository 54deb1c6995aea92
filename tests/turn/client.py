"""Clients of the embedded relay for tests: one that is only bytes, and a running relay for real
ones.

Owns `Harness`, which drives the core with a clock of its own, and `running_turn`.
"""

import asyncio
import contextlib
import hashlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aioice import stun as aioice_stun
from tornado.netutil import add_accept_handler

from tests.ports import free_port
from turn import stun
from turn.access import Access
from turn.allocations import RELAY_HOST, Allocation
from turn.credentials import Credentials
from turn.embedded import EmbeddedTurn
from turn.limits import RelayLimits
from turn.relay import Relay
from turn.stun import Attribute, AttributeValue, Kind, Message, Method

UDP = bytes((17, 0, 0, 0))
UNIX_TIME = 1_700_000_000.0


class FakeClient:
    """A client of the core without a socket; it keeps what was sent to it."""

    def __init__(self, name: str = "udp 198.51.100.7 4000") -> None:
        self.name = name
        _, host, port = name.split()
        self.address = (host, int(port))
        self.allocation: Allocation | None = None
        self.sent: list[bytes] = []
        self.is_slow = False
        self.forgeable = name.startswith("udp")

    def send(self, data: bytes | memoryview) -> bool:
        """Keep the message, unless the client is slow."""
        if self.is_slow:
            return False
        self.sent.append(bytes(data))
        return True

    def take(self) -> bytes | None:
        """Return the oldest message and forget it."""
        return self.sent.pop(0) if self.sent else None


@dataclass
class Peer:
    """A client with credentials, and its allocation."""

    client: FakeClient
    credentials: Credentials
    nonce: bytes = b""
    port: int = 0

    @property
    def key(self) -> bytes:
        """The long-term key, computed independently of the code under test."""
        text = f"{self.credentials.username}:lenscast:{self.credentials.password}"
        return hashlib.md5(text.encode(), usedforsecurity=False).digest()


@dataclass
class Harness:
    """The core, with a clock that stands still until the test moves it."""

    limits: RelayLimits = field(default_factory=RelayLimits)
    lifetime: float = 3600

    def __post_init__(self) -> None:
        self.now = 1000.0
        self.access = Access(
            self.lifetime, self.limits.nonce_lifetime, lambda: UNIX_TIME + self.now - 1000
        )
        self.relay = Relay(self.access, self.limits)
        self._ports = iter(range(4000, 60000))

    def stranger(self) -> FakeClient:
        """Make a client at an address of its own."""
        return FakeClient(f"udp 198.51.100.7 {next(self._ports)}")

    def peer(self, peer_id: str, room: str = "room") -> Peer:
        """Make a client with credentials and a nonce, but without an allocation."""
        credentials = self.relay.issue(peer_id, room, UNIX_TIME + self.now - 1000)
        peer = Peer(self.stranger(), credentials)
        self.renew_nonce(peer)
        return peer

    def renew_nonce(self, peer: Peer) -> None:
        """Ask for a nonce, as every client does first."""
        refused = self.exchange(peer.client, request(Method.ALLOCATE, [transport()]))
        assert refused is not None
        assert code(refused) == 401
        nonce = refused.get(Attribute.NONCE)
        assert nonce
        peer.nonce = nonce

    def give(self, client: FakeClient, data: bytes) -> None:
        """Give one packet to the relay."""
        self.relay.receive(client, memoryview(bytearray(data)), self.now)

    def exchange(self, client: FakeClient, data: bytes) -> Message | None:
        """Give one packet to the relay, and read its one answer."""
        client.sent.clear()
        self.give(client, data)
        assert len(client.sent) <= 1
        return stun.parse(client.sent.pop()) if client.sent else None

    def ask(
        self, peer: Peer, method: Method, attributes: Iterable[AttributeValue] = (), **more: Any
    ) -> Message:
        """Send a signed request. The answer must be signed too, unless it refuses the signature."""
        answer = self.exchange(peer.client, signed(peer, method, attributes, **more))
        assert answer is not None
        if answer.kind == Kind.SUCCESS or code(answer) not in (400, 401, 438):
            assert answer.is_signed_with(peer.key)
        return answer

    def allocated(self, peer_id: str, *more: AttributeValue, room: str = "room") -> Peer:
        """Make a peer with an allocation."""
        peer = self.peer(peer_id, room)
        self.allocate(peer, *more)
        return peer

    def allocate(self, peer: Peer, *more: AttributeValue) -> Message:
        """Make an allocation for a peer."""
        answer = self.ask(peer, Method.ALLOCATE, [transport(), *more])
        assert answer.kind == Kind.SUCCESS, code(answer)
        value = answer.get(Attribute.XOR_RELAYED_ADDRESS)
        assert value
        relayed = stun.read_xor_address(value, answer.transaction)
        assert relayed is not None
        assert str(relayed[0]) == RELAY_HOST
        peer.port = relayed[1]
        return answer

    def permit(self, peer: Peer, other: Peer) -> None:
        """Make one peer permit the other."""
        assert code(self.ask_peer(peer, Method.CREATE_PERMISSION, other.port)) == 0

    def bind(self, peer: Peer, number: int, other: Peer) -> None:
        """Make one peer bind a channel to the other."""
        answer = self.ask_peer(peer, Method.CHANNEL_BIND, other.port, channel(number))
        assert code(answer) == 0

    def ask_peer(
        self,
        peer: Peer,
        method: Method,
        port: int,
        *more: AttributeValue,
        host: str = RELAY_HOST,
    ) -> Message:
        """Send a signed request that names a peer's address."""
        transaction = secrets.token_bytes(12)
        named = (Attribute.XOR_PEER_ADDRESS, stun.xor_address(host, port, transaction))
        return self.ask(peer, method, [*more, named], transaction=transaction)

    def figure(self, name: str) -> Any:
        """One of the relay's figures."""
        return self.relay.figures()[name]


def transport(number: int = 17) -> AttributeValue:
    """The REQUESTED-TRANSPORT attribute."""
    return Attribute.REQUESTED_TRANSPORT, bytes((number, 0, 0, 0))


def lifetime(seconds: int) -> AttributeValue:
    """The LIFETIME attribute."""
    return Attribute.LIFETIME, seconds.to_bytes(4, "big")


def channel(number: int) -> AttributeValue:
    """The CHANNEL-NUMBER attribute."""
    return Attribute.CHANNEL_NUMBER, number.to_bytes(2, "big") + b"\0\0"


def request(
    method: int, attributes: Iterable[AttributeValue] = (), *, kind: Kind = Kind.REQUEST
) -> bytes:
    """Make a message without a signature."""
    return stun.encode(method, kind, secrets.token_bytes(12), attributes)


def signed(
    peer: Peer,
    method: int,
    attributes: Iterable[AttributeValue] = (),
    *,
    transaction: bytes | None = None,
    key: bytes | None = None,
    username: str | None = None,
    nonce: bytes | None = None,
    without: tuple[Attribute, ...] = (),
    fingerprint: bool = True,
) -> bytes:
    """Make a signed request; the arguments replace the correct values."""
    credentials = [
        (Attribute.USERNAME, (username or peer.credentials.username).encode()),
        (Attribute.REALM, b"lenscast"),
        (Attribute.NONCE, peer.nonce if nonce is None else nonce),
    ]
    kept = [pair for pair in credentials if pair[0] not in without]
    identity = transaction or secrets.token_bytes(12)
    return stun.encode(
        method,
        Kind.REQUEST,
        identity,
        [*attributes, *kept],
        key or peer.key,
        fingerprint=fingerprint,
    )


def send_indication(port: int, data: bytes, *more: AttributeValue, host: str = RELAY_HOST) -> bytes:
    """Make a Send indication."""
    transaction = secrets.token_bytes(12)
    peer = (Attribute.XOR_PEER_ADDRESS, stun.xor_address(host, port, transaction))
    attributes = [peer, *more, (Attribute.DATA, data)]
    return stun.encode(Method.SEND, Kind.INDICATION, transaction, attributes)


def channel_data(number: int, data: bytes) -> bytes:
    """Make ChannelData without padding."""
    return number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


def code(message: Message) -> int:
    """The error code of an answer; 0 for a success."""
    value = message.get(Attribute.ERROR_CODE)
    return value[2] * 100 + value[3] if value else 0


def data_indication(packet: bytes | None) -> tuple[bytes, int]:
    """The data of a Data indication, and the relayed port it came from, as aioice reads them."""
    assert packet is not None
    message = aioice_stun.parse_message(packet)
    assert message.message_method == aioice_stun.Method.DATA
    assert message.message_class == aioice_stun.Class.INDICATION
    host, port = message.attributes["XOR-PEER-ADDRESS"]
    assert host == RELAY_HOST
    return message.attributes["DATA"], port


@dataclass
class RunningTurn:
    """An embedded relay on a port of its own."""

    turn: EmbeddedTurn
    host: str
    port: int

    def credentials(self, peer_id: str, room: str = "room") -> tuple[str, str]:
        """Return a user name and a password for a peer of a room."""
        grant = self.turn.issue(peer_id, room, f"http://{self.host}:{self.port}", time.time())
        return grant.ice_servers[0]["username"], grant.ice_servers[0]["credential"]


@asynccontextmanager
async def running_turn(
    limits: RelayLimits | None = None, host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[RunningTurn]:
    """Run an embedded relay over UDP and TCP on one free port."""
    turn = EmbeddedTurn(credential_seconds=600, limits=limits, **options)
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = stack.enter_context(_listener(family, host))
        port = listener.getsockname()[1]

        def accept(connection: socket.socket, address: Any) -> None:
            connection.setblocking(False)
            turn.accept(connection, address)

        stack.callback(add_accept_handler(listener, accept))
        await turn.start([host], port, 0)
        try:
            yield RunningTurn(turn, host, port)
        finally:
            await turn.stop()
            await asyncio.sleep(0)


def _listener(family: int, host: str) -> socket.socket:
    """A TCP socket on a port that is free over UDP as well."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, free_port()))
    listener.listen()
    listener.setblocking(False)
    return listener


def pair(harness: Harness) -> tuple[Peer, Peer]:
    """Make two peers that permit each other."""
    ann, bob = harness.allocated("ann"), harness.allocated("bob")
    harness.permit(ann, bob)
    harness.permit(bob, ann)
    ann.client.sent.clear()
    bob.client.sent.clear()
    return ann, bob
