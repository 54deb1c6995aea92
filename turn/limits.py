"""The limits of the embedded relay, a token bucket, and what one address counts as."""

import functools
import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class RelayLimits:
    """How much the relay allows.

    Attributes
    ----------
    allocations_per_peer, allocations: at the same time.
    permissions, channels: per allocation.
    bytes_per_second: what one peer may send, over all its allocations.
    tcp_connections: at the same time.
    tcp_connections_per_address: at the same time, counting only connections without an
        allocation. The others have shown credentials, and many may come from behind one NAT.
    tcp_buffer_bytes: how much may wait for one TCP client; packets beyond that are dropped.
    large_answers_per_second, large_answers: to requests over UDP that nobody has signed, for each
        network; the second one is for bursts. Large are those of more than twice the request.
    tcp_idle: seconds that a TCP connection may stay without an allocation.
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
    large_answers_per_second: float = 50
    large_answers: int = 500
    tcp_idle: float = 30
    default_lifetime: int = 600
    max_lifetime: int = 3600
    permission_lifetime: float = 300
    channel_lifetime: float = 600
    nonce_lifetime: float = 600


class TokenBucket:
    """A rate limit that allows short bursts. The bucket starts full.

    Parameters
    ----------
    rate: tokens added per second: bytes, messages, or whatever is being limited.
    burst: the most tokens that the bucket holds.
    now: seconds of a clock that does not go back, as in `take`.
    """

    __slots__ = ("_burst", "_last", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._last = now

    def take(self, size: float, now: float) -> bool:
        """Take this many tokens and return True, or take none if there are too few."""
        tokens = self._tokens
        if now > self._last:
            tokens = min(self._burst, tokens + (now - self._last) * self._rate)
            self._last = now
        if tokens < size:
            self._tokens = tokens
            return False
        self._tokens = tokens - size
        return True


@functools.lru_cache(maxsize=1024)
def counted_as(address: str) -> str:
    """The key under which an address is counted.

    An IPv6 address counts as its /64 network, because one host may use all of that (RFC 6177,
    RFC 4862); an IPv4-mapped one as the IPv4 address. Text that is not an address is returned
    unchanged.
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
