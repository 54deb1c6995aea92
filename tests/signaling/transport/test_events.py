"""GET /events, POST /send and POST /bye: what only this transport does."""

import asyncio
import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest

from signaling.config import Config, Limits
from signaling.transport.events import EventsHandler
from tests.running_server import running_server
from tests.signaling.transport.raw import SECONDS
from tests.signaling.transport.transports import HttpPeer, http

OPEN = Config(access="open")


def limited(**limits: Any) -> Config:
    return dataclasses.replace(OPEN, limits=dataclasses.replace(Limits(), **limits))


async def send(peer: HttpPeer, session: str, body: str = "{}") -> int:
    """POST to /send with a session, and return the status."""
    return await peer.post("/send", body, {"Lenscast-Session": session})


async def test_a_stream_may_be_neither_kept_nor_held_back(tmp_path: Path) -> None:
    """Its headers tell caches, nginx and readers of server-sent events so."""
    async with running_server(OPEN, tmp_path) as server, http(server.receiver_link) as peer:
        assert peer.headers["content-type"] == "text/event-stream"
        assert peer.headers["cache-control"] == "no-store"
        assert peer.headers["x-accel-buffering"] == "no"


async def test_events_are_not_compressed(tmp_path: Path) -> None:
    """Even a client that accepts gzip gets each event at once, as text, in its own chunk."""
    async with running_server(OPEN, tmp_path) as server:
        peer = await HttpPeer.connect(server.receiver_link, "Accept-Encoding: gzip\r\n")
        assert "content-encoding" not in peer.headers
        await peer.register("receiver")
        await peer.close()


async def test_each_stream_has_a_secret_of_its_own(tmp_path: Path) -> None:
    """The first event has 128 random bits in base64url."""
    async with (
        running_server(OPEN, tmp_path) as server,
        http(server.receiver_link) as one,
        http(server.receiver_link) as other,
    ):
        secrets = {await one.opened(), await other.opened()}
        assert len(secrets) == 2
        assert all(len(secret) == 22 for secret in secrets)


async def test_a_post_of_no_session_is_not_found(tmp_path: Path) -> None:
    """The answer is 404 if the header is missing, wrong, or of a stream that has ended."""
    async with running_server(OPEN, tmp_path) as server, http(server.receiver_link) as peer:
        session = await peer.opened()
        assert await send(peer, "wrong") == 404
        assert await peer.post("/send", "{}", {}) == 404
        assert await peer.post("/send", "x" * 200_000, {}) == 404
        assert await peer.post("/bye", "wrong", {}) == 404
        assert await peer.post("/bye", b"\xff", {}) == 404
        await peer.leave()
        await peer.closed()
        assert await send(peer, session) == 404
        assert await peer.post("/bye", session, {}) == 404


async def test_a_stream_that_breaks_takes_its_session_with_it(tmp_path: Path) -> None:
    """The server forgets its secret, so that a late POST is answered with 404."""
    async with running_server(OPEN, tmp_path) as server, http(server.receiver_link) as peer:
        session = await peer.opened()
        peer.break_off()
        async with asyncio.timeout(SECONDS):
            while await send(peer, session, "") != 404:
                await asyncio.sleep(0.01)


async def test_a_goodbye_after_the_stream_was_cut_still_counts(tmp_path: Path) -> None:
    """When a page closes, Chromium ends the stream first and sends the beacon after it."""
    async with (
        running_server(OPEN, tmp_path) as server,
        http(server.receiver_link) as stays,
        http(server.receiver_link) as leaves,
    ):
        await stays.register("receiver")
        await leaves.register("sender")
        await stays.receive_type("peer-connected")
        leaves.break_off()
        assert (await stays.receive_type("peer-disconnected"))["reason"] == "away"
        assert await leaves.post("/bye", leaves.session, {}) == 204
        assert (await stays.receive_type("peer-disconnected"))["reason"] == "left"


async def test_a_beacon_says_goodbye_with_the_secret_as_its_body(tmp_path: Path) -> None:
    """A beacon, which a closing page can still send, is enough to have left."""
    async with (
        running_server(OPEN, tmp_path) as server,
        http(server.receiver_link) as stays,
        http(server.receiver_link) as leaves,
    ):
        await stays.register("receiver")
        await leaves.register("sender")
        await stays.receive_type("peer-connected")
        assert await leaves.post("/bye", leaves.session, {"Content-Type": "text/plain"}) == 204
        assert (await stays.receive_type("peer-disconnected"))["reason"] == "left"
        assert await leaves.closed() == (1000, "")


async def test_a_body_up_to_four_times_the_message_limit_is_answered_on_the_stream(
    tmp_path: Path,
) -> None:
    """Up to that size the answer is an error message, past it an HTTP error; the stream stays."""
    async with running_server(OPEN, tmp_path) as server, http(server.receiver_link) as peer:
        await peer.register("receiver")
        assert await send(peer, peer.session, "x" * (4 * 65536)) == 204
        assert (await peer.receive_type("error"))["code"] == "message-too-large"
        assert await send(peer, peer.session, "x" * (4 * 65536 + 1)) == 400
        assert await send(peer, peer.session, "{") == 204
        assert (await peer.receive_type("error"))["code"] == "bad-json"


async def test_who_answers_pings_stays(tmp_path: Path) -> None:
    """An empty POST answers a ping and is no message."""
    settings = limited(ping_seconds=0.02, pong_seconds=5)
    async with running_server(settings, tmp_path) as server, http(server.receiver_link) as peer:
        await peer.register("receiver")
        async with asyncio.timeout(SECONDS):
            while peer.pings < 5:
                await asyncio.sleep(0.01)
        assert server.health()["receivers"] == 1
        assert await send(peer, peer.session, "{") == 204
        assert (await peer.receive_type("error"))["code"] == "bad-json"


async def test_who_reads_but_answers_no_ping_is_told_and_closed(tmp_path: Path) -> None:
    """Reading alone is no sign of life: a proxy may do it."""
    settings = limited(ping_seconds=0.02, pong_seconds=0.05)
    async with running_server(settings, tmp_path) as server, http(server.receiver_link) as peer:
        peer.answers = False
        await peer.opened()
        assert await peer.closed() == (1001, "No answer to a ping.")


async def test_the_death_of_a_task_ends_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream without its heartbeat is closed with 1011, and the log says why."""

    async def fail(*_: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(EventsHandler, "_beat", fail)
    async with running_server(OPEN, tmp_path) as server, http(server.receiver_link) as peer:
        assert (await peer.closed())[0] == 1011
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "the heartbeat of a stream failed"


async def test_no_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither requests that carry the secret nor those that fail write it to the log."""
    caplog.set_level(logging.DEBUG)
    async with running_server(OPEN, tmp_path) as server, http(server.receiver_link) as peer:
        await peer.register("receiver")
        await peer.send_text("{")
        await peer.leave()
        await peer.closed()
        await send(peer, peer.session)
        assert len(peer.session) == 22
        assert "/send" in caplog.text
        assert peer.session not in caplog.text
