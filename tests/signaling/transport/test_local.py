"""A peer in this process is to the server what a client with a socket is."""

import asyncio
import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling.config import Config, Limits
from signaling.room.links import read_link
from signaling.room.refusal import Code, Refusal
from signaling.server import SignalingServer
from signaling.transport import post
from signaling.transport.local import LocalConnection, LocalTransport
from signaling.transport.outbox import Ending
from tests.running_server import running_server
from tests.signaling.transport.transports import SECONDS, websocket

OPEN = Config(access="open")
ORIGIN = "http://127.0.0.1:8080"


def limited(**limits: Any) -> Config:
    return dataclasses.replace(OPEN, limits=dataclasses.replace(Limits(), **limits))


class Local:
    """A local connection that sends and receives plain dictionaries, with time limits."""

    def __init__(self, connection: LocalConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        item = await asyncio.wait_for(self.connection.receive(), SECONDS)
        assert isinstance(item, str), item
        message: dict[str, Any] = json.loads(item)
        return message

    async def receive_type(self, kind: str) -> dict[str, Any]:
        message = await self.receive()
        assert message["type"] == kind, message
        return message

    async def register(self, role: str, **fields: Any) -> dict[str, Any]:
        await self.send(type="register", role=role, **fields)
        return await self.receive_type("registered")

    async def ending(self) -> Ending:
        """How it ends; messages before that are passed over."""
        async with asyncio.timeout(SECONDS):
            while isinstance(item := await self.connection.receive(), str):
                pass
        return item


@contextlib.asynccontextmanager
async def local(server: SignalingServer) -> AsyncIterator[Local]:
    """A connection that is closed at the end."""
    connection = await LocalTransport(server.hub).connect(ORIGIN)
    try:
        yield Local(connection)
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def pair(server: SignalingServer) -> AsyncIterator[tuple[Local, Local]]:
    """A sender and a receiver in the room, past their greetings."""
    async with local(server) as sender, local(server) as receiver:
        await sender.register("sender")
        await receiver.register("receiver")
        await receiver.receive_type("peer-connected")
        await sender.receive_type("peer-connected")
        yield sender, receiver


def connections(server: SignalingServer) -> int:
    """How many local connections the metrics count."""
    found = [
        line.split()[1]
        for line in server.metrics.text().decode().splitlines()
        if line.startswith('lenscast_connections{transport="local"}')
    ]
    return int(float(found[0])) if found else 0


async def test_messages_pass_between_a_local_peer_and_a_websocket(tmp_path: Path) -> None:
    """To the room both look alike, and each one's messages keep their order."""
    async with (
        running_server(Config(), tmp_path) as server,
        websocket(server.receiver_link) as receiver,
        local(server) as sender,
    ):
        sends, watches = read_link(server.sender_link), read_link(server.receiver_link)
        await sender.register("sender", room=sends.room, key=sends.key)
        await receiver.register("receiver", room=watches.room, key=watches.key)
        assert (await receiver.receive_type("peer-connected"))["peer"] == "sender"
        assert (await sender.receive_type("peer-connected"))["peer"] == "receiver"
        for number in range(30):
            await sender.send(type="state", state={"n": number})
        seen = [(await receiver.receive_type("state"))["state"]["n"] for _ in range(30)]
        assert seen == list(range(30))
        await receiver.send(type="answer", sdp="v=0 \u00e9")
        assert (await sender.receive_type("answer"))["sdp"] == "v=0 \u00e9"


async def test_the_origin_is_the_one_that_the_peer_gives(tmp_path: Path) -> None:
    """An invitation leads to the host by which the peer says that it reaches the server."""
    async with running_server(OPEN, tmp_path) as server:
        connection = await LocalTransport(server.hub).connect("http://camera.example:8080")
        registered = await Local(connection).register("receiver")
        assert registered["invite"]["url"].startswith("http://camera.example:8080/sender")
        await connection.close()


async def test_closing_is_a_goodbye(tmp_path: Path) -> None:
    """The others are told that the peer has left; the connection is over for its owner too."""
    async with running_server(OPEN, tmp_path) as server, pair(server) as (sender, receiver):
        waiting = asyncio.ensure_future(sender.connection.receive())
        await asyncio.sleep(0)
        for _ in range(2):
            await sender.connection.close()
        gone = await receiver.receive_type("peer-disconnected")
        assert (gone["peer"], gone["reason"]) == ("sender", "left")
        assert await asyncio.wait_for(waiting, SECONDS) == Ending(1000, "")
        assert await sender.ending() == Ending(1000, "")
        with pytest.raises(ConnectionError, match="1000"):
            await sender.send(type="state", state={})
        assert connections(server) == 1


async def test_a_peer_that_is_cut_off_is_away_and_resumes(tmp_path: Path) -> None:
    """Its place is kept, and what it has missed comes after `registered`."""
    async with (
        running_server(OPEN, tmp_path) as server,
        local(server) as receiver,
        local(server) as before,
    ):
        await receiver.register("receiver")
        was = await before.register("sender")
        await receiver.receive_type("peer-connected")
        before.connection.cut()
        assert await before.ending() == Ending(1006, "")
        assert (await receiver.receive_type("peer-disconnected"))["reason"] == "away"
        await receiver.send(type="control", settings={"preset": "hd"}, to=was["id"])
        async with local(server) as after:
            now = await after.register("sender", resume=was["resume"])
            assert (now["id"], now["resumed"]) == (was["id"], True)
            missed = [await after.receive()]
            while missed[-1]["type"] != "control":
                missed.append(await after.receive())
            assert missed[-1]["settings"] == {"preset": "hd"}


async def test_a_connection_that_is_replaced_ends_at_once(tmp_path: Path) -> None:
    """The same peer by a newer connection: 4001 for the older one, and nobody hears of it."""
    async with (
        running_server(OPEN, tmp_path) as server,
        local(server) as receiver,
        local(server) as older,
        local(server) as newer,
    ):
        await receiver.register("receiver")
        was = await older.register("sender")
        await receiver.receive_type("peer-connected")
        waiting = asyncio.ensure_future(older.ending())
        await asyncio.sleep(0)
        now = await newer.register("sender", resume=was["resume"])
        assert now["id"] == was["id"]
        assert await waiting == Ending(4001, "replaced")
        await older.connection.close()
        await newer.send(type="state", state={})
        await receiver.receive_type("state")
        assert connections(server) == 2


async def test_a_peer_that_does_not_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for it is bounded; where it takes nothing of it, it is away."""
    monkeypatch.setattr(post, "SLOW_SECONDS", 0)
    async with (
        running_server(limited(outbox_messages=8), tmp_path) as server,
        pair(server) as (sender, receiver),
    ):
        for number in range(5):
            await sender.send(type="state", state={"n": number})
        gone = await sender.receive_type("peer-disconnected")
        assert (gone["peer"], gone["reason"]) == ("receiver", "away")
        found = await asyncio.wait_for(receiver.connection.receive(), SECONDS)
        assert found == Ending(1001, Code.SLOW_CLIENT)
        assert connections(server) == 1


async def test_who_sends_a_peer_too_much_is_refused(tmp_path: Path) -> None:
    """The peer keeps its connection and gets what did fit; there is room for more then."""
    async with (
        running_server(limited(outbox_messages=8), tmp_path) as server,
        pair(server) as (sender, receiver),
    ):
        for number in range(5):
            await sender.send(type="state", state={"n": number})
        assert (await sender.receive_type("error"))["code"] == "too-much-waiting"
        assert [(await receiver.receive_type("state"))["state"]["n"] for _ in range(4)] == [
            *range(4)
        ]
        await sender.send(type="state", state={"n": 9})
        assert (await receiver.receive_type("state"))["state"]["n"] == 9


async def test_a_peer_that_sends_too_much_is_told(tmp_path: Path) -> None:
    """The limits of rate and size are those of every client."""
    async with (
        running_server(limited(messages_per_second=0.001, message_burst=3), tmp_path) as server,
        pair(server) as (sender, _receiver),
    ):
        await sender.send(type="state", state={"x": "y" * 70_000})
        assert (await sender.receive_type("error"))["code"] == "message-too-large"
        await sender.send(type="state", state={})
        await sender.send(type="state", state={})
        assert (await sender.receive_type("error"))["code"] == "too-many-messages"


async def test_a_wrong_key_is_refused_and_the_connection_ends(tmp_path: Path) -> None:
    """The error comes first, then 1008 with the code as its reason."""
    async with running_server(Config(), tmp_path) as server, local(server) as peer:
        await peer.send(type="register", role="sender", room=server.room, key="wrong")
        assert (await peer.receive_type("error"))["code"] == "bad-key"
        assert await peer.ending() == Ending(1008, Code.BAD_KEY)
        assert connections(server) == 0


async def test_a_peer_that_does_not_register_in_time_is_out(tmp_path: Path) -> None:
    """The time to register is that of every client."""
    async with (
        running_server(limited(register_seconds=0.05), tmp_path) as server,
        local(server) as peer,
    ):
        assert (await peer.receive_type("error"))["code"] == "register-timeout"
        assert await peer.ending() == Ending(1008, Code.REGISTER_TIMEOUT)


async def test_too_many_connections_are_refused(tmp_path: Path) -> None:
    """Local peers are counted together, and apart from the browsers of this computer."""
    async with (
        running_server(limited(connections_per_address=1), tmp_path) as server,
        websocket(server.receiver_link) as browser,
    ):
        async with local(server):
            with pytest.raises(Refusal) as refused:
                await LocalTransport(server.hub).connect(ORIGIN)
            assert refused.value.code == "too-many-connections"
        async with local(server) as again:
            await again.register("sender")
            await browser.register("receiver")
            await browser.receive_type("peer-connected")


async def test_a_server_that_stops_says_so_and_does_not_wait(tmp_path: Path) -> None:
    """The peer is told 1001 after what waited for it; its own close is then no goodbye."""
    async with running_server(OPEN, tmp_path) as server, pair(server) as (sender, receiver):
        await sender.send(type="state", state={})
        endings = [asyncio.ensure_future(peer.ending()) for peer in (sender, receiver)]
        await server.stop()
        told = await asyncio.gather(*endings)
        assert {ending.code for ending in told} == {1001}
        await sender.connection.close()
        assert server.health()["senders"] == 1


def test_it_needs_no_media_library_and_no_socket() -> None:
    """A server that has local peers imports neither aiortc nor av for them."""
    code = (
        "import sys, signaling.transport.local; "
        "print({'aiortc', 'av', 'numpy', 'tornado'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
