"""The three loads on a signaling server: idle peers, candidates to forward, sessions to set up."""

import asyncio
import gc
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.signaling.peers import Dialect, Peer, set_up
from bench.signaling.servers import Server

HEARTBEAT_SECONDS = 5.0
"""How often PeerJS's own client sends its heartbeat."""
PAIRS = 500
PER_PEER = 0.4
"""Candidates that each peer sends per second."""

_JOINING = 32
_SETTING_UP = 16
_WARM_UP_PAIRS = 25
_DRAIN_SECONDS = 1.0
_ARRIVAL_SECONDS = 10.0

_rooms = itertools.count()


class LoadError(Exception):
    """A server did not do what a client asked for. The message says what."""


@dataclass(frozen=True)
class Idle:
    """Peers that send nothing. `memory`: bytes for each; `cpu`: the share of a core."""

    peers: int
    memory: float
    cpu: float


@dataclass(frozen=True)
class Forwarding:
    """Candidates that the server forwards. Times are in seconds.

    Attributes
    ----------
    cpu: the server's CPU time for each message.
    starved: the share of the time in which the server was ready to run but had no core.
    """

    median: float
    p99: float
    rate: float
    cpu: float
    starved: float


@dataclass(frozen=True)
class SetUps:
    """Sessions set up per second, and the server's CPU seconds for each."""

    rate: float
    cpu: float

    @property
    def busy(self) -> float:
        """The share of its core that the server used meanwhile."""
        return self.rate * self.cpu


@dataclass(frozen=True)
class Figures:
    """All results of one server."""

    title: str
    idle: Idle
    forwarding: Forwarding
    set_ups: SetUps


async def join_pairs(dialect: Dialect, port: int, count: int) -> list[tuple[Peer, Peer]]:
    """Let pairs of a sender and a receiver join, each pair in its own room."""
    gate = asyncio.Semaphore(_JOINING)

    async def join() -> tuple[Peer, Peer]:
        room = f"bench-{next(_rooms)}"
        async with gate:
            sender = await Peer.join(dialect, port, room, "sender")
            return sender, await Peer.join(dialect, port, room, "receiver")

    return await asyncio.gather(*(join() for _ in range(count)))


async def idle(dialect: Dialect, server: Server, count: int, seconds: float) -> Idle:
    """Let peers join and do nothing but send their heartbeats.

    Parameters
    ----------
    count: how many peers, an even number.
    seconds: how long to measure CPU time once all have joined.

    Raises
    ------
    LoadError: a peer lost its connection.
    """
    leave(await join_pairs(dialect, server.port, _WARM_UP_PAIRS))
    await asyncio.sleep(_DRAIN_SECONDS)
    empty = server.memory()
    pairs = await join_pairs(dialect, server.port, count // 2)
    peers = [peer for pair in pairs for peer in pair]
    beating = asyncio.create_task(_beat(peers))
    await asyncio.sleep(_DRAIN_SECONDS)
    memory = (server.memory() - empty) / count
    cpu, begin = server.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (server.cpu_seconds() - cpu) / (time.monotonic() - begin)
    if not beating.cancel():
        await beating
    check(peers)
    leave(pairs)
    return Idle(count, memory, share)


async def forward(dialect: Dialect, server: Server, seconds: float) -> Forwarding:
    """Let PAIRS pairs exchange candidates at a steady rate.

    Raises
    ------
    LoadError: a candidate did not arrive.
    """
    pairs = await join_pairs(dialect, server.port, PAIRS)
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
        cpu, waited, begin = server.cpu_seconds(), server.waiting_seconds(), time.perf_counter()
        await _send_candidates(peers, rate, count)
        await _arrived(found, count)
        elapsed = time.perf_counter() - begin
        cpu, waited = server.cpu_seconds() - cpu, server.waiting_seconds() - waited
    check(peers)
    leave(pairs)
    percent = statistics.quantiles(found, n=100)
    return Forwarding(percent[49], percent[98], count / elapsed, cpu / count, waited / elapsed)


async def session_set_ups(dialect: Dialect, server: Server, seconds: float) -> SetUps:
    """Set up sessions, several at a time: in each, two peers join, offer and answer."""
    until = time.monotonic() + seconds

    async def work() -> int:
        done = 0
        while time.monotonic() < until:
            ((sender, receiver),) = await join_pairs(dialect, server.port, 1)
            await set_up(sender, receiver)
            leave([(sender, receiver)])
            done += 1
        return done

    cpu, begin = server.cpu_seconds(), time.monotonic()
    count = sum(await asyncio.gather(*(work() for _ in range(_SETTING_UP))))
    elapsed = time.monotonic() - begin
    return SetUps(count / elapsed, (server.cpu_seconds() - cpu) / count)


def check(peers: Sequence[Peer]) -> None:
    """Make sure that every peer still has its connection and has received no error.

    Raises
    ------
    LoadError: that is not so.
    """
    if lost := sum(peer.lost for peer in peers):
        raise LoadError(f"{lost} of {len(peers)} peers lost their connection.")
    if errors := {error for peer in peers for error in peer.errors}:
        raise LoadError(f"The server refused messages: {', '.join(sorted(errors))}.")


def leave(pairs: Sequence[tuple[Peer, Peer]]) -> None:
    """Let all peers say goodbye."""
    for pair in pairs:
        for peer in pair:
            peer.leave()


async def _beat(peers: Sequence[Peer]) -> None:
    """Send the heartbeats of all peers in turn, spread evenly over time."""
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
    """Switch off this process's garbage collection, whose pauses would show in the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
