"""The rate of requests of each address."""

import asyncio
import dataclasses
import time
from pathlib import Path

from signaling.config import Config, Limits
from signaling.web import pace
from signaling.web.pace import Pace
from tests.running_server import running_server
from tests.signaling.transport.client import client
from tests.signaling.transport.raw import ask, raw, request


def test_a_burst_goes_through_at_once_and_then_the_rate_counts() -> None:
    """Above two seconds' worth, each request waits for its turn."""
    rate = Pace(10)
    waits = [rate.wait("192.0.2.1", 100.0) for _ in range(25)]
    assert waits[:21] == [0.0] * 21
    assert [round(wait or 0, 3) for wait in waits[21:]] == [0.1, 0.2, 0.3, 0.4]
    assert rate.wait("192.0.2.1", 110.0) == 0.0


def test_addresses_do_not_slow_down_each_other() -> None:
    """Each address has a rate of its own; an IPv6 host's /64 is one address."""
    rate = Pace(10)
    for _ in range(30):
        rate.wait("2001:db8::1", 100.0)
    assert rate.wait("192.0.2.1", 100.0) == 0.0
    assert rate.wait("2001:db8:0:1::1", 100.0) == 0.0
    assert rate.wait("2001:db8::2", 100.0) != 0.0


def test_nobody_waits_for_ever() -> None:
    """What would have to wait too long is refused, and does not make the queue longer."""
    rate = Pace(10)
    waits = [rate.wait("192.0.2.1", 100.0) for _ in range(1000)]
    assert max(wait for wait in waits if wait is not None) <= pace.MAX_WAIT
    assert waits[-1] is None
    assert rate.wait("192.0.2.1", 100.0 + pace.MAX_WAIT + pace.BURST_SECONDS) == 0.0


def test_the_table_is_bounded() -> None:
    """Addresses without end do not fill the memory."""
    rate = Pace(10)
    for number in range(pace.MAX_ADDRESSES + 100):
        rate.wait(f"10.0.{number >> 8}.{number & 255}", 100.0)
    assert len(rate._free) == pace.MAX_ADDRESSES


def at_rate(rate: float, **more: object) -> Config:
    limits = dataclasses.replace(Limits(), requests_per_second=rate)
    return dataclasses.replace(Config(access="open", **more), limits=limits)  # type: ignore[arg-type]


KEPT = request("/pages/lib/page/names.js").replace(b"Connection: close\r\n", b"")


async def test_many_connections_that_load_modules_are_answered_at_the_rate(tmp_path: Path) -> None:
    """64 connections of one address get no more than its rate, each request its answer, and a
    client that is connected already is served meanwhile.
    """
    async with running_server(at_rate(80), tmp_path) as server:
        started = time.monotonic()

        async def load() -> None:
            async with raw(server.local_port) as connection:
                for _ in range(6):
                    connection.send(KEPT)
                    assert b" 200 " in await connection.read_until(b"\r\n")
                    await connection.read_until(b"taken")
                    await connection.read_until(b"}\n")

        async with client(server.receiver_link) as peer:
            await peer.register("sender")
            loading = asyncio.gather(*(load() for _ in range(64)))
            await peer.send(type="time", sent=1)
            assert (await peer.receive())["type"] == "time"
            assert not loading.done()
            await loading
        # 384 requests and one for the WebSocket, 160 of them at once.
        assert time.monotonic() - started >= (385 - 161) / 80


async def test_who_would_wait_too_long_is_told_so(tmp_path: Path) -> None:
    """Through a proxy one client may have any number of connections; then the answer is 429."""
    server_config = dataclasses.replace(Config().server, trusted_proxies=["127.0.0.1"])
    config = at_rate(1, server=server_config)
    async with running_server(config, tmp_path) as server:
        forwarded = request("/healthz", "X-Forwarded-For: 203.0.113.9")
        answers = asyncio.gather(*(ask(server.local_port, forwarded) for _ in range(12)))
        codes = [code for code, _headers, _body in await answers]
        assert set(codes) == {200, 429}
        other = request("/healthz", "X-Forwarded-For: 203.0.113.10")
        assert (await ask(server.local_port, other))[0] == 200


async def test_a_client_that_leaves_while_it_waits_does_no_harm(tmp_path: Path) -> None:
    """Its request is forgotten, and the server goes on."""
    async with running_server(at_rate(2), tmp_path) as server:
        for _ in range(8):
            async with raw(server.local_port) as connection:
                connection.send(KEPT)
        async with asyncio.timeout(20):
            while len(server._streams):
                await asyncio.sleep(0.05)
        assert (await ask(server.local_port, request("/healthz")))[0] == 200


async def test_what_waits_does_not_delay_the_end_of_the_server(tmp_path: Path) -> None:
    """Requests that still have to wait end with their connection."""
    async with running_server(at_rate(1), tmp_path) as server:
        async with raw(server.local_port) as connection:
            connection.send(KEPT * 60)
            await connection.read_until(b"taken")
            started = time.monotonic()
            await server.stop()
        assert time.monotonic() - started < 20
