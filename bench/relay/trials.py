"""Trials of a relay: how much it carries, how much CPU time that takes, and how fast it is."""

import os
import statistics
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from bench.relay.load import Batches, Count, Pair, latencies
from bench.relay.servers import Server
from bench.shared.processes import waiting_seconds
from bench.shared.progress import say

LOSS = 0.001
SHARED_RATE = 10_000
LATENCY_RATE = 1_000
LATENCY_COUNT = 1_000
FLOOD_ROUNDS = 3

_FIRST_RATE = 8_000
_BISECTIONS = 4
_DOUBLING_SECONDS = 1.0
_SEARCH_SECONDS = 1.5
_FINAL_SECONDS = 2.0
_SHARED_SECONDS = 3.0
_FLOOD_SECONDS = 1.0
_STEP_BACK = 0.96
_KEPT_PACE = 0.97
_TRIES = 2
_TRIES_DISTURBED = 4
_UNDISTURBED = 0.01


@dataclass
class Latencies:
    """Latencies one way, in microseconds; one value for each round."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def add_round(self, pair: Pair) -> None:
        """Measure one more round."""
        found = statistics.quantiles(latencies(pair, LATENCY_RATE, LATENCY_COUNT), n=100)
        self.p50.append(found[49])
        self.p99.append(found[98])


@dataclass(frozen=True)
class Trial:
    """One run of the load.

    Attributes
    ----------
    cpu: the relay's CPU time, in seconds per million packets that arrived.
    waited: the share of the time in which the relay or the load generator was ready to run, but
        something else had its core.
    """

    count: Count
    cpu: float
    waited: float


@dataclass
class Column:
    """A relay under test, and its results."""

    title: str
    server: Server
    pair: Pair
    latencies: Latencies = field(default_factory=Latencies)
    shared: Trial | None = None
    best: Trial | None = None
    floods: list[Trial] = field(default_factory=list)
    generator_limited: bool = False
    cut_short: bool = False

    def run(self, rate: float, seconds: float) -> Trial:
        """Load the relay once."""
        cpu, waited = self.server.cpu_seconds(), self._waiting_seconds()
        count = Batches(self.pair).run(rate, seconds)
        cpu = (self.server.cpu_seconds() - cpu) / max(count.received, 1) * 1e6
        waited = (self._waiting_seconds() - waited) / count.seconds
        say(
            f"{self.title}: {count.rate:,.0f} packets/s, {count.loss:.3%} lost, "
            f"{cpu:.1f} CPU s per million, {waited:.1%} disturbed"
        )
        return Trial(count, cpu, waited)

    def _waiting_seconds(self) -> float:
        # The main thread relays, also in coturn: with one relay thread there is no other.
        return waiting_seconds(self.server.pid) + waiting_seconds(os.getpid())


def share(columns: Sequence[Column]) -> None:
    """Load all relays at the same modest rate."""
    for column in columns:
        column.shared = column.run(SHARED_RATE, _SHARED_SECONDS)


def search(column: Column, until: float) -> Generator[None, None, None]:
    """Find the highest rate that a relay carries: double, bisect, then confirm.

    Yields after each run, so that the relays can take turns: the speed of a virtual machine's cores
    changes within minutes.

    Parameters
    ----------
    column: receives the results.
    until: when to stop in any case, in seconds of the monotonic clock.
    """
    low, high = 0.0, float(_FIRST_RATE)
    while (yield from _carries(column, high, _DOUBLING_SECONDS, until)):
        low, high = high, high * 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if (yield from _carries(column, middle, _SEARCH_SECONDS, until)):
            low = middle
        else:
            high = middle
    while low and not (yield from _carries(column, low, _FINAL_SECONDS, until)):
        if time.monotonic() >= until:
            column.cut_short = True
            return
        low *= _STEP_BACK


def _carries(
    column: Column, rate: float, seconds: float, until: float
) -> Generator[None, None, bool]:
    """Whether a rate gets through with hardly any loss. There are several tries.

    Even on an idle machine the kernel is sometimes busy with other things.
    """
    for number in range(_TRIES_DISTURBED):
        if time.monotonic() >= until:
            return False
        trial = column.run(rate, seconds)
        yield
        count = trial.count
        limited = count.rate < _KEPT_PACE * rate or count.overflowed > 0
        if count.loss < LOSS and not limited:
            column.best = trial
            return True
        column.generator_limited = limited
        if trial.waited < _UNDISTURBED and number + 1 >= _TRIES:
            return False
    return False


def flood(columns: Sequence[Column]) -> None:
    """Send all relays the same rate: twice what the best of them carries."""
    rate = 2 * max(column.best.count.rate if column.best else _FIRST_RATE for column in columns)
    for _ in range(FLOOD_ROUNDS):
        for column in columns:
            column.floods.append(column.run(rate, _FLOOD_SECONDS))
