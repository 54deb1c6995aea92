"""How the signaling client of peers in Python comes back after its connection was broken."""

import asyncio
import contextlib
import dataclasses
import json
import select
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.web import url
from tornado.websocket import WebSocketHandler

from lenscast.peers.signaling import ConnectionEnded, SignalingClient
from lenscast.peers.websocket import WebSocketConnection
from signaling.config import Config
from signaling.room.messages import (
    Control,
    DocumentVersion,
    Offer,
    PeerConnected,
    PeerDisconnected,
    Registered,
    ServerMessage,
    State,
    TurnConfig,
    encode,
)
from signaling.server import SignalingServer
from signaling.transport.outbox import Ending
from tests.answering_server import REGISTERED, server_that, serving
from tests.running_server import local_sender_link, running_server
from tests.signaling.transport.raw import SECONDS


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client comes back almost at once."""
    monkeypatch.setattr("lenscast.peers.signaling.DELAYS", (0.02,))


def cut_off(client: SignalingClient) -> None:
    """End a connection as a lost network does: without a close frame."""
    stream_of(client).close()


def stream_of(client: SignalingClient) -> IOStream:
    assert isinstance(client._connection, WebSocketConnection)
    protocol = client._connection._socket.protocol
    assert protocol is not None
    assert isinstance(protocol.stream, IOStream)
    return protocol.stream


async def received(client: SignalingClient) -> ServerMessage:
    return await asyncio.wait_for(client.receive(), SECONDS)


@pytest.mark.usefixtures("soon")
async def test_a_client_that_was_cut_off_comes_back_as_the_same_peer(tmp_path: Path) -> None:
    """Its id is the same, it gets fresh ICE servers and what was said meanwhile, and neither side
    hears that anyone was gone: media goes on."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as sender,
    ):
        assert isinstance(await received(receiver), PeerConnected)
        assert isinstance(await received(sender), PeerConnected)
        identity = sender.registered.id
        before = sender.registered.ice_servers
        cut_off(sender)
        await receiver.send(Control({"n": 1}))
        fresh = await received(sender)
        assert isinstance(fresh, TurnConfig)
        assert fresh.ice_servers == sender.registered.ice_servers
        assert before
        assert await received(sender) == Control({"n": 1}, from_=receiver.registered.id)
        assert (sender.registered.id, sender.registered.resumed) == (identity, True)
        await sender.send(State({"status": "live"}))
        assert await received(receiver) == State({"status": "live"}, from_=identity)
        await sender.close()
        assert await received(receiver) == PeerDisconnected("sender", identity, "left")


@pytest.mark.usefixtures("soon")
async def test_what_is_sent_while_a_client_is_cut_off_waits(tmp_path: Path) -> None:
    """`send` returns when the next connection has taken the message."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as sender,
    ):
        await received(receiver)
        cut_off(sender)
        sending = asyncio.ensure_future(sender.send(State({"n": 1})))
        await asyncio.sleep(0)
        assert not sending.done()
        assert isinstance(await received(sender), PeerConnected)
        assert isinstance(await received(sender), TurnConfig)
        await asyncio.wait_for(sending, SECONDS)
        assert await received(receiver) == State({"n": 1}, from_=sender.registered.id)


async def serve_again(first: SignalingServer, folder: Path) -> SignalingServer:
    """Another server at the ports of one that has stopped."""
    ports = dataclasses.replace(first.config.server, port=first.port, local_port=first.local_port)
    server = SignalingServer(dataclasses.replace(first.config, server=ports), folder)
    await server.start()
    return server


@pytest.mark.usefixtures("soon")
async def test_a_client_outlives_the_server(tmp_path: Path) -> None:
    """With the next process on the same state folder both peers keep their ids."""
    async with (
        running_server(Config(), tmp_path) as first,
        SignalingClient(first.receiver_link) as receiver,
        SignalingClient(local_sender_link(first)) as sender,
    ):
        await received(receiver)
        await received(sender)
        ids = receiver.registered.id, sender.registered.id
        await first.stop()
        waiting = [asyncio.ensure_future(received(peer)) for peer in (receiver, sender)]
        second = await serve_again(first, tmp_path)
        try:
            assert {type(message) for message in await asyncio.gather(*waiting)} == {TurnConfig}
            assert (receiver.registered.id, sender.registered.id) == ids
            await sender.send(Offer("v=0"))
            assert await received(receiver) == Offer("v=0", from_=ids[1])
        finally:
            await second.stop()


@pytest.mark.usefixtures("soon")
async def test_a_client_that_is_a_new_peer_meets_everyone_again(tmp_path: Path) -> None:
    """If it comes back under another id, those it had met are first gone, and then met again."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as sender,
    ):
        await received(receiver)
        await received(sender)
        identity, other = sender.registered.id, receiver.registered.id
        sender._token = "damaged"
        cut_off(sender)
        assert await received(sender) == PeerDisconnected("receiver", other, "lost")
        assert isinstance(await received(sender), TurnConfig)
        assert await received(sender) == PeerConnected("receiver", other, offers=True)
        assert sender.registered.id != identity


@pytest.mark.usefixtures("soon")
async def test_a_client_meets_who_came_while_its_connection_was_dead(tmp_path: Path) -> None:
    """What the server wrote into a broken connection is not repeated: `registered` tells it."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(local_sender_link(server)) as sender,
    ):
        stream = stream_of(sender)
        # From here on nothing reaches the client, while the kernel takes all that comes.
        IOLoop.current().remove_handler(stream.fileno())
        async with SignalingClient(server.receiver_link, name="Laptop") as receiver:
            assert isinstance(await received(receiver), PeerConnected)
            async with asyncio.timeout(SECONDS):
                while not select.select([stream.socket], [], [], 0)[0]:
                    await asyncio.sleep(0.005)
            cut_off(sender)
            assert isinstance(await received(sender), TurnConfig)
            met = await received(sender)
            assert isinstance(met, PeerConnected)
            assert (met.id, met.name) == (receiver.registered.id, "Laptop")


def server_that_says(*turns: list[dict[str, Any]]) -> contextlib.AbstractAsyncContextManager[str]:
    """A server that answers the first `register` with some messages, the next one with others,
    and breaks off each connection but the last one."""
    waiting = list(turns)

    async def say(handler: WebSocketHandler) -> None:
        for message in waiting.pop(0):
            await handler.write_message(json.dumps(message))
        if waiting:
            assert handler.ws_connection is not None
            assert handler.ws_connection.stream is not None
            handler.ws_connection.stream.close()

    return server_that(say)


def registered(*peers: dict[str, Any], resumed: bool = True) -> dict[str, Any]:
    return {**json.loads(REGISTERED), "resumed": resumed, "peers": list(peers)}


def came(identity: str) -> dict[str, Any]:
    return {"type": "peer-connected", "peer": "sender", "id": identity}


@pytest.mark.usefixtures("soon")
async def test_a_client_tells_each_newcomer_of_a_resume_once() -> None:
    """A listed peer that was met or is away is no news; nor is one that is announced again."""
    listed = [{"id": identity, "role": "sender"} for identity in ("met", "new", "away")]
    listed[-1]["away"] = True  # type: ignore[assignment]
    async with (
        server_that_says(
            [registered(resumed=False), came("met")],
            [registered(*listed), came("away"), came("new")],
        ) as link,
        SignalingClient(link) as client,
    ):
        told = [await received(client) for _ in range(4)]
        assert told == [
            PeerConnected("sender", "met"),
            TurnConfig(()),
            PeerConnected("sender", "new"),
            PeerConnected("sender", "away"),
        ]


@pytest.mark.usefixtures("soon")
async def test_a_peer_that_does_not_come_back_after_a_restart_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A peer that is not listed after a resume has some time to come back, and is then gone."""
    monkeypatch.setattr("lenscast.peers.roster.LOST_SECONDS", 1.0)
    async with (
        server_that_says(
            [registered(resumed=False), came("back"), came("gone")],
            [registered(), came("back")],
        ) as link,
        SignalingClient(link) as client,
    ):
        told = [await received(client) for _ in range(4)]
        assert told == [
            PeerConnected("sender", "back"),
            PeerConnected("sender", "gone"),
            TurnConfig(()),
            PeerDisconnected("sender", "gone", "lost"),
        ]
        assert client._roster.met == {"back": "sender"}


async def test_a_client_that_is_replaced_does_not_come_back(tmp_path: Path) -> None:
    """Close code 4001: the peer goes on by another connection; two would compete for its place."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as older,
    ):
        newer = SignalingClient(server.receiver_link)
        newer._token = older.registered.resume
        async with newer:
            assert newer.registered.id == older.registered.id
            with pytest.raises(ConnectionEnded) as ended:
                await received(older)
            assert (ended.value.code, ended.value.reason) == (4001, "replaced")


async def test_a_connection_that_is_silent_is_cut_without_a_goodbye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A close frame that arrives late would give the place away: none is sent."""
    for name in ("PING_SECONDS", "PONG_SECONDS"):
        monkeypatch.setattr(f"lenscast.peers.websocket.{name}", 0.05)
    monkeypatch.setattr("lenscast.peers.signaling.COME_BACK_SECONDS", 0)
    release = asyncio.Event()
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    class Stuck(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(REGISTERED)
            await release.wait()

        def on_close(self) -> None:
            codes.put_nowait(self.close_code)

    async with serving(url("/ws", Stuck)) as origin:
        async with SignalingClient(f"{origin}/receiver") as client:
            with pytest.raises(ConnectionEnded) as ended:
                await received(client)
            assert ended.value.code == 1006
        release.set()
        assert await asyncio.wait_for(codes.get(), SECONDS) is None


class Scripted:
    """A transport whose connections say what they are given, and break when that is said.

    Attributes
    ----------
    handed: what came from the client, apart from its `register`.
    """

    def __init__(self, *turns: list[ServerMessage]) -> None:
        self._turns = list(turns)
        self.handed: list[str] = []

    async def connect(self, origin: str) -> "ScriptedConnection":
        return ScriptedConnection(self._turns.pop(0), self.handed)


class ScriptedConnection:
    def __init__(self, says: list[ServerMessage], handed: list[str]) -> None:
        self._says = says
        self._handed = handed

    async def send(self, text: str) -> None:
        if not self._says:
            raise ConnectionError
        if json.loads(text)["type"] != "register":
            self._handed.append(text)

    async def receive(self) -> str | Ending:
        return encode(self._says.pop(0)) if self._says else Ending(1006, "")

    async def close(self) -> None:
        pass

    def cut(self) -> None:
        pass


@pytest.mark.usefixtures("soon")
async def test_a_document_is_handed_back_though_the_connection_breaks_meanwhile() -> None:
    """The client comes back all the same, and hands it back to the next one."""
    me = Registered("receiver", (), "me", "room", resumed=True)
    older, newer = (DocumentVersion("door", version, {}, seal="seal") for version in (1, 2))
    last = State({"status": "live"}, from_="other")
    transport = Scripted([me, newer], [me, older], [me, older, last])
    async with SignalingClient("http://127.0.0.1/receiver", transport=transport) as client:
        async with asyncio.timeout(SECONDS):
            while await client.receive() != last:
                pass
    assert transport.handed == [encode(newer)]
