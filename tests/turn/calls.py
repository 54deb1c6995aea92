"""Calls over the embedded relay that come and go, and what the relay holds because of them."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from pathlib import Path

from aioice.turn import TurnClientTcpProtocol, TurnClientUdpProtocol

from tests.turn.client import RunningTurn

PACKET = b"v" * 1200
PACKETS_PER_SECOND = 125  # 1.2 Mbit/s, as a camera at 720p.
_ARRIVAL_SECONDS = 20.0
_SETTLING_SECONDS = 20.0

TurnClient = TurnClientUdpProtocol | TurnClientTcpProtocol


class Counter(asyncio.DatagramProtocol):
    """Counts what arrives at a relayed address."""

    def __init__(self) -> None:
        self.packets = 0
        self.first = asyncio.Event()

    def datagram_received(self, _data: bytes, _addr: tuple[str, int]) -> None:
        self.packets += 1
        self.first.set()


class Call:
    """Two peers of the relay, one of which sends to the other."""

    def __init__(self, running: RunningTurn, name: str, chance: random.Random) -> None:
        self._running = running
        self._names = (f"{name}-a", f"{name}-b")
        self._chance = chance
        self.sent = 0
        self.inbox = Counter()

    async def run(self, seconds: float) -> None:
        """Connect, send at a camera's rate, and leave, with or without a goodbye."""
        ends = [await self._join(name) for name in self._names]
        try:
            addresses = [await client.connect() for client in ends]
            ends[1].receiver = self.inbox
            await ends[1].send_data(b"open", addresses[0])
            await self._send(ends[0], addresses[1], seconds)
            if self._chance.random() < 0.5:
                for client in ends:
                    await client.delete()
        finally:
            for name, client in zip(self._names, ends, strict=True):
                if client.refresh_task:
                    client.refresh_task.cancel()
                client.transport.close()
                # The room tells the relay that a peer has left, whether or not the peer did.
                self._running.turn.revoke(name)

    async def _join(self, name: str) -> TurnClient:
        loop = asyncio.get_running_loop()
        to = (self._running.host, self._running.port)
        user, password = self._running.credentials(name)
        if self._chance.random() < 0.5:
            _transport, tcp = await loop.create_connection(
                lambda: TurnClientTcpProtocol(to, user, password, 600, 500), *to
            )
            return tcp
        _udp_transport, udp = await loop.create_datagram_endpoint(
            lambda: TurnClientUdpProtocol(to, user, password, 600, 500), remote_addr=to
        )
        return udp

    async def _send(self, client: TurnClient, to: tuple[str, int], seconds: float) -> None:
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            due = int(elapsed * PACKETS_PER_SECOND) + 1
            while self.sent < due:
                await client.send_data(PACKET, to)
                self.sent += 1
            await asyncio.sleep(0.02)  # The rate, not a wait for something.
        async with asyncio.timeout(_ARRIVAL_SECONDS):
            await self.inbox.first.wait()


async def come_and_go(
    running: RunningTurn,
    pairs: int,
    seconds: float,
    lengths: tuple[float, float],
    calls: list[Call],
) -> None:
    """Keep a number of pairs in calls of random lengths, over UDP and TCP.

    Parameters
    ----------
    lengths: the shortest and the longest call, in seconds.
    calls: where each call is added as it begins.
    """
    chance = random.Random(7)
    until = time.monotonic() + seconds

    async def one_after_the_other(number: int) -> None:
        while (left := until - time.monotonic()) > 0:
            call = Call(running, f"{number}-{len(calls)}", chance)
            calls.append(call)
            await call.run(min(left, chance.uniform(*lengths)))

    async with asyncio.TaskGroup() as group:
        for number in range(pairs):
            group.create_task(one_after_the_other(number))


@dataclass(frozen=True)
class Held:
    """What a relay in this process holds, and what the process holds besides."""

    allocations: int
    connections: int
    tasks: int
    descriptors: int


def held(running: RunningTurn) -> Held:
    """What is held now."""
    figures = running.turn.figures()
    allocations, connections = figures["allocations"], figures["tcp_connections"]
    assert isinstance(allocations, int)
    assert isinstance(connections, int)
    return Held(allocations, connections, len(asyncio.all_tasks()), descriptors())


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def held_in_the_end(running: RunningTurn, expected: Held) -> Held:
    """What is held once all that is still closing had time to close."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SETTLING_SECONDS):
            while held(running) != expected:
                await asyncio.sleep(0.05)
    return held(running)


def arrived(calls: list[Call]) -> tuple[int, int]:
    """How many packets were sent, and how many arrived."""
    return sum(call.sent for call in calls), sum(call.inbox.packets for call in calls)
