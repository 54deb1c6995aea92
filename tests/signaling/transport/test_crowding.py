"""Peers that try to crowd out others, at a server in another process."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.loopback import ATTACKER, needs_addresses
from tests.signaling.transport.server_process import ServerProcess, server_process

SECONDS = 40.0
UNBOUND = {
    "messages_per_second": 1e9,
    "message_burst": 1_000_000_000,
    "bytes_per_second": 1e12,
    "byte_burst": 1_000_000_000_000,
}
"""Limits of rate that nobody exceeds: what is left is the bound on what waits."""

LINE = 500_000
"""Bytes per second that a line of 4 Mbit/s carries."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with its usual limits, but for the rate of new connections, of which all come from
    this computer."""
    folder = tmp_path_factory.mktemp("state")
    with server_process(folder, limits={"connections_per_second": 1e6}) as process:
        yield process


@contextlib.asynccontextmanager
async def peer(
    server: ServerProcess, role: str, *, address: str = "", narrow: bool = False, **fields: Any
) -> AsyncIterator[ClientConnection]:
    """Somebody who has registered; `ConnectionClosed` where it is refused. Of one that is `narrow`
    the kernel keeps little that was not read."""
    how: dict[str, Any] = {"local_addr": (address, 0)} if address else {}
    if narrow:
        how["sock"] = socket.socket()
        how["sock"].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        how["sock"].connect((urlsplit(server.link).hostname, urlsplit(server.link).port))
    url = f"ws://{urlsplit(server.link).netloc}/ws"
    # No compression: what is sent is what waits. A short queue: what is not received is not read,
    # the server's goodbye included.
    bare = {"compression": None, "max_queue": 1, "close_timeout": 0.1, "proxy": None}
    async with connect(url, **bare, **how) as client:  # type: ignore[arg-type]
        await send(client, type="register", role=role, **fields)
        client.registered = await until(client, "registered")  # type: ignore[attr-defined]
        yield client


async def send(client: ClientConnection, **message: Any) -> None:
    await client.send(json.dumps(message))


async def until(client: ClientConnection, kind: str, **fields: Any) -> dict[str, Any]:
    """The next message of a type with these fields, passing over others."""
    async with asyncio.timeout(SECONDS):
        while True:
            message: dict[str, Any] = json.loads(await client.recv())
            if message["type"] == kind and fields.items() <= message.items():
                return message


def control(size: int, **settings: Any) -> str:
    return json.dumps({"type": "control", "settings": {**settings, "x": "y" * size}})


async def test_a_burst_of_large_messages_throws_nobody_out(server: ServerProcess) -> None:
    """Twenty at once, within the burst: the phone stays and hears others; the one who sent them is
    told why they did not all arrive."""
    async with (
        peer(server, "sender") as phone,
        peer(server, "receiver") as attacker,
        peer(server, "receiver") as friend,
    ):
        await asyncio.gather(*(attacker.send(control(65_000)) for _ in range(20)))
        error = await until(attacker, "error")
        assert error["code"] in ("too-many-bytes", "too-much-waiting")
        await friend.send(control(1, hello=1))
        settings: dict[str, Any] = {}
        while "hello" not in settings:
            settings = (await until(phone, "control"))["settings"]
        await send(phone, type="state", state={"here": True})
        assert (await until(friend, "state"))["state"] == {"here": True}


async def test_a_reader_of_four_megabits_stays_whatever_others_send(tmp_path: Path) -> None:
    """Three send as fast as the server takes it, for longer than all that may wait needs: the
    reader answers its pings late, is not cut off, and gets what a fourth one sends."""
    limits = {**UNBOUND, "ping_seconds": 0.5, "pong_seconds": 2.0}
    with server_process(tmp_path, limits=limits) as server:
        async with contextlib.AsyncExitStack() as stack:
            enter = stack.enter_async_context
            reader = await enter(peer(server, "receiver"))
            attackers = [await enter(peer(server, "sender")) for _ in range(3)]
            friend = await enter(peer(server, "sender"))
            refusals: set[str] = set()
            floods = [asyncio.create_task(flood(each, refusals)) for each in attackers]
            read, asked, heard = 0, False, False
            async with asyncio.timeout(SECONDS):
                while read < 4 * LINE or not heard:
                    text = await reader.recv()
                    read += len(text)
                    await asyncio.sleep(len(text) / LINE)
                    if read > LINE and not asked:
                        await send(friend, type="ice-candidate", candidate={"candidate": "c"})
                        asked = True
                    heard = heard or json.loads(text)["type"] == "ice-candidate"
            for task in floods:
                task.cancel()
            ends = await asyncio.gather(*floods, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
            assert refusals == {"too-much-waiting"}


async def test_who_comes_and_goes_again_and_again_cuts_nobody_off(server: ServerProcess) -> None:
    """800 short visits with long names, while a phone reads slowly: it stays, hears of few of
    them, and hears of a friend."""
    name = "\U0001f9d1" * 64
    heard = []

    async def read_slowly(phone: ClientConnection) -> None:
        async for text in phone:
            message = json.loads(text)
            if message["type"] == "peer-connected":
                heard.append(message["id"])
            await asyncio.sleep(0.02)

    async with asyncio.timeout(SECONDS), peer(server, "sender", room="r", narrow=True) as phone:
        reading = asyncio.create_task(read_slowly(phone))
        for _ in range(800):
            async with connect(f"ws://{urlsplit(server.link).netloc}/ws", proxy=None) as visitor:
                await send(visitor, type="register", role="viewer", room="r", name=name)
                await until(visitor, "registered")
        async with peer(server, "receiver", room="r") as friend:
            while friend.registered["id"] not in heard:  # type: ignore[attr-defined]
                assert not reading.done()
                await asyncio.sleep(0.01)
        reading.cancel()
    assert len(heard) < 700


async def flood(attacker: ClientConnection, refusals: set[str]) -> None:
    """Send states without end, and read what it is told."""

    async def read() -> None:
        async for text in attacker:
            message = json.loads(text)
            if message["type"] == "error":
                refusals.add(message["code"])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        while True:
            await send(attacker, type="state", state={"x": "y" * 30_000})
            await asyncio.sleep(0)


@needs_addresses
async def test_one_address_does_not_take_all_seats_by_going_away(server: ServerProcess) -> None:
    """Cut off again and again, each time in another room: at some point it gets no new seat, and
    others still find room. Those who are away come back."""
    tokens = []
    code = ""
    for number in range(110):
        room = f"room{number}"
        try:
            async with peer(server, "receiver", address=ATTACKER, room=room) as client:
                tokens.append((room, client.registered["resume"]))  # type: ignore[attr-defined]
                client.transport.abort()
        except ConnectionClosed as closed:
            code = closed.rcvd.reason if closed.rcvd else ""
    async with peer(server, "sender", room="newcomer"):
        pass
    assert len(tokens) == 64
    assert code == "too-many-connections"
    room, token = tokens[0]
    async with peer(server, "receiver", address=ATTACKER, room=room, resume=token) as client:
        assert client.registered["resumed"]  # type: ignore[attr-defined]


async def test_what_waits_for_those_away_takes_little_memory(tmp_path: Path) -> None:
    """However much is sent to however many; once they are lost, it is free again."""
    limits = {**UNBOUND, "connections_per_second": 1e6, "connections_per_address": 1000}
    limits |= {"resume_seconds": 3, "away_bytes": 4 << 20}
    with server_process(tmp_path, limits=limits) as server:
        before = server.memory()
        async with contextlib.AsyncExitStack() as stack:
            senders = [await fill(server, f"room{n}", stack) for n in range(8)]
            peak = max([await pour(server, *sender) for sender in senders])
            assert peak - before < 20 << 20
            sender, _away = senders[0]
            for _ in range(8):
                await until(sender, "peer-disconnected", reason="lost")
            assert server.memory() - before < 16 << 20


async def fill(
    server: ServerProcess, room: str, stack: contextlib.AsyncExitStack
) -> tuple[ClientConnection, list[str]]:
    """A sender in a room, and the ids of eight receivers that are away."""
    sender = await stack.enter_async_context(peer(server, "sender", room=room))
    away = []
    for _ in range(8):
        async with peer(server, "receiver", room=room) as client:
            away.append(client.registered["id"])  # type: ignore[attr-defined]
            client.transport.abort()
    for _ in away:
        await until(sender, "peer-disconnected", reason="away")
    return sender, away


async def pour(server: ServerProcess, sender: ClientConnection, away: list[str]) -> int:
    """Send each of them half a megabyte; the server's memory after that."""
    for to in away:
        for _ in range(16):
            await send(sender, type="offer", sdp="x" * 32_000, to=to)
    await send(sender, type="time", sent=1)
    await until(sender, "time")
    return server.memory()
