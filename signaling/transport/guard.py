"""Limits how many connections and how many wrong keys one address may have.

Pure: the caller passes the time, in seconds of a clock that does not go back.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from signaling.config import Limits
from signaling.room.refusal import Code, Refusal
from turn.limits import TokenBucket, counted_as

T = TypeVar("T")

MAX_ADDRESSES = 4096
"""Addresses that each table remembers. A further one replaces the least recently seen."""

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
FORGIVEN_AFTER = 300.0
"""Seconds without a wrong key after which an address has no delay any more."""


@dataclass(slots=True)
class _WrongKeys:
    """The wrong keys of one address.

    Attributes
    ----------
    allowed: how many more cost nothing.
    seen: when the last one came.
    delay: seconds that it had to wait after the last one; 0 where that cost nothing.
    until: when the address may try again.
    """

    allowed: TokenBucket
    seen: float
    delay: float = 0.0
    until: float = -math.inf


class Guard:
    """Counts connections and wrong keys.

    Parameters
    ----------
    limits: how many of each.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._open: dict[str, int] = {}
        self._arrivals: dict[str, TokenBucket] = {}
        self._wrong_keys: dict[str, _WrongKeys] = {}

    def connect(self, address: str, now: float) -> None:
        """Count a new connection from an address, until `disconnect`.

        Raises
        ------
        Refusal: too-many-connections; the connection was not counted.
        """
        who = counted_as(address)
        limits = self._limits
        if self._total >= limits.connections:
            raise _too_many("This server cannot take more connections. Try again later.")
        if self._open.get(who, 0) >= limits.connections_per_address:
            raise _too_many("Too many connections are open from this address. Close some first.")
        rate = limits.connections_per_second
        bucket = _entry(self._arrivals, who, lambda: TokenBucket(rate, max(1.0, rate), now))
        if not bucket.take(1, now):
            raise _too_many("Too many new connections from this address. Try again in a second.")
        self._total += 1
        self._open[who] = self._open.get(who, 0) + 1

    def disconnect(self, address: str) -> None:
        """Stop counting a connection that `connect` has counted."""
        who = counted_as(address)
        there = self._open.get(who, 0)
        if there == 0:
            return
        self._total -= 1
        if there == 1:
            del self._open[who]
        else:
            self._open[who] = there - 1

    def check_key(self, address: str, now: float) -> None:
        """Refuse an address that must wait. Call it before looking at a key.

        Raises
        ------
        Refusal: too-many-attempts; the sentence says how many seconds to wait.
        """
        entry = self._wrong_keys.get(counted_as(address))
        if entry is not None and now < entry.until:
            wait = math.ceil(entry.until - now)
            raise Refusal(
                Code.TOO_MANY_ATTEMPTS,
                f"Too many wrong keys from this address. Try again in {wait} s.",
            )

    def wrong_key(self, address: str, now: float) -> None:
        """Count a wrong key. Above the limit each one doubles the delay, from 1 s up to 60 s."""
        limit = self._limits.failed_keys_per_minute
        who = counted_as(address)
        entry = _entry(
            self._wrong_keys, who, lambda: _WrongKeys(TokenBucket(limit / 60, limit, now), now)
        )
        if now - entry.seen >= FORGIVEN_AFTER:
            entry.delay = 0.0
        entry.seen = now
        # Once an address is above the limit, every further wrong key counts. Otherwise someone who
        # waits out the delay and goes on guessing would get a minute's worth of free guesses again.
        if not entry.allowed.take(1, now) or entry.delay:
            entry.delay = min(entry.delay * 2 or FIRST_DELAY, LONGEST_DELAY)
            entry.until = now + entry.delay

    def waiting(self, now: float) -> int:
        """How many addresses have to wait because of wrong keys."""
        return sum(now < entry.until for entry in self._wrong_keys.values())


def _entry(table: dict[str, T], who: str, make: Callable[[], T]) -> T:
    """The entry of an address, made if there is none; it becomes the most recent of its table."""
    entry = table.pop(who) if who in table else make()
    table[who] = entry
    if len(table) > MAX_ADDRESSES:
        del table[next(iter(table))]
    return entry


def _too_many(sentence: str) -> Refusal:
    return Refusal(Code.TOO_MANY_CONNECTIONS, sentence)
