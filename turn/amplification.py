"""Keeps the relay from being used to flood others with answers to forged requests.

Over UDP anyone can write any source address into a packet. The answer then goes to somebody who
never asked, and if it is larger than the request, the attack becomes larger. So an answer to a
request that carries no proof of its origin is at most twice as large as the request. Larger ones
are allowed now and then, by network: those of an empty Allocate request, and of STUN over IPv6.
"""

from ipaddress import ip_address

from turn.limits import RelayLimits, TokenBucket

FACTOR = 2
BUCKETS = 4096
"""Networks are counted in this many buckets. Those that share one also share its rate."""

_IPV4_BYTES = 3  # /24 and /56, as the response rate limits of DNS servers count networks.
_IPV6_BYTES = 7


class Amplification:
    """Decides which answers may be sent to addresses that nobody has proven to be right."""

    def __init__(self, limits: RelayLimits) -> None:
        self._limits = limits
        self._buckets: dict[int, TokenBucket] = {}

    def allows(self, address: str, request: int, answer: int, now: float) -> bool:
        """Whether a request may be answered.

        Parameters
        ----------
        address: the IP address where the answer would go.
        request, answer: their sizes in bytes.
        now: seconds of a clock that does not go back.
        """
        if answer <= FACTOR * request:
            return True
        # The hash of bytes has a random key (PEP 456), so nobody can aim at another's bucket.
        number = hash(_network(address)) % BUCKETS
        bucket = self._buckets.get(number)
        if bucket is None:
            limits = self._limits
            bucket = TokenBucket(limits.large_answers_per_second, limits.large_answers, now)
            self._buckets[number] = bucket
        return bucket.take(1, now)


def _network(address: str) -> bytes:
    parsed = ip_address(address)
    return parsed.packed[: _IPV4_BYTES if parsed.version == 4 else _IPV6_BYTES]
