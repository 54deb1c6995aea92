"""The relay's table: allocations, their permissions and channels (RFC 8656).

Owns what is allocated, who may send to whom, and when it ends. Pure: no socket, no clock.

A relayed address is an entry in this table, not a socket: it can reach nothing but other entries.
All relayed addresses share one host, and RFC 8656 9 makes a permission count for an IP address. By
the letter, one permission would therefore open an allocation to everybody here. Instead, a
permission counts for the *peer* whose relayed address it names, and data passes only if both sides
permit each other. A permission covers all relayed addresses of that peer, because Firefox asks once
for each IP address, whatever the port.

Data also passes only within a room: to other rooms, a port is like one that nobody has.
"""

import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from turn.limits import RelayLimits, TokenBucket
from turn.stun import Attribute, attribute, xor_address

RELAY_HOST = "192.0.0.8"
"""The host of all relayed addresses: IPv4's dummy address (RFC 7600), which nobody routes."""
RELAY_ADDRESS = IPv4Address(RELAY_HOST)

MIN_PORT = 1024
MAX_PORT = 65535


class Client(Protocol):
    """One 5-tuple: where a client's packets come from and go to.

    Attributes
    ----------
    name: transport, address and port, as text.
    address: host and port, as this server sees them.
    forgeable: whether somebody else may have written the address into a request.
    allocation: the client's allocation; the table sets it.
    """

    name: str
    address: tuple[str, int]
    forgeable: bool
    allocation: "Allocation | None"

    def send(self, data: bytes | memoryview) -> bool:
        """Send one message, or drop it rather than wait. Return whether it was sent."""


class Owner:
    """A peer that has allocations, all of them for one room."""

    __slots__ = ("allocations", "bucket", "id", "room")

    def __init__(self, peer_id: str, room: str, bucket: TokenBucket) -> None:
        self.id = peer_id
        self.room = room
        self.bucket = bucket
        self.allocations: set[Allocation] = set()


@dataclass(slots=True)
class Permission:
    """Permission for one peer to send here. `peer_id` is None while nobody has the port."""

    peer_id: str | None
    expires: float


@dataclass(slots=True, eq=False)
class Channel:
    """A number that stands for a relayed port, and the route there as last computed."""

    port: int
    expires: float
    route: "Route"


@dataclass(slots=True, eq=False)
class Route:
    """Where data goes.

    Attributes
    ----------
    target: the receiver; None if the data may not be sent.
    channel: the number by which the target knows the source; None: send a Data indication.
    until: when the route must be computed again. That is also needed when the table's version
        has changed.
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
        """The channel number of each port that has one."""
        # How other peers see this address. Only an IPv6 address needs the transaction id.
        peer = xor_address(RELAY_HOST, port, b"")
        self.peer_attribute = attribute(Attribute.XOR_PEER_ADDRESS, peer)
        # The request that made this allocation, and its answer, for when the request is repeated.
        self.transaction = b""
        self.answer: list[tuple[int, bytes]] = []

    def permits_until(self, peer_id: str) -> float:
        """When the permission for a peer to send here ends; 0 if there is none."""
        ends = [p.expires for p in self.permissions.values() if p.peer_id == peer_id]
        return max(ends, default=0)

    def drop_expired(self, now: float) -> None:
        """Forget permissions and channels that have expired."""
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
        """Increases whenever a route may have changed."""

    def __len__(self) -> int:
        return len(self._by_port)

    def count_of(self, peer_id: str) -> int:
        """How many allocations a peer has."""
        owner = self._owners.get(peer_id)
        return len(owner.allocations) if owner else 0

    def is_full(self) -> bool:
        """Whether there is no room for another allocation."""
        return len(self._by_port) >= min(self._limits.allocations, (MAX_PORT - MIN_PORT) // 2)

    def add(
        self,
        client: Client,
        peer_id: str,
        room: str,
        username: bytes,
        lifetime: float,
        now: float,
        *,
        even: bool = False,
    ) -> Allocation:
        """Allocate a relayed address that nobody can guess from other addresses."""
        owner = self._owners.get(peer_id)
        if owner is None:
            rate = self._limits.bytes_per_second
            bucket = TokenBucket(rate, burst=rate, now=now)
            owner = self._owners[peer_id] = Owner(peer_id, room, bucket)
        allocation = Allocation(client, owner, username, self._free_port(even), now + lifetime)
        self._by_port[allocation.port] = allocation
        owner.allocations.add(allocation)
        # No route changes, because a new allocation permits nobody yet.
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
        """Delete all allocations of one peer."""
        owner = self._owners.get(peer_id)
        for allocation in list(owner.allocations) if owner else ():
            self.remove(allocation)

    def live(self, client: Client, now: float) -> Allocation | None:
        """Return the allocation of a client, if it has one that has not expired."""
        allocation = client.allocation
        if allocation is not None and allocation.expires <= now:
            self.remove(allocation)
            return None
        return allocation

    def sweep(self, now: float) -> None:
        """Delete everything that has expired."""
        for allocation in list(self._by_port.values()):
            if allocation.expires <= now:
                self.remove(allocation)
            else:
                allocation.drop_expired(now)

    def permit(self, allocation: Allocation, ports: set[int], now: float) -> bool:
        """Let the peers with these relayed ports send to an allocation. False: too many."""
        allocation.drop_expired(now)
        if len(allocation.permissions.keys() | ports) > self._limits.permissions:
            return False
        for port in ports:
            known = allocation.permissions.get(port)
            # The permission is for the peer that had the port first, not for a later owner.
            peer_id = known.peer_id if known else None
            if peer_id is None and (named := self._by_port.get(port)) is not None:
                peer_id = named.owner.id
            expires = now + self._limits.permission_lifetime
            allocation.permissions[port] = Permission(peer_id, expires)
        self.version += 1
        return True

    def bind(self, allocation: Allocation, number: int, port: int, now: float) -> bool:
        """Bind a channel, or refresh it, and permit its peer. False: too many.

        The caller must check that neither the number nor the port is bound to something else.
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
        """Make every route be computed again."""
        self.version += 1

    def route(self, source: Allocation, port: int, now: float) -> Route:
        """Compute the route from an allocation to a relayed port."""
        target = self._by_port.get(port)
        nowhere = Route(None, None, float("inf"), self.version)
        if target is None or target.expires <= now or target.owner.room != source.owner.room:
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
