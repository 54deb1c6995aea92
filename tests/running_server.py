"""A real server for tests, in this process, on free ports."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from signaling.config import Config
from signaling.room.room_type import RoomType
from signaling.server import SignalingServer
from tests.ports import free_ports


@contextlib.asynccontextmanager
async def running_server(
    config: Config, folder: Path, *, more_types: Sequence[RoomType] = ()
) -> AsyncIterator[SignalingServer]:
    """Run a server until the end of the block; stopping it earlier does no harm.

    Parameters
    ----------
    config: the configuration; its two ports are replaced by free ones.
    folder: the state folder, such as `tmp_path`.
    more_types: kinds of room besides those of Lenscast.
    """
    # The relay needs the main port over UDP too, for which port 0 does not ask. And pages that
    # come back after this server has gone must not find one of another test.
    port, local_port = free_ports(2)
    ports = dataclasses.replace(config.server, port=port, local_port=local_port)
    server = SignalingServer(
        dataclasses.replace(config, server=ports), folder, more_types=more_types
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def local_sender_link(server: SignalingServer) -> str:
    """The link for senders, on the port that speaks plain HTTP on the loopback address."""
    _, _, fragment = server.sender_link.partition("#")
    return f"http://127.0.0.1:{server.local_port}/sender#{fragment}"
