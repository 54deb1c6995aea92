"""Gathering and closing, against real and dead TURN servers; `no_task_is_left` looks after each."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

from lenscast.peers import ice
from tests.turn.coturn_server import (
    RunningCoturn,
    credentials_for,
    needs_turnserver,
    running_coturn,
)

SECONDS = 20.0


def peer(url: str, username: str = "user", credential: str = "password") -> RTCPeerConnection:
    """A connection with one transport that knows one ICE server."""
    server = RTCIceServer(url, username, credential)
    connection = RTCPeerConnection(RTCConfiguration([server]))
    connection.createDataChannel("any")
    return connection


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A UDP port where nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        yield bound


@pytest.mark.parametrize("kind", ["turn", "stun"])
async def test_gathering_that_is_cancelled_leaves_nothing(kind: str, silent: socket.socket) -> None:
    """However often it is cancelled while a server does not answer, nothing goes on."""
    connection = peer(f"{kind}:127.0.0.1:{silent.getsockname()[1]}")
    gathering = asyncio.create_task(ice.gather(connection))
    await asyncio.wait_for(asyncio.get_running_loop().sock_recv(silent, 1), SECONDS)
    gathering.cancel()
    asyncio.get_running_loop().call_soon(gathering.cancel)
    with pytest.raises(asyncio.CancelledError):
        await gathering
    await ice.close(connection)


def at(coturn: RunningCoturn) -> RTCPeerConnection:
    """A connection that may allocate at a coturn."""
    url = next(url for url in coturn.urls if "udp" in url)
    issued = credentials_for(coturn, "somebody")
    return peer(url, issued.username, issued.password)


@needs_turnserver
async def test_an_allocation_made_just_before_the_end_is_deleted(tmp_path: Path) -> None:
    """Wherever gathering is cancelled, an allocation that was made by then is closed as well."""
    async with running_coturn(tmp_path) as coturn:
        for moment in range(12):
            connection = at(coturn)
            gathering = asyncio.create_task(ice.gather(connection))
            await asyncio.wait({gathering}, timeout=moment * 0.002)
            gathering.cancel()
            asyncio.get_running_loop().call_soon(gathering.cancel)
            await asyncio.wait({gathering})
            await ice.close(connection)


@needs_turnserver
async def test_a_server_that_falls_silent_holds_nothing_up(tmp_path: Path) -> None:
    """An allocation whose server no longer answers is left to it; the socket is closed."""
    async with running_coturn(tmp_path) as coturn:
        connection = at(coturn)
        await ice.gather(connection)
        await connection.setLocalDescription()
        assert " typ relay" in connection.localDescription.sdp
        os.kill(coturn.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(SECONDS):  # aioice alone would wait for 32 s.
                await ice.close(connection)
        finally:
            os.kill(coturn.pid, signal.SIGCONT)
