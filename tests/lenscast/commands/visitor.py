"""A client that comes by a link to a server in another process."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from signaling.room.links import read_link
from tests.signaling.transport.client import Client, client


class Visitor:
    """A client that has registered."""

    def __init__(self, peer: Client, registered: dict[str, Any]) -> None:
        self.peer = peer
        self.registered = registered
        self.id = registered["id"]


@contextlib.asynccontextmanager
async def visitor(server: dict[str, Any], link: str, **fields: Any) -> AsyncIterator[Visitor]:
    """Come by a link, through the port that speaks plain HTTP.

    Parameters
    ----------
    server: what the server has printed.
    fields: more fields of `register`.
    """
    parts = read_link(link)
    async with client(server["receiver"]) as peer:
        registered = await peer.register(parts.role, room=parts.room, key=parts.key, **fields)
        yield Visitor(peer, registered)


async def turned_away(server: dict[str, Any], link: str, **fields: Any) -> str:
    """The code with which somebody is refused who comes by a link."""
    parts = read_link(link)
    async with client(server["receiver"]) as peer:
        await peer.send(type="register", role=parts.role, room=parts.room, key=parts.key, **fields)
        error = await peer.receive_type("error")
        assert (await peer.closed())[0] == 1008
        return str(error["code"])
