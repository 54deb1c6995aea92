"""What only a WebSocket does, and what the configuration changes, over a real connection."""

import contextlib
import dataclasses
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from signaling.config import Config, CoturnSettings, Limits
from signaling.config import Rooms as RoomSettings
from signaling.config import Server as ServerSettings
from signaling.config import Turn as TurnSettings
from signaling.room.links import read_link
from signaling.server import SignalingServer
from signaling.transport.framing import StrictProtocol
from tests.running_server import running_server
from tests.signaling.transport.client import Client, client

OPEN = Config(access="open")
CANDIDATE = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}


def limited(**limits: Any) -> Config:
    return dataclasses.replace(OPEN, limits=dataclasses.replace(Limits(), **limits))


@contextlib.asynccontextmanager
async def pair(server: SignalingServer) -> AsyncIterator[tuple[Client, Client]]:
    """A sender and a receiver that have met in the room."""
    link = server.receiver_link
    async with client(link) as sender, client(link) as receiver:
        await sender.register("sender")
        await receiver.register("receiver")
        await receiver.receive_type("peer-connected")
        await sender.receive_type("peer-connected")
        yield sender, receiver


async def test_the_fixed_messages_work_with_nothing_but_their_fields(tmp_path: Path) -> None:
    """One sender and one receiver complete the whole exchange, word for word."""
    async with running_server(OPEN, tmp_path) as server:
        link = server.receiver_link
        async with client(link) as sender, client(link) as receiver:
            await sender.send_text('{"type": "register", "role": "sender"}')
            registered = await sender.receive()
            assert registered["type"] == "registered"
            assert registered["role"] == "sender"
            assert all("urls" in entry for entry in registered["turnConfig"]["iceServers"])
            await receiver.send_text('{"type": "register", "role": "receiver"}')
            assert (await receiver.receive())["role"] == "receiver"
            connected = await receiver.receive()
            assert (connected["type"], connected["peer"]) == ("peer-connected", "sender")
            connected = await sender.receive()
            assert (connected["type"], connected["peer"]) == ("peer-connected", "receiver")

            await sender.send_text('{"type": "offer", "sdp": "v=0 offer"}')
            offer = await receiver.receive()
            assert (offer["type"], offer["sdp"]) == ("offer", "v=0 offer")
            await receiver.send_text('{"type": "answer", "sdp": "v=0 answer"}')
            answer = await sender.receive()
            assert (answer["type"], answer["sdp"]) == ("answer", "v=0 answer")
            candidate = {**CANDIDATE, "sdpMLineIndex": 0}
            for one, other in ((sender, receiver), (receiver, sender)):
                await one.send(type="ice-candidate", candidate=candidate)
                trickled = await other.receive()
                assert (trickled["type"], trickled["candidate"]) == ("ice-candidate", candidate)

            await sender.send_text("not JSON")
            error = await sender.receive()
            assert error["type"] == "error"
            assert isinstance(error["message"], str)


async def test_an_invite_names_the_address_by_which_the_receiver_came(tmp_path: Path) -> None:
    """If the server is reached by a name, the phone is sent to that name."""
    named = dataclasses.replace(ServerSettings(), hosts=["camera.example"])
    async with running_server(Config(server=named), tmp_path) as server:
        port = urlsplit(server.receiver_link).port
        request = HTTPRequest(
            f"ws://127.0.0.1:{port}/ws", headers={"Host": f"camera.example:{port}"}
        )
        peer = Client(await websocket_connect(request))
        parts = read_link(server.receiver_link)
        registered = await peer.register("receiver", room=parts.room, key=parts.key)
        assert registered["invite"]["url"].startswith(f"http://camera.example:{port}/sender#")
        peer.socket.close()


async def test_a_full_room_is_said(tmp_path: Path) -> None:
    """A peer that finds no free seat is told so."""
    settings = dataclasses.replace(OPEN, rooms=RoomSettings(max_senders=1))
    async with (
        running_server(settings, tmp_path) as server,
        pair(server),
        client(server.receiver_link) as late,
    ):
        await late.send(type="register", role="sender")
        assert (await late.receive_type("error"))["code"] == "room-full"


@pytest.mark.parametrize("code", [1000, 1001, None])
async def test_leaving_is_told_to_the_other_side(tmp_path: Path, code: int | None) -> None:
    """A peer that closes with a close frame has left, with or without a code."""
    async with running_server(OPEN, tmp_path) as server, pair(server) as (sender, receiver):
        sender.socket.close(code)
        gone = await receiver.receive_type("peer-disconnected")
        assert (gone["peer"], gone["reason"]) == ("sender", "left")
        assert server.health()["senders"] == 0


async def test_a_new_process_takes_back_the_peers_of_the_one_before(tmp_path: Path) -> None:
    """With the same state folder both peers keep their ids and meet again."""
    config = Config()
    tokens, ids = {}, {}
    async with running_server(config, tmp_path) as server, contextlib.AsyncExitStack() as stack:
        for link in (server.sender_link, server.receiver_link):
            parts = read_link(link)
            peer = await stack.enter_async_context(client(server.receiver_link))
            answer = await peer.register(parts.role, room=parts.room, key=parts.key)
            tokens[parts.role], ids[parts.role] = answer["resume"], answer["id"]
        await server.stop()
    async with (
        running_server(config, tmp_path) as server,
        client(server.receiver_link) as sender,
        client(server.receiver_link) as receiver,
    ):
        for link, peer in ((server.sender_link, sender), (server.receiver_link, receiver)):
            parts = read_link(link)
            answer = await peer.register(
                parts.role, room=parts.room, key=parts.key, resume=tokens[parts.role]
            )
            assert (answer["id"], answer["resumed"]) == (ids[parts.role], True)
        assert (await sender.receive_type("peer-connected"))["id"] == ids["receiver"]
        assert (await receiver.receive_type("peer-connected"))["id"] == ids["sender"]


async def test_a_token_of_another_server_makes_a_new_peer(tmp_path: Path) -> None:
    """A token made with another secret is ignored: the peer registers with a new id."""
    async with (
        running_server(OPEN, tmp_path / "one") as server,
        client(server.receiver_link) as peer,
    ):
        first = await peer.register("sender")
    async with (
        running_server(OPEN, tmp_path / "two") as server,
        client(server.receiver_link) as peer,
    ):
        second = await peer.register("sender", resume=first["resume"])
    assert second["id"] != first["id"]
    assert "resumed" not in second


async def test_wrong_keys_lock_nobody_out(tmp_path: Path) -> None:
    """Past the limit wrong keys have to wait, and the right one opens from the same address."""
    limits = dataclasses.replace(Limits(), failed_keys_per_minute=1)
    async with running_server(dataclasses.replace(Config(), limits=limits), tmp_path) as server:
        for code in ("bad-key", "bad-key", "too-many-attempts"):
            async with client(server.receiver_link) as peer:
                await peer.send(type="register", role="sender", room=server.room, key="x")
                assert (await peer.receive_type("error"))["code"] == code
                assert await peer.closed() == (1008, code)
        async with client(server.receiver_link) as peer:
            key = read_link(server.sender_link).key
            await peer.register("sender", room=server.room, key=key)


async def test_the_write_buffer_of_a_socket_is_bounded(tmp_path: Path) -> None:
    """Tornado buffers about one outbox, and any message that fits into it gets through."""
    async with running_server(OPEN, tmp_path) as server, pair(server) as (sender, receiver):
        streams = [one.stream for one in gc.get_objects() if isinstance(one, StrictProtocol)]
        bounds = {s.max_write_buffer_size for s in streams if s is not None and not s.closed()}
        assert bounds == {1048576 + 4096}
        await sender.send(type="state", state={"x": "\u00e9" * 10000})
        assert len((await receiver.receive_type("state"))["state"]["x"]) == 10000


async def test_who_registers_in_time_stays(tmp_path: Path) -> None:
    """The time limit for registering does not apply to a peer that has registered."""
    async with (
        running_server(limited(register_seconds=1), tmp_path) as server,
        client(server.receiver_link) as first,
        client(server.receiver_link) as second,
    ):
        await first.register("sender")
        assert (await second.receive_type("error"))["code"] == "register-timeout"
        assert server.health()["peers"] == 1


async def test_too_many_candidates_are_refused(tmp_path: Path) -> None:
    """Each offer allows a number of candidates; the next offer allows as many again."""
    settings = limited(candidates_per_session=2)
    async with running_server(settings, tmp_path) as server, pair(server) as (sender, receiver):
        for _ in range(2):
            await sender.send(type="offer", sdp="v=0")
            for _ in range(3):
                await sender.send(type="ice-candidate", candidate=CANDIDATE)
            assert (await sender.receive_type("error"))["code"] == "too-many-candidates"
            kinds = [(await receiver.receive())["type"] for _ in range(3)]
            assert kinds == ["offer", "ice-candidate", "ice-candidate"]


async def test_the_answer_to_a_close_is_no_goodbye(tmp_path: Path) -> None:
    """A peer that answers no ping is away and may resume, even if it answers the close frame."""
    settings = limited(ping_seconds=0.1, pong_seconds=1)
    async with (
        running_server(settings, tmp_path) as server,
        client(server.receiver_link) as sender,
        client(server.receiver_link) as receiver,
        client(server.receiver_link) as returning,
    ):
        given = await sender.register("sender")
        await receiver.register("receiver")
        await receiver.receive_type("peer-connected")
        # As if the network came back too late for the ping.
        sender.socket.protocol._send_pong = lambda _data: None  # type: ignore[union-attr]
        assert (await receiver.receive_type("peer-disconnected"))["reason"] == "away"
        assert (await sender.closed())[0] == 1001
        back = await returning.register("sender", resume=given["resume"])
        assert (back["id"], back.get("resumed")) == (given["id"], True)
        assert (await receiver.receive_type("peer-connected"))["id"] == given["id"]


async def test_fresh_turn_credentials_are_sent_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`turn-config` brings new credentials into a running session."""
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.05)
    now = [1_000_000.0]
    coturn = CoturnSettings(urls=["turn:192.0.2.1"], secret="hush")
    settings = dataclasses.replace(OPEN, turn=TurnSettings(mode="coturn", coturn=coturn))
    async with running_server(settings, tmp_path) as server, client(server.receiver_link) as peer:
        for part in (server.hub._rooms, server.hub._rooms._welcome):
            monkeypatch.setattr(part, "_unix_time", lambda: now[0])
        registered = await peer.register("sender")
        (given,) = registered["turnConfig"]["iceServers"]
        assert given["username"].startswith("1003600:")
        now[0] += 1800
        (fresh,) = (await peer.receive_type("turn-config"))["turnConfig"]["iceServers"]
        assert fresh["username"].startswith("1005400:")
        assert fresh["credential"] != given["credential"]


async def test_a_static_list_of_servers_is_handed_out_as_it_is(tmp_path: Path) -> None:
    """With `turn.mode: static` every peer gets the configured servers, password included."""
    servers = [{"urls": "turn:192.0.2.9", "username": "u", "credential": "c"}]
    turn = TurnSettings(mode="static", ice_servers=servers)
    settings = dataclasses.replace(OPEN, turn=turn)
    async with running_server(settings, tmp_path) as server, client(server.receiver_link) as peer:
        registered = await peer.register("receiver")
        assert registered["turnConfig"] == {"iceServers": servers}
