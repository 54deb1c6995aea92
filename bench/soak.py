"""Lets peers come, talk, break off, resume and go over both transports, for as long as is asked.

Owns that load, and the judgement whether the server's memory, tasks, threads and descriptors stay
flat.
"""

import asyncio
import itertools
import json
import random
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.brokers import Broker, lenscast
from bench.peers import Lenscast, Peer, set_up
from bench.phases import LoadError
from bench.trials import say

RESUME_SECONDS = 3.0
GROWTH = 0.05
"""By how much memory may grow from the middle of the run to its end and still count as flat."""

_PAIRS = 40
_LINES = 20
_TICK_SECONDS = 5.0  # The server looks for lost peers so often.
_TALK = 20
_PAUSE_SECONDS = 0.2

_DIALECTS = (Lenscast("WebSocket"), Lenscast("HTTP"))
_rooms = itertools.count()


@dataclass(frozen=True)
class Reading:
    """The server at one time. `seconds` since the start; `memory` in bytes."""

    seconds: float
    peers: int
    memory: int
    tasks: int
    threads: int
    descriptors: int

    def line(self) -> str:
        """A row of the table."""
        return (
            f"| {self.seconds / 60:.1f} | {self.peers} | {self.memory / 2**20:.1f} | "
            f"{self.tasks} | {self.threads} | {self.descriptors} |"
        )


async def soak(core: int, seconds: float) -> int:
    """Run it and print readings; 0 where all stays flat, else 1.

    Parameters
    ----------
    core: the core the server runs on.
    seconds: how long peers come and go; some more go by until the last is forgotten.

    Raises
    ------
    LoadError: the server did not do what it should.
    """
    with lenscast(core, resume_seconds=RESUME_SECONDS) as broker:
        begin = time.monotonic()
        done: Counter[str] = Counter()
        await _come_and_go(broker.port, begin + 1, done)  # So that all is loaded once.
        await _forgotten()
        done.clear()
        rest = _read(broker, begin)
        print("| minutes | peers | memory, MiB | tasks | threads | descriptors |")
        print("|---:|---:|---:|---:|---:|---:|")
        print(rest.line(), flush=True)
        readings = await _watch(broker, begin, seconds, done)
        await _forgotten()
        end = _read(broker, begin)
        print(end.line())
    print(f"\n{', '.join(f'{name}: {count:,}' for name, count in sorted(done.items()))}.")
    return _judge(rest, readings, end)


async def _watch(
    broker: Broker, begin: float, seconds: float, done: "Counter[str]"
) -> list[Reading]:
    """Print readings while peers come and go."""
    readings = []
    until = time.monotonic() + seconds
    work = asyncio.create_task(_come_and_go(broker.port, until, done))
    while not work.done():
        await asyncio.wait([work], timeout=seconds / _LINES)
        if not work.done():
            readings.append(await asyncio.to_thread(_read, broker, begin))
            print(readings[-1].line(), flush=True)
    await work
    return readings


async def _come_and_go(port: int, until: float, done: "Counter[str]") -> None:
    async def work() -> None:
        while time.monotonic() < until:
            await _one_pair(port, done)

    await asyncio.gather(*(work() for _ in range(_PAIRS)))


async def _one_pair(port: int, done: "Counter[str]") -> None:
    """The life of one pair: each leaves, or breaks off for good, or breaks off and resumes."""
    room = f"soak-{next(_rooms)}"
    sender, receiver = [
        await Peer.join(random.choice(_DIALECTS), port, room, role)  # noqa: S311
        for role in ("sender", "receiver")
    ]
    await _talk(sender, receiver)
    done["sessions"] += 1
    if random.random() < 0.5:  # noqa: S311
        sender = await _resume(sender, port, room)
        await _talk(sender, receiver)
        done["resumed"] += 1
    for peer in (sender, receiver):
        if peer.lost or peer.errors:
            raise LoadError(f"A peer was lost, or told of {peer.errors}.")
        if random.random() < 0.5:  # noqa: S311
            peer.leave()
            done["left"] += 1
        else:
            peer.break_off()
            done["broken off"] += 1


async def _resume(peer: Peer, port: int, room: str) -> Peer:
    """Break off, or leave the old connection to be replaced, and come back by either transport."""
    if random.random() < 0.5:  # noqa: S311
        peer.break_off()
    back = await Peer.join(
        random.choice(_DIALECTS),  # noqa: S311
        port,
        room,
        "sender",
        peer.resume,
    )
    if back.resume != peer.resume:
        raise LoadError("A peer came back as another.")
    return back


async def _talk(sender: Peer, receiver: Peer) -> None:
    await set_up(sender, receiver)
    for number in range(_TALK):
        sender.send("candidate", f"candidate:{number}")
        receiver.send("candidate", f"candidate:{number}")
    await asyncio.sleep(random.random() * _PAUSE_SECONDS)  # noqa: S311


async def _forgotten() -> None:
    """Wait until the server has given up on those who have not come back."""
    say("waiting until peers that are away are forgotten")
    await asyncio.sleep(RESUME_SECONDS + 2 * _TICK_SECONDS)


def _read(broker: Broker, begin: float) -> Reading:
    with urllib.request.urlopen(f"http://127.0.0.1:{broker.port}/healthz", timeout=5) as answer:
        health = json.load(answer)
    return Reading(
        time.monotonic() - begin,
        health["peers"],
        broker.memory(),
        broker.tasks(),
        broker.threads(),
        broker.descriptors(),
    )


def _judge(rest: Reading, readings: Sequence[Reading], end: Reading) -> int:
    """Compare the second half's memory, and what is left at rest; print it, give the exit code."""
    half = readings[len(readings) // 2 :]
    quarter = max(1, len(half) // 2)
    early = sum(reading.memory for reading in half[:quarter]) / quarter
    late = sum(reading.memory for reading in half[-quarter:]) / quarter
    growth = late / early - 1
    findings = {
        f"Memory from the third quarter to the fourth: {growth:+.1%}.": growth <= GROWTH,
        f"Peers at rest: {end.peers}.": end.peers == 0,
        f"Tasks at rest: {rest.tasks} before, {end.tasks} after.": end.tasks <= rest.tasks,
        f"Threads at rest: {rest.threads} before, {end.threads} after.": (
            end.threads <= rest.threads
        ),
        f"Descriptors at rest: {rest.descriptors} before, {end.descriptors} after.": (
            end.descriptors <= rest.descriptors
        ),
    }
    for sentence, flat in findings.items():
        print(f"{sentence} {'Flat.' if flat else 'NOT flat.'}")
    return 0 if all(findings.values()) else 1
