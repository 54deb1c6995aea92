"""What every transport must do in the same way: protocol, limits, endings and resume."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from signaling.config import Config, Limits
from signaling.room.links import read_link
from signaling.server import SignalingServer
from signaling.transport import post
from signaling.transport.outbox import Outbox
from tests.running_server import running_server
from tests.signaling.transport.transports import SECONDS, TRANSPORTS, Peer, Transport

OPEN = Config(access="open")
CANDIDATE = {
    "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}

websocket, http = TRANSPORTS["websocket"], TRANSPORTS["http"]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    return TRANSPORTS[request.param]


@pytest.fixture(params=TRANSPORTS)
def other_transport(request: pytest.FixtureRequest) -> Transport:
    return TRANSPORTS[request.param]


def limited(**limits: Any) -> Config:
    return dataclasses.replace(OPEN, limits=dataclasses.replace(Limits(), **limits))


@asynccontextmanager
async def pair(
    server: SignalingServer, sends: Transport, receives: Transport
) -> AsyncIterator[tuple[Peer, Peer]]:
    """A sender and a receiver that have met in the room."""
    link = server.receiver_link
    async with sends(link) as sender, receives(link) as receiver:
        await sender.register("sender")
        await receiver.register("receiver")
        await receiver.receive_type("peer-connected")
        await sender.receive_type("peer-connected")
        yield sender, receiver


async def test_messages_reach_the_other_side_whatever_carries_them(
    tmp_path: Path, transport: Transport, other_transport: Transport
) -> None:
    """One sender and one receiver complete the whole exchange over any two transports."""
    async with (
        running_server(OPEN, tmp_path) as server,
        pair(server, transport, other_transport) as (sender, receiver),
    ):
        await sender.send(type="offer", sdp="v=0\r\no=- \u00e9\u2028")
        assert (await receiver.receive_type("offer"))["sdp"] == "v=0\r\no=- \u00e9\u2028"
        await receiver.send(type="answer", sdp="v=0 answer")
        assert (await sender.receive_type("answer"))["sdp"] == "v=0 answer"
        for one, other in ((sender, receiver), (receiver, sender)):
            await one.send(type="ice-candidate", candidate=CANDIDATE)
            assert (await other.receive_type("ice-candidate"))["candidate"] == CANDIDATE
        await receiver.send(type="control", settings={"preset": "hd"})
        control = await sender.receive_type("control")
        assert control["settings"] == {"preset": "hd"}
        await sender.send(type="state", state={"status": "live"}, to=control["from"])
        assert (await receiver.receive_type("state"))["state"] == {"status": "live"}


async def test_messages_keep_their_order(tmp_path: Path, transport: Transport) -> None:
    """Each message arrives once, in the order in which it was sent."""
    async with (
        running_server(OPEN, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        for number in range(50):
            await sender.send(type="state", state={"number": number})
        found = [(await receiver.receive_type("state"))["state"]["number"] for _ in range(50)]
        assert found == list(range(50))


async def test_a_link_opens_its_room(tmp_path: Path, transport: Transport) -> None:
    """With access by key, each link's key opens its role; a receiver gets the other link."""
    async with running_server(Config(), tmp_path) as server:
        for link in (server.sender_link, server.receiver_link):
            parts = read_link(link)
            async with transport(server.receiver_link) as peer:
                registered = await peer.register(parts.role, room=parts.room, key=parts.key)
                assert (registered["role"], registered["room"]) == (parts.role, server.room)
                if parts.role == "receiver":
                    assert registered["invite"] == {"url": server.sender_link}


@pytest.mark.parametrize("key", [None, "", "wrong"])
async def test_a_wrong_key_is_refused_and_the_connection_ends(
    tmp_path: Path, transport: Transport, key: str | None
) -> None:
    """An error before registration ends the connection with 1008 and the error's code."""
    async with (
        running_server(Config(), tmp_path) as server,
        transport(server.receiver_link) as peer,
    ):
        await peer.send(type="register", role="sender", room=server.room, key=key)
        assert (await peer.receive_type("error"))["code"] == "bad-key"
        assert await peer.closed() == (1008, "bad-key")
        assert server.health()["peers"] == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad-json"),
        ('{"type": "offer", "sdp": "v=0"}', "not-registered"),
        ('{"type": "shout"}', "unknown-type"),
        ('{"type": "register"}', "missing-field"),
        ('{"type": "register", "role": "boss"}', "wrong-role"),
    ],
)
async def test_any_error_before_registration_ends_the_connection(
    tmp_path: Path, transport: Transport, text: str, code: str
) -> None:
    """A peer that is not registered is told what is wrong and disconnected."""
    async with running_server(OPEN, tmp_path) as server, transport(server.receiver_link) as peer:
        await peer.send_text(text)
        assert (await peer.receive_type("error"))["code"] == code
        assert await peer.closed() == (1008, code)
        assert server.health()["peers"] == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad-json"),
        (b"\xff\xfe", "bad-json"),
        ('{"type": "shout"}', "unknown-type"),
        ('{"type": "offer"}', "missing-field"),
        ('{"type": "offer", "sdp": 1}', "bad-field"),
        ('{"type": "answer", "sdp": ""}', "wrong-role"),
        ('{"type": "offer", "sdp": "", "to": "nobody"}', "unknown-target"),
        ('{"type": "register", "role": "sender"}', "already-registered"),
        (json.dumps({"type": "offer", "sdp": "x" * 32769}), "sdp-too-large"),
        (
            json.dumps({"type": "ice-candidate", "candidate": {"candidate": "x" * 4097}}),
            "candidate-too-large",
        ),
        (json.dumps({"type": "state", "state": {"x": "y" * 65536}}), "message-too-large"),
    ],
)
async def test_an_error_after_registration_leaves_the_connection_usable(
    tmp_path: Path, transport: Transport, text: str | bytes, code: str
) -> None:
    """The error is a message with a code and a sentence, and the next message works."""
    async with (
        running_server(OPEN, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        await sender.send_text(text)
        error = await sender.receive_type("error")
        assert error["code"] == code
        assert error["message"].endswith(".")
        await sender.send(type="offer", sdp="v=0")
        assert (await receiver.receive_type("offer"))["sdp"] == "v=0"


async def test_messages_that_come_too_fast_are_dropped_and_said(
    tmp_path: Path, transport: Transport
) -> None:
    """Past the burst each message is answered with an error, and the connection stays open."""
    settings = limited(message_burst=3, messages_per_second=0.001)
    async with (
        running_server(settings, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        for _ in range(3):
            await sender.send(type="state", state={})
        assert (await sender.receive_type("error"))["code"] == "too-many-messages"
        assert [(await receiver.receive())["type"] for _ in range(2)] == ["state", "state"]
        assert server.health()["senders"] == 1


async def test_one_connection_too_many_is_told_so(tmp_path: Path, transport: Transport) -> None:
    """It gets an error message, then 1008; peers that are already there are not disturbed."""
    async with (
        running_server(limited(connections=2), tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
        transport(server.receiver_link) as late,
    ):
        assert (await late.receive_type("error"))["code"] == "too-many-connections"
        assert await late.closed() == (1008, "too-many-connections")
        await sender.send(type="state", state={})
        await receiver.receive_type("state")


async def test_who_does_not_register_in_time_is_out(tmp_path: Path, transport: Transport) -> None:
    """When the time to register is over, the client gets an error and is disconnected."""
    async with (
        running_server(limited(register_seconds=0.05), tmp_path) as server,
        transport(server.receiver_link) as peer,
    ):
        assert (await peer.receive_type("error"))["code"] == "register-timeout"
        assert await peer.closed() == (1008, "register-timeout")


async def test_who_says_goodbye_has_left(tmp_path: Path, transport: Transport) -> None:
    """The other side is told at once, and the server keeps no seat for a resume."""
    async with (
        running_server(OPEN, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        await sender.leave()
        gone = await receiver.receive_type("peer-disconnected")
        assert (gone["peer"], gone["reason"]) == ("sender", "left")
        code, _reason = await sender.closed()
        assert code == 1000


async def test_who_is_cut_off_is_away_then_lost(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that ends without a goodbye can be resumed until `resume_seconds` are over."""
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.05)
    async with (
        running_server(limited(resume_seconds=0.1), tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        sender.break_off()
        for reason in ("away", "lost"):
            gone = await receiver.receive_type("peer-disconnected")
            assert (gone["peer"], gone["reason"]) == ("sender", reason)
        assert server.health()["senders"] == 0


async def test_a_client_that_answers_no_ping_is_away(tmp_path: Path, transport: Transport) -> None:
    """A peer that answers no ping is away, and the others are told; a peer that answers stays."""
    settings = limited(ping_seconds=0.05, pong_seconds=0.5)
    async with (
        running_server(settings, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        sender.deafen()
        gone = await receiver.receive_type("peer-disconnected")
        assert (gone["peer"], gone["reason"]) == ("sender", "away")
        assert server.health()["receivers"] == 1


async def test_a_ping_waits_for_a_client_that_still_reads(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is late because the ping stands behind other messages ends nothing, for as
    long as some of what waits is taken."""
    asked = []

    def reads_twice(_outbox: Outbox, _seconds: float) -> bool:
        asked.append(1)
        return len(asked) < 3

    monkeypatch.setattr(Outbox, "read_within", reads_twice)
    async with (
        running_server(limited(ping_seconds=0.05, pong_seconds=0.5), tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        sender.deafen()
        assert (await receiver.receive_type("peer-disconnected"))["reason"] == "away"
        assert len(asked) == 3


async def test_a_client_that_does_not_read_is_cut_off(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so much may wait for one client. Where it takes nothing of that, it is away, long before
    a heartbeat says so; the others go on."""
    monkeypatch.setattr(post, "SLOW_SECONDS", 0.2)
    async with (
        running_server(limited(outbox_messages=8, **FAST), tmp_path) as server,
        pair(server, websocket, transport) as (sender, receiver),
    ):
        receiver.deafen()
        await flood_until(sender, "peer-disconnected", "reason", "away")


async def test_a_client_that_is_slow_is_given_time(tmp_path: Path, transport: Transport) -> None:
    """Who sends it too much is refused; nobody is told that it is gone, for it is not."""
    async with (
        running_server(limited(outbox_messages=8, **FAST), tmp_path) as server,
        pair(server, websocket, transport) as (sender, receiver),
    ):
        receiver.deafen()
        await flood_until(sender, "error", "code", "too-much-waiting")
        assert server.health()["receivers"] == 1
        assert 'code="too-much-waiting"' in server.metrics.text().decode()


FAST = {
    "message_burst": 100_000,
    "messages_per_second": 100_000,
    "byte_burst": 1 << 40,
    "bytes_per_second": 1 << 40,
    "pong_seconds": 30,
}


async def flood_until(sender: Peer, kind: str, field: str, value: str) -> None:
    """Send states until this message has come, passing over others."""
    over = False

    async def pour() -> None:
        while not over:
            await sender.send(type="state", state={"x": "y" * 60_000})
            await asyncio.sleep(0)

    pouring = asyncio.create_task(pour())
    try:
        async with asyncio.timeout(SECONDS):
            while (message := await sender.receive())["type"] != kind or message[field] != value:
                pass
    finally:
        over = True
        await pouring


async def test_a_server_that_stops_says_so(tmp_path: Path, transport: Transport) -> None:
    """Every client gets what was waiting for it, then close code 1001."""
    async with (
        running_server(OPEN, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        await sender.send(type="state", state={})
        await receiver.receive_type("state")
        await server.stop()
        for peer in (sender, receiver):
            code, _reason = await peer.closed()
            assert code == 1001


async def test_a_dropped_connection_resumes_over_either_transport(
    tmp_path: Path, transport: Transport, other_transport: Transport
) -> None:
    """It is the same peer in the same room, and what it missed comes after `registered`."""
    async with running_server(OPEN, tmp_path) as server:
        link = server.receiver_link
        async with transport(link) as receiver, transport(link) as before:
            await receiver.register("receiver")
            was = await before.register("sender")
            await before.receive_type("peer-connected")
            await receiver.receive_type("peer-connected")
            before.break_off()
            assert (await receiver.receive_type("peer-disconnected"))["reason"] == "away"
            await receiver.send(type="control", settings={"preset": "hd"}, to=was["id"])
            async with other_transport(link) as after:
                now = await after.register("sender", resume=was["resume"])
                assert (now["id"], now["room"]) == (was["id"], was["room"])
                assert now["resumed"] is True
                back = await receiver.receive_type("peer-connected")
                assert (back["peer"], back["id"]) == ("sender", was["id"])
                seen = [await after.receive()]
                while seen[-1]["type"] != "control":
                    seen.append(await after.receive())
                assert seen[-1]["settings"] == {"preset": "hd"}
                await after.send(type="offer", sdp="v=0 again")
                assert (await receiver.receive_type("offer"))["from"] == was["id"]


async def test_a_clock_that_is_set_loses_nobody(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that is away keeps its seat if the time of day jumps, as when NTP sets it."""
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.02)
    async with (
        running_server(OPEN, tmp_path) as server,
        pair(server, transport, transport) as (sender, receiver),
    ):
        sender.break_off()
        assert (await receiver.receive_type("peer-disconnected"))["reason"] == "away"
        tomorrow, ticks = time.time() + 86400, asyncio.Semaphore(0)

        def unix_time() -> float:
            ticks.release()
            return tomorrow

        for part in (server.hub._rooms, server.hub._rooms._welcome):
            monkeypatch.setattr(part, "_unix_time", unix_time)
        monkeypatch.setattr(time, "time", lambda: tomorrow)
        for _ in range(2):  # When the second tick after the jump begins, the first is over.
            await asyncio.wait_for(ticks.acquire(), SECONDS)
        assert server.health()["senders"] == 1


async def test_a_resume_replaces_a_connection_that_still_seems_open(
    tmp_path: Path, transport: Transport, other_transport: Transport
) -> None:
    """The older connection is closed with 4001, and nobody is told that a peer left."""
    async with (
        running_server(OPEN, tmp_path) as server,
        transport(server.receiver_link) as receiver,
        transport(server.receiver_link) as before,
        other_transport(server.receiver_link) as after,
    ):
        await receiver.register("receiver")
        was = await before.register("sender")
        await receiver.receive_type("peer-connected")
        now = await after.register("sender", resume=was["resume"])
        assert (now["id"], now["resumed"]) == (was["id"], True)
        assert await before.closed() == (4001, "replaced")
        await after.send(type="offer", sdp="v=0 again")
        seen = [await receiver.receive()]
        while seen[-1]["type"] != "offer":
            seen.append(await receiver.receive())
        assert "peer-disconnected" not in {message["type"] for message in seen}
