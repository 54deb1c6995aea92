"""What is measured of one signaling server: idle peers, forwarding, and setting up sessions.

Owns the loads and what they count.
"""

import asyncio
import gc
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.brokers import Broker
from bench.peers import Dialect, Peer, set_up

HEARTBEAT_SECONDS = 5.0
"""How often PeerJS's own client sends its heartbeat."""
PAIRS = 500
PER_PEER = 0.4
"""Candidates each peer sends in a second."""

_JOINING = 32
_SETTING_UP = 16
_WARM_UP_PAIRS = 25
_DRAIN_SECONDS = 1.0
_ARRIVAL_SECONDS = 10.0

_rooms = itertools.count()


class LoadError(Exception):
    """A server did not do what it was asked; the message says what."""


@dataclass(frozen=True)
class Idle:
    """Peers that say nothing. `memory`: bytes for each; `cpu`: the share of a core."""

    peers: int
    memory: float
    cpu: float


@dataclass(frozen=True)
class Forwarding:
    """Candidates on their way. Times in seconds; `cpu`: seconds for each message; `starved`: the
    share of the time for which the server was ready to run and had no core."""

    median: float
    p99: float
    rate: float
    cpu: float
    starved: float


@dataclass(frozen=True)
class SetUps:
    """Sessions set up: per second, and the server's CPU seconds for each."""

    rate: float
    cpu: float


@dataclass(frozen=True)
class Figures:
    """All that was measured of one server."""

    title: str
    idle: Idle
    forwarding: Forwarding
    set_ups: SetUps


async def join_pairs(dialect: Dialect, port: int, count: int) -> list[tuple[Peer, Peer]]:
    """Pairs of a sender and a receiver, each in a room of its own."""
    gate = asyncio.Semaphore(_JOINING)

    async def join() -> tuple[Peer, Peer]:
        room = f"bench-{next(_rooms)}"
        async with gate:
            sender = await Peer.join(dialect, port, room, "sender")
            return sender, await Peer.join(dialect, port, room, "receiver")

    return await asyncio.gather(*(join() for _ in range(count)))


async def idle(dialect: Dialect, broker: Broker, count: int, seconds: float) -> Idle:
    """Let peers join and do nothing but keep their heartbeat.

    Parameters
    ----------
    count: how many peers, an even number.
    seconds: for how long the CPU is measured, once all are there.

    Raises
    ------
    LoadError: a peer did not stay.
    """
    leave(await join_pairs(dialect, broker.port, _WARM_UP_PAIRS))
    await asyncio.sleep(_DRAIN_SECONDS)
    empty = broker.memory()
    pairs = await join_pairs(dialect, broker.port, count // 2)
    peers = [peer for pair in pairs for peer in pair]
    beating = asyncio.create_task(_beat(peers))
    await asyncio.sleep(_DRAIN_SECONDS)
    memory = (broker.memory() - empty) / count
    cpu, begin = broker.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (broker.cpu_seconds() - cpu) / (time.monotonic() - begin)
    if not beating.cancel():
        await beating
    check(peers)
    leave(pairs)
    return Idle(count, memory, share)


async def forward(dialect: Dialect, broker: Broker, seconds: float) -> Forwarding:
    """Let PAIRS pairs exchange candidates at a steady rate.

    Raises
    ------
    LoadError: one did not arrive.
    """
    pairs = await join_pairs(dialect, broker.port, PAIRS)
    peers = [peer for pair in pairs for peer in pair]
    found: list[float] = []
    for peer in peers:
        peer.on_candidate = lambda text: found.append(time.perf_counter() - float(text.split()[-1]))
    rate = len(peers) * PER_PEER
    count = int(rate * seconds)
    with _no_pauses():
        await _send_candidates(peers, rate, count // 10)
        await _arrived(found, count // 10)
        found.clear()
        cpu, waited, begin = broker.cpu_seconds(), broker.waiting_seconds(), time.perf_counter()
        await _send_candidates(peers, rate, count)
        await _arrived(found, count)
        elapsed = time.perf_counter() - begin
        cpu, waited = broker.cpu_seconds() - cpu, broker.waiting_seconds() - waited
    check(peers)
    leave(pairs)
    percent = statistics.quantiles(found, n=100)
    return Forwarding(percent[49], percent[98], count / elapsed, cpu / count, waited / elapsed)


async def session_set_ups(dialect: Dialect, broker: Broker, seconds: float) -> SetUps:
    """Set up sessions one after the other, several at a time: two peers join, offer and answer."""
    until = time.monotonic() + seconds

    async def work() -> int:
        done = 0
        while time.monotonic() < until:
            ((sender, receiver),) = await join_pairs(dialect, broker.port, 1)
            await set_up(sender, receiver)
            leave([(sender, receiver)])
            done += 1
        return done

    cpu, begin = broker.cpu_seconds(), time.monotonic()
    count = sum(await asyncio.gather(*(work() for _ in range(_SETTING_UP))))
    elapsed = time.monotonic() - begin
    return SetUps(count / elapsed, (broker.cpu_seconds() - cpu) / count)


def check(peers: Sequence[Peer]) -> None:
    """Every peer is still there and was told of no error.

    Raises
    ------
    LoadError: one is not.
    """
    if lost := sum(peer.lost for peer in peers):
        raise LoadError(f"{lost} of {len(peers)} peers lost their connection.")
    if errors := {error for peer in peers for error in peer.errors}:
        raise LoadError(f"The server refused messages: {', '.join(sorted(errors))}.")


def leave(pairs: Sequence[tuple[Peer, Peer]]) -> None:
    """All say goodbye."""
    for pair in pairs:
        for peer in pair:
            peer.leave()


async def _beat(peers: Sequence[Peer]) -> None:
    """One heartbeat after the other, spread over the time between two of one peer."""
    for number, peer in enumerate(itertools.cycle(peers)):
        peer.beat()
        if number % 10 == 0:
            await asyncio.sleep(HEARTBEAT_SECONDS / len(peers) * 10)


async def _send_candidates(peers: Sequence[Peer], rate: float, count: int) -> None:
    begin = time.perf_counter()
    for number, peer in enumerate(itertools.islice(itertools.cycle(peers), count)):
        await asyncio.sleep(begin + number / rate - time.perf_counter())
        head = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host generation"
        peer.send("candidate", f"{head} {time.perf_counter()!r}")


async def _arrived(found: Sequence[float], count: int) -> None:
    until = time.monotonic() + _ARRIVAL_SECONDS
    while len(found) < count:
        if time.monotonic() > until:
            raise LoadError(f"Of {count} candidates only {len(found)} arrived.")
        await asyncio.sleep(0.05)


@contextmanager
def _no_pauses() -> Iterator[None]:
    """Without the garbage collection of this process, which would be in the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
