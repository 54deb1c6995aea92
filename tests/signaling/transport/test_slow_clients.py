"""Clients that are too slow or too many are disconnected, and the others go on."""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling.config import Config, Limits
from signaling.server import SignalingServer
from signaling.web import open_streams, routes
from tests.loopback import ATTACKER, PHONE, needs_addresses
from tests.running_server import running_server
from tests.signaling.transport.client import client
from tests.signaling.transport.raw import SECONDS, Raw, ask, raw, request
from tests.turn.client import request as turn_request
from turn.stun import Method

# A pair may talk as fast as both read.
OPEN = Config(access="open", limits=Limits(messages_per_second=1e6, message_burst=1_000_000))
HEADERS = b"GET /sender HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"x" * 10000
POST = b"POST /send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000\r\n\r\n"


def limited(**limits: Any) -> Config:
    return dataclasses.replace(OPEN, limits=dataclasses.replace(OPEN.limits, **limits))


@contextlib.asynccontextmanager
async def talking(server: SignalingServer) -> AsyncIterator[list[int]]:
    """A pair of clients that talk until the end of the block, and the numbers that have arrived."""
    async with client(server.receiver_link) as sender, client(server.receiver_link) as receiver:
        await sender.register("sender")
        await receiver.register("receiver")
        await receiver.receive_type("peer-connected")
        await sender.receive_type("peer-connected")
        arrived: list[int] = []
        over = asyncio.Event()

        async def talk() -> None:
            # Python 3.11's wait_for, in which it mostly is, can lose a cancellation.
            while not over.is_set():
                await sender.send(type="state", state={"number": len(arrived)})
                state = (await receiver.receive_type("state"))["state"]
                arrived.append(state["number"])

        task = asyncio.create_task(talk())
        try:
            yield arrived
            assert not task.done(), "the pair stopped talking"
            assert arrived == list(range(len(arrived)))
        finally:
            over.set()
            await asyncio.gather(task, return_exceptions=True)


async def drip(connection: Raw, text: bytes) -> None:
    """Send byte by byte, slowly, until the other side closes."""
    with contextlib.suppress(ConnectionError):
        for byte in text:
            connection.send(bytes([byte]))
            await connection.writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        pytest.param(b"", HEADERS, id="headers"),
        pytest.param(HEADERS[:40], b"", id="headers that stop"),
        pytest.param(POST, b"x" * 10000, id="body"),
        pytest.param(POST + b"x", b"", id="body that stops"),
        pytest.param(request("/healthz").replace(b"close", b"keep-alive"), b"", id="nothing more"),
    ],
)
async def test_a_request_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bytes, slowly: bytes
) -> None:
    """Headers and body each have a time limit, however steadily a client drips bytes."""
    monkeypatch.setattr(routes, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(routes, "BODY_SECONDS", 0.3)
    async with (
        running_server(OPEN, tmp_path) as server,
        talking(server) as arrived,
        raw(server.local_port) as connection,
    ):
        connection.send(at_once)
        dripping = asyncio.create_task(drip(connection, slowly))
        before = len(arrived)
        answer = await connection.rest()
        dripping.cancel()
        assert len(arrived) > before
        assert answer == b"" or b'"status": "ok"' in answer


async def test_many_slow_clients_do_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty slow clients end in time, while a pair talks and a page is served."""
    monkeypatch.setattr(routes, "IDLE_SECONDS", 0.5)
    async with (
        running_server(OPEN, tmp_path) as server,
        talking(server),
        contextlib.AsyncExitStack() as stack,
    ):
        slow = [await stack.enter_async_context(raw(server.local_port)) for _ in range(40)]
        dripping = [asyncio.create_task(drip(connection, HEADERS)) for connection in slow]
        assert (await ask(server.local_port, request("/sender")))[0] == 200
        assert await asyncio.gather(*(c.rest() for c in slow)) == [b""] * len(slow)
        for task in dripping:
            task.cancel()


async def test_a_client_that_reads_no_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that keeps asking but reads nothing is closed when its buffers have stayed full."""
    monkeypatch.setattr(open_streams, "STALL_SECONDS", 0.2)
    async with running_server(OPEN, tmp_path) as server, talking(server):
        open_before = len(server._streams)
        with socket.socket() as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(greedy, ("127.0.0.1", server.local_port))
            with contextlib.suppress(BlockingIOError):
                for _ in range(3000):
                    greedy.send(
                        request("/pages/lib/signaling/signaling.js").replace(
                            b"close", b"keep-alive"
                        )
                    )
            async with asyncio.timeout(SECONDS):
                while len(server._streams) <= open_before:
                    await asyncio.sleep(0.01)
                while len(server._streams) > open_before:
                    await asyncio.sleep(0.01)


@pytest.fixture
def _no_room_for_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "ROOM_FOR_HTTP", 1)
    monkeypatch.setattr(open_streams, "ROOM_FOR_HTTP_PER_ADDRESS", 1)


@pytest.mark.usefixtures("_no_room_for_http")
@pytest.mark.parametrize("limits", [{"connections": 2}, {"connections_per_address": 2}])
async def test_one_connection_too_many_is_closed_and_one_that_ends_makes_room(
    tmp_path: Path, limits: dict[str, int]
) -> None:
    """The limits hold in total and for each address, and over TLS before the handshake."""
    async with running_server(limited(**limits), tmp_path) as server:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                held = await stack.enter_async_context(raw(server.local_port))
                held.send(b"GET / HTTP/1.1\r\n")
            async with asyncio.timeout(SECONDS):
                while len(server._streams) < 3:
                    await asyncio.sleep(0.01)
            for port, first in ((server.local_port, b"G"), (server.port, b"\x16")):
                async with raw(port) as refused:
                    refused.send(first)
                    assert await refused.rest() == b""
        async with asyncio.timeout(SECONDS):
            while len(server._streams):
                await asyncio.sleep(0.01)
        assert (await ask(server.local_port, request("/sender")))[0] == 200


@pytest.mark.usefixtures("_no_room_for_http")
@needs_addresses
@pytest.mark.parametrize("tls", [False, True])
async def test_one_address_does_not_take_all_connections_of_the_relay(
    tmp_path: Path, tls: bool
) -> None:
    """Without credentials it has `limits.connections_per_address`; others are still served."""
    async with (
        running_server(limited(connections_per_address=2), tmp_path) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem")) if tls else None

        async def ask_from(address: str) -> Raw:
            connection = raw(server.port, local_addr=(address, 0), ssl=trusting)
            asking = await stack.enter_async_context(connection)
            asking.send(turn_request(Method.BINDING))
            return asking

        for address in (ATTACKER, ATTACKER, PHONE):
            assert await (await ask_from(address)).read(20)
        assert await (await ask_from(ATTACKER)).rest() == b""
        assert await (await ask_from(PHONE)).read(20)


async def test_the_connections_of_a_trusted_proxy_are_not_counted(tmp_path: Path) -> None:
    """They belong to many clients, which the proxy limits itself."""
    settings = limited(connections_per_address=1)
    settings = dataclasses.replace(
        settings, server=dataclasses.replace(settings.server, trusted_proxies=["127.0.0.1"])
    )
    async with running_server(settings, tmp_path) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            held = await stack.enter_async_context(raw(server.local_port))
            held.send(b"GET / HTTP/1.1\r\n")
        assert (await ask(server.local_port, request("/sender")))[0] == 200
