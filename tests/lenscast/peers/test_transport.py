"""The signaling client is the same over a WebSocket and inside the server's process."""

import asyncio
from pathlib import Path

import pytest

from lenscast.peers.signaling import ConnectionEnded, SignalingClient
from signaling.config import Config
from signaling.room.messages import (
    Control,
    PeerConnected,
    PeerDisconnected,
    ServerMessage,
    State,
    TurnConfig,
)
from signaling.room.refusal import Refusal
from signaling.server import SignalingServer
from tests.lenscast.peers.transports import TRANSPORTS
from tests.running_server import local_sender_link, running_server
from tests.signaling.transport.raw import SECONDS

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)


def client(server: SignalingServer, role: str, transport: str) -> SignalingClient:
    link = server.receiver_link if role == "receiver" else local_sender_link(server)
    return SignalingClient(link, transport=TRANSPORTS[transport](server))


async def received(client: SignalingClient) -> ServerMessage:
    return await asyncio.wait_for(client.receive(), SECONDS)


async def test_messages_pass_both_ways(tmp_path: Path, transport: str) -> None:
    """Both peers hear of each other, and what one sends the other receives."""
    async with (
        running_server(Config(), tmp_path) as server,
        client(server, "receiver", transport) as receiver,
    ):
        async with client(server, "sender", transport) as sender:
            assert isinstance(await received(receiver), PeerConnected)
            assert isinstance(await received(sender), PeerConnected)
            await sender.send(State({"status": "live"}))
            assert await received(receiver) == State({"status": "live"}, from_=sender.registered.id)
        gone = PeerDisconnected("sender", sender.registered.id, "left")
        assert await received(receiver) == gone


async def test_a_client_that_was_cut_off_comes_back(
    tmp_path: Path, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same peer, gets what it has missed, and the others hear nothing of it."""
    monkeypatch.setattr("lenscast.peers.signaling.DELAYS", (0.02,))
    async with (
        running_server(Config(), tmp_path) as server,
        client(server, "receiver", transport) as receiver,
        client(server, "sender", transport) as sender,
    ):
        await received(receiver)
        await received(sender)
        identity = sender.registered.id
        assert sender._connection is not None
        sender._connection.cut()
        await receiver.send(Control({"n": 1}))
        assert isinstance(await received(sender), TurnConfig)
        assert await received(sender) == Control({"n": 1}, from_=receiver.registered.id)
        assert (sender.registered.id, sender.registered.resumed) == (identity, True)
        await sender.send(State({}))
        assert await received(receiver) == State({}, from_=identity)


@pytest.mark.parametrize("reason", ["removed", "ended"])
async def test_a_client_that_was_put_out_does_not_come_back(
    tmp_path: Path, transport: str, reason: str
) -> None:
    """Close code 4003 is the end: whoever receives or sends is told, and nothing is tried again."""
    async with (
        running_server(Config(), tmp_path) as server,
        client(server, "receiver", transport) as receiver,
    ):
        server.hub._connections[receiver.registered.id].outbox.end(4003, reason)
        for _ in range(2):
            with pytest.raises(ConnectionEnded) as ended:
                await received(receiver)
            assert (ended.value.code, ended.value.reason) == (4003, reason)
        with pytest.raises(ConnectionEnded):
            await receiver.send(Control({}))


async def test_a_bad_key_is_a_refusal(tmp_path: Path, transport: str) -> None:
    """A link that opens nothing raises the server's code."""
    async with running_server(Config(), tmp_path) as server:
        link = server.receiver_link + "x"
        with pytest.raises(Refusal) as refused:
            async with SignalingClient(link, transport=TRANSPORTS[transport](server)):
                pass
        assert refused.value.code == "bad-key"


async def test_closing_tells_who_waits(tmp_path: Path, transport: str) -> None:
    """A closed client neither sends nor waits for ever."""
    async with (
        running_server(Config(), tmp_path) as server,
        client(server, "receiver", transport) as receiver,
    ):
        await receiver.close()
        with pytest.raises(ConnectionEnded, match="closed here"):
            await received(receiver)
        with pytest.raises(ConnectionEnded, match="closed here"):
            await receiver.send(Control({}))
