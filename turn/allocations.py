"""The relay's table: allocations, their permissions and channels (RFC 8656).

Owns what is allocated, who may send to whom, and when it ends. Pure: no socket, no clock. Imports
`turn.limits` and `turn.stun`.

A relayed address is an entry here and no socket: there is nothing to reach but other entries. All
share one host, and a permission is for an IP address (RFC 8656 9), so by the letter one permission
would open an allocation to everybody here. A permission is taken for the *peer* whose relayed
address it names instead, and data passes only where both sides permit each other. It covers all
relayed addresses of that peer, since Firefox asks once for each IP address, whatever the port.
"""

import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from turn.limits import RelayLimits, TokenBucket
from turn.stun import Attribute, attribute, xor_address

RELAY_HOST = "192.0.0.8"
"""The host of all relayed addresses: IPv4's dummy address (RFC 7600), to which nobody routes."""
RELAY_ADDRESS = IPv4Address(RELAY_HOST)

MIN_PORT = 1024
MAX_PORT = 65535


class Client(Protocol):
    """One 5-tuple: what a client's packets come by and go to.

    Attributes
    ----------
    name: transport, address and port, as text.
    address: host and port, as this server sees them.
    allocation: what it has allocated here; the table sets it.
    """

    name: str
    address: tuple[str, int]
    allocation: "Allocation | None"

    def send(self, data: bytes | memoryview) -> bool:
        """Send one message or drop it, never wait; whether it went."""


class Owner:
    """A peer that has allocations."""

    __slots__ = ("allocations", "bucket", "id")

    def __init__(self, peer_id: str, bucket: TokenBucket) -> None:
        self.id = peer_id
        self.bucket = bucket
        self.allocations: set[Allocation] = set()


@dataclass(slots=True)
class Permission:
    """Leave for one peer to send here. `peer_id`: None while the port is nobody's."""

    peer_id: str | None
    expires: float


@dataclass(slots=True, eq=False)
class Channel:
    """A number that stands for a relayed port, and the way there as it was last worked out."""

    port: int
    expires: float
    route: "Route"


@dataclass(slots=True, eq=False)
class Route:
    """Where data goes.

    Attributes
    ----------
    target: None where it may not go.
    channel: the number by which the target knows the source; None: a Data indication is due.
    until: when it must be worked out anew; also when the table's version is another one.
    """

    target: "Allocation | None"
    channel: int | None
    until: float
    version: int


class Allocation:
    """One relayed address and the client it belongs to."""

    __slots__ = (
        *("answer", "channels", "client", "expires", "numbers", "owner", "permissions"),
        *("peer_attribute", "port", "transaction", "username"),
    )

    def __init__(
        self, client: Client, owner: Owner, username: bytes, port: int, expires: float
    ) -> None:
        self.client = client
        self.owner = owner
        self.username = username
        self.port = port
        self.expires = expires
        self.permissions: dict[int, Permission] = {}
        self.channels: dict[int, Channel] = {}
        self.numbers: dict[int, int] = {}
        """Of the ports that have a channel."""
        # As others are told of it. Only an IPv6 address is mixed with a transaction's id.
        peer = xor_address(RELAY_HOST, port, b"")
        self.peer_attribute = attribute(Attribute.XOR_PEER_ADDRESS, peer)
        # What a repeated Allocate request is told from, and what it is answered.
        self.transaction = b""
        self.answer: list[tuple[int, bytes]] = []

    def permits_until(self, peer_id: str) -> float:
        """When the leave for a peer to send here ends; 0 where there was none."""
        ends = [p.expires for p in self.permissions.values() if p.peer_id == peer_id]
        return max(ends, default=0)

    def drop_expired(self, now: float) -> None:
        """Forget permissions and channels that are over."""
        for port in [p for p, permission in self.permissions.items() if permission.expires <= now]:
            del self.permissions[port]
        for number in [n for n, channel in self.channels.items() if channel.expires <= now]:
            del self.numbers[self.channels.pop(number).port]


class Allocations:
    """All allocations of one relay."""

    def __init__(self, limits: RelayLimits) -> None:
        self._limits = limits
        self._by_port: dict[int, Allocation] = {}
        self._owners: dict[str, Owner] = {}
        self.version = 0
        """Goes up whenever a route may be another one than before."""

    def __len__(self) -> int:
        return len(self._by_port)

    def count_of(self, peer_id: str) -> int:
        """How many allocations a peer has."""
        owner = self._owners.get(peer_id)
        return len(owner.allocations) if owner else 0

    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self._by_port) >= min(self._limits.allocations, (MAX_PORT - MIN_PORT) // 2)

    def add(
        self,
        client: Client,
        peer_id: str,
        username: bytes,
        lifetime: float,
        now: float,
        *,
        even: bool = False,
    ) -> Allocation:
        """Allocate a relayed address that nobody can guess from others."""
        owner = self._owners.get(peer_id)
        if owner is None:
            rate = self._limits.bytes_per_second
            bucket = TokenBucket(rate, burst=rate, now=now)
            owner = self._owners[peer_id] = Owner(peer_id, bucket)
        allocation = Allocation(client, owner, username, self._free_port(even), now + lifetime)
        self._by_port[allocation.port] = allocation
        owner.allocations.add(allocation)
        # No route changes: a new allocation permits nobody yet.
        client.allocation = allocation
        return allocation

    def remove(self, allocation: Allocation) -> None:
        """Delete an allocation, with its permissions and channels."""
        if self._by_port.pop(allocation.port, None) is None:
            return
        allocation.client.allocation = None
        owner = allocation.owner
        owner.allocations.discard(allocation)
        if not owner.allocations:
            del self._owners[owner.id]
        self.version += 1

    def remove_all_of(self, peer_id: str) -> None:
        """Delete the allocations of one peer."""
        owner = self._owners.get(peer_id)
        for allocation in list(owner.allocations) if owner else ():
            self.remove(allocation)

    def live(self, client: Client, now: float) -> Allocation | None:
        """The allocation of a client, if it has one that is not over."""
        allocation = client.allocation
        if allocation is not None and allocation.expires <= now:
            self.remove(allocation)
            return None
        return allocation

    def sweep(self, now: float) -> None:
        """Delete all that is over."""
        for allocation in list(self._by_port.values()):
            if allocation.expires <= now:
                self.remove(allocation)
            else:
                allocation.drop_expired(now)

    def permit(self, allocation: Allocation, ports: set[int], now: float) -> bool:
        """Let the peers with these relayed ports send to an allocation; False: too many."""
        allocation.drop_expired(now)
        if len(allocation.permissions.keys() | ports) > self._limits.permissions:
            return False
        for port in ports:
            known = allocation.permissions.get(port)
            # Whoever had the port first is meant: a later owner of it has no leave.
            peer_id = known.peer_id if known else None
            if peer_id is None and (named := self._by_port.get(port)) is not None:
                peer_id = named.owner.id
            expires = now + self._limits.permission_lifetime
            allocation.permissions[port] = Permission(peer_id, expires)
        self.version += 1
        return True

    def bind(self, allocation: Allocation, number: int, port: int, now: float) -> bool:
        """Bind a channel, or refresh it, and permit its peer; False: too many.

        The caller has seen that neither is bound otherwise.
        """
        allocation.drop_expired(now)
        fresh = number not in allocation.channels
        if fresh and len(allocation.channels) >= self._limits.channels:
            return False
        if not self.permit(allocation, {port}, now):
            return False
        expires = now + self._limits.channel_lifetime
        allocation.channels[number] = Channel(port, expires, Route(None, None, 0, -1))
        allocation.numbers[port] = number
        return True

    def touch(self) -> None:
        """Have all routes worked out anew."""
        self.version += 1

    def route(self, source: Allocation, port: int, now: float) -> Route:
        """Work out the way from an allocation to a relayed port."""
        target = self._by_port.get(port)
        nowhere = Route(None, None, float("inf"), self.version)
        if target is None or target.expires <= now:
            return nowhere
        until = min(
            source.expires,
            target.expires,
            source.permits_until(target.owner.id),
            target.permits_until(source.owner.id),
        )
        if until <= now:
            return nowhere
        number = target.numbers.get(source.port)
        if number is not None:
            ends = target.channels[number].expires
            number = number if ends > now else None
            until = min(until, ends) if number is not None else until
        return Route(target, number, until, self.version)

    def _free_port(self, even: bool) -> int:
        while True:
            port = MIN_PORT + secrets.randbelow(MAX_PORT - MIN_PORT + 1)
            if port not in self._by_port and not (even and port % 2):
                return port
