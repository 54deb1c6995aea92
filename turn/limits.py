"""How much the embedded relay allows, how fast a peer may send, and what an address counts as.

Imports nothing of the project.
"""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class RelayLimits:
    """What the relay allows.

    Attributes
    ----------
    allocations_per_peer, allocations: at once.
    permissions, channels: for one allocation.
    bytes_per_second: what one peer may send, over all its allocations.
    tcp_connections: at once.
    tcp_connections_per_address: at once, of those without an allocation. The others have shown
        credentials, and many of them may come from behind one NAT.
    tcp_buffer_bytes: what may wait for one TCP client; further packets are dropped.
    tcp_idle: seconds that a TCP connection may be without an allocation.
    default_lifetime, max_lifetime: of allocations, in seconds.
    permission_lifetime, channel_lifetime, nonce_lifetime: in seconds.
    """

    allocations_per_peer: int = 20
    allocations: int = 1000
    permissions: int = 64
    channels: int = 64
    bytes_per_second: int = 4_000_000
    tcp_connections: int = 500
    tcp_connections_per_address: int = 64
    tcp_buffer_bytes: int = 262_144
    tcp_idle: float = 30
    default_lifetime: int = 600
    max_lifetime: int = 3600
    permission_lifetime: float = 300
    channel_lifetime: float = 600
    nonce_lifetime: float = 600


class TokenBucket:
    """Lets `rate` a second through, and `burst` at once.

    Parameters
    ----------
    rate, burst: in whatever `take` counts, such as bytes or messages.
    now: seconds of a clock that only goes forward, as in `take`.
    """

    __slots__ = ("_burst", "_last", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._last = now

    def take(self, size: float, now: float) -> bool:
        """Take so many, if they are there."""
        tokens = self._tokens
        if now > self._last:
            tokens = min(self._burst, tokens + (now - self._last) * self._rate)
            self._last = now
        if tokens < size:
            self._tokens = tokens
            return False
        self._tokens = tokens - size
        return True


def counted_as(address: str) -> str:
    """What an address counts as: IPv6 by its /64, which is what one host is given (RFC 6177 and
    RFC 4862), IPv4 inside IPv6 as the IPv4 address; what is no address by itself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
