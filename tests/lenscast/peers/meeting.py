"""A room in which everyone publishes and everyone sees everyone."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from signaling.config import Config
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.room.imaginary import classroom

KIND = classroom()
GUEST = "member"
ROOM = "abc-defg-hij"


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[SignalingServer]:
    """A server that has such a room, besides its camera rooms."""
    async with running_server(Config(), folder, more_types=[KIND]) as running:
        running.open_room(KIND.name, ROOM)
        yield running


def guest_link(server: SignalingServer) -> str:
    """A link by which any number of guests join."""
    return f"http://127.0.0.1:{server.local_port}/class#{ROOM}"
