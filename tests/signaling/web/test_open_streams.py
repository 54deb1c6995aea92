"""Open connections are counted, and closed if the client stops reading."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator

import pytest
from tornado.iostream import StreamClosedError

from signaling.config import Limits
from signaling.web import open_streams
from signaling.web.hosts import Proxies
from signaling.web.open_streams import OpenStreams, WatchedStream
from tests.signaling.transport.raw import SECONDS

ADDRESS = "192.0.2.1"


@contextlib.asynccontextmanager
async def watched(known: OpenStreams) -> AsyncIterator[tuple[WatchedStream, socket.socket]]:
    """A watched stream with small buffers, and its other end."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.setblocking(False)
    assert known.admit(ADDRESS)
    stream = WatchedStream(ours, owner=known)
    known.watch(stream, ADDRESS)
    with theirs:
        yield stream, theirs
        stream.close()


async def test_whoever_takes_something_each_time_goes_on_and_whoever_takes_nothing_does_not() -> (
    None
):
    """A client that reads slowly stays connected, and one that reads nothing between two checks
    is closed.
    """
    known = OpenStreams(Limits(), Proxies([]))
    async with watched(known) as (stream, theirs):
        known._sweep()
        writing = stream.write(b"x" * 1_000_000)
        for _ in range(3):
            known._sweep()
            assert not stream.closed()
            sent = stream.sent
            async with asyncio.timeout(SECONDS):
                while stream.sent == sent:
                    await asyncio.get_running_loop().sock_recv(theirs, 4096)
        known._sweep()
        assert not stream.closed()
        known._sweep()
        assert stream.closed()
        with pytest.raises(StreamClosedError):
            await writing
    assert len(known) == 0


async def test_whoever_is_sent_nothing_is_left_alone() -> None:
    """A connection on which nothing waits to be sent may be quiet for ever; WebSockets have
    their own heartbeat.
    """
    known = OpenStreams(Limits(), Proxies([]))
    async with watched(known) as (stream, _theirs):
        for _ in range(4):
            known._sweep()
        assert not stream.closed()


async def test_nothing_runs_where_nobody_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks stop with the last stream, and start again with the next one."""
    monkeypatch.setattr(open_streams, "STALL_SECONDS", 0.01)
    known = OpenStreams(Limits(), Proxies([]))
    for _ in range(2):
        async with watched(known):
            assert known._timer is not None
        async with asyncio.timeout(SECONDS):
            while known._timer is not None:
                await asyncio.sleep(0.01)


async def test_a_stream_that_somebody_else_takes_over_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stream that is taken over no longer counts, and its end is not counted twice."""
    monkeypatch.setattr(open_streams, "ROOM_FOR_HTTP", 0)
    known = OpenStreams(dataclasses.replace(Limits(), connections=1), Proxies([]))
    async with watched(known) as (stream, _theirs):
        assert not known.admit(ADDRESS)
        known.let_go(stream)
        assert len(known) == 0
        assert known.admit(ADDRESS)
    assert not known.admit(ADDRESS)
