"""Calls that come and go leave nothing behind in the embedded relay."""

import asyncio
import os

import pytest

from tests.ports import free_port
from tests.turn.calls import Call, arrived, come_and_go, descriptors, held, held_in_the_end
from tests.turn.client import running_turn

SECONDS = 3
PAIRS = 8
LENGTHS = (0.2, 0.8)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
async def test_calls_that_come_and_go_leave_nothing_behind() -> None:
    """After calls over UDP and TCP, ended with and without a goodbye, no allocation, connection,
    task or descriptor is left, and the packets have arrived. `bench.relay.soak` takes longer."""
    calls: list[Call] = []
    free_port()  # Opens a socket the first time, and keeps it.
    tasks, files = len(asyncio.all_tasks()), descriptors()
    async with running_turn() as running:
        before = held(running)
        await come_and_go(running, PAIRS, SECONDS, LENGTHS, calls)
        assert await held_in_the_end(running, before) == before
        assert before.allocations == before.connections == 0
        packets = running.turn.figures()["packets"]
    assert len(asyncio.all_tasks()) == tasks
    assert descriptors() == files
    assert len(calls) > PAIRS
    sent, received = arrived(calls)
    # What is under way when a call ends is lost, and this process is client and server at once.
    assert isinstance(packets, int)
    assert packets > 0.9 * sent
    assert received > 0.5 * sent
