"""Who may connect, and who may try a key: counted for each address, and refused past the limits.

Owns these counts and nothing else. Pure: the time comes in, in seconds of a clock that does not go
back. Imports `errors`, `config` and `turn.limits`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from signaling.config import Limits
from signaling.room.refusal import Code, Refusal
from turn.limits import counted_as

T = TypeVar("T")

MAX_ADDRESSES = 4096
"""Addresses that each table remembers; one more forgets the one not heard of for longest."""

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
FORGIVEN_AFTER = 300.0
"""Seconds without a wrong key after which an address begins anew."""


@dataclass(slots=True)
class _Lately:
    """How much has come lately: up by one each time, down by a rate, never below nothing."""

    amount: float
    seen: float

    def drain(self, rate: float, now: float) -> float:
        """Let go of what `rate` a second has taken off by now; give what is left."""
        self.amount = max(0.0, self.amount - max(0.0, now - self.seen) * rate)
        self.seen = now
        return self.amount


@dataclass(slots=True)
class _WrongKeys:
    lately: _Lately
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
        self._arrivals: dict[str, _Lately] = {}
        self._wrong_keys: dict[str, _WrongKeys] = {}

    def connect(self, address: str, now: float) -> None:
        """Count one more connection of an address; `disconnect` takes it back.

        Raises
        ------
        Refusal: too-many-connections; nothing was counted.
        """
        who = counted_as(address)
        limits = self._limits
        if self._total >= limits.connections:
            raise _too_many("This server has no more room for connections. Try again later.")
        if self._open.get(who, 0) >= limits.connections_per_address:
            raise _too_many("Too many connections are open from this address. Close some first.")
        rate = limits.connections_per_second
        lately = _entry(self._arrivals, who, lambda: _Lately(0.0, now))
        if lately.drain(rate, now) + 1 > max(1.0, rate):
            raise _too_many("Connections come too fast from this address. Try again in a second.")
        lately.amount += 1
        self._total += 1
        self._open[who] = self._open.get(who, 0) + 1

    def disconnect(self, address: str) -> None:
        """Take one connection back that `connect` has counted."""
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
        """Whether this address may try a key now; to be asked before the key is looked at.

        Raises
        ------
        Refusal: too-many-attempts; the sentence says how many seconds to wait.
        """
        entry = self._wrong_keys.get(counted_as(address))
        if entry is not None and now < entry.until:
            wait = math.ceil(entry.until - now)
            raise Refusal(
                Code.TOO_MANY_ATTEMPTS,
                f"Too many wrong keys came from this address. Try again in {wait} s.",
            )

    def wrong_key(self, address: str, now: float) -> None:
        """Count a wrong key. Past the limit each one doubles the delay, from 1 s up to 60 s."""
        limit = self._limits.failed_keys_per_minute
        who = counted_as(address)
        entry = _entry(self._wrong_keys, who, lambda: _WrongKeys(_Lately(0.0, now)))
        if now - entry.lately.seen >= FORGIVEN_AFTER:
            entry.lately.amount = entry.delay = 0.0
        entry.lately.drain(limit / 60, now)
        entry.lately.amount += 1
        # Once an address has gone too far each further one counts: who waits out the delay and
        # guesses on would otherwise have a whole minute's worth of guesses again.
        if entry.delay or entry.lately.amount > limit:
            entry.delay = min(entry.delay * 2 or FIRST_DELAY, LONGEST_DELAY)
            entry.until = now + entry.delay


def _entry(table: dict[str, T], who: str, make: Callable[[], T]) -> T:
    """The entry of an address, made if there is none, now the youngest of its table."""
    entry = table.pop(who) if who in table else make()
    table[who] = entry
    if len(table) > MAX_ADDRESSES:
        del table[next(iter(table))]
    return entry


def _too_many(sentence: str) -> Refusal:
    return Refusal(Code.TOO_MANY_CONNECTIONS, sentence)
