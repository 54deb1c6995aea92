"""Lets peers join, talk, lose their connection, resume and leave, for as long as you like.

At the end it says whether the server's memory, tasks, threads and descriptors have grown.
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

from bench.shared.progress import say
from bench.signaling.peers import Lenscast, Peer, set_up
from bench.signaling.phases import LoadError
from bench.signaling.servers import Server, lenscast

RESUME_SECONDS = 3.0
GROWTH = 0.05
"""How much memory may grow from the third quarter to the fourth and still count as flat."""

_PAIRS = 40
_LINES = 20
_TICK_SECONDS = 5.0  # How often the server looks for lost peers.
_TALK = 20
_PAUSE_SECONDS = 0.2

_DIALECTS = (Lenscast("WebSocket"), Lenscast("HTTP"))
_rooms = itertools.count()


@dataclass(frozen=True)
class Reading:
    """The state of the server, `seconds` after the start. `memory` is in bytes."""

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
    """Run the soak and print readings. Returns 0 if nothing has grown, else 1.

    Parameters
    ----------
    core: the core that the server runs on.
    seconds: how long peers come and go. It takes a little longer until the last is forgotten.

    Raises
    ------
    LoadError: the server did not do what a client asked for.
    """
    with lenscast(core, resume_seconds=RESUME_SECONDS) as server:
        begin = time.monotonic()
        done: Counter[str] = Counter()
        await _come_and_go(server.port, begin + 1, done)  # Afterwards all code is loaded.
        await _forgotten()
        done.clear()
        rest = _read(server, begin)
        print("| minutes | peers | memory, MiB | tasks | threads | descriptors |")
        print("|---:|---:|---:|---:|---:|---:|")
        print(rest.line(), flush=True)
        readings = await _watch(server, begin, seconds, done)
        await _forgotten()
        end = _read(server, begin)
        print(end.line())
    print(f"\n{', '.join(f'{name}: {count:,}' for name, count in sorted(done.items()))}.")
    return _judge(rest, readings, end)


async def _watch(
    server: Server, begin: float, seconds: float, done: "Counter[str]"
) -> list[Reading]:
    """Print readings while peers come and go."""
    readings = []
    until = time.monotonic() + seconds
    work = asyncio.create_task(_come_and_go(server.port, until, done))
    while not work.done():
        await asyncio.wait([work], timeout=seconds / _LINES)
        if not work.done():
            readings.append(await asyncio.to_thread(_read, server, begin))
            print(readings[-1].line(), flush=True)
    await work
    return readings


async def _come_and_go(port: int, until: float, done: "Counter[str]") -> None:
    async def work() -> None:
        while time.monotonic() < until:
            await _one_pair(port, done)

    await asyncio.gather(*(work() for _ in range(_PAIRS)))


async def _one_pair(port: int, done: "Counter[str]") -> None:
    """The life of one pair. Each peer leaves or just disconnects; the sender may resume before."""
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
            raise LoadError(f"A peer lost its connection, or received errors: {peer.errors}.")
        if random.random() < 0.5:  # noqa: S311
            peer.leave()
            done["left"] += 1
        else:
            peer.break_off()
            done["broken off"] += 1


async def _resume(peer: Peer, port: int, room: str) -> Peer:
    """Come back over either transport, with the old connection closed or still open."""
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
        raise LoadError("A peer resumed, but the server took it for a new one.")
    return back


async def _talk(sender: Peer, receiver: Peer) -> None:
    await set_up(sender, receiver)
    for number in range(_TALK):
        sender.send("candidate", f"candidate:{number}")
        receiver.send("candidate", f"candidate:{number}")
    await asyncio.sleep(random.random() * _PAUSE_SECONDS)  # noqa: S311


async def _forgotten() -> None:
    """Wait until the server has forgotten the peers that do not come back."""
    say("waiting until the server forgets the peers that are away")
    await asyncio.sleep(RESUME_SECONDS + 2 * _TICK_SECONDS)


def _read(server: Server, begin: float) -> Reading:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
        health = json.load(answer)
    return Reading(
        time.monotonic() - begin,
        health["peers"],
        server.memory(),
        server.tasks(),
        server.threads(),
        server.descriptors(),
    )


def _judge(rest: Reading, readings: Sequence[Reading], end: Reading) -> int:
    """Judge memory in the second half, and what remains at rest. Returns the exit code."""
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
