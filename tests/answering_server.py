"""A signaling server for tests that answers as a test wants it to, well or badly."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.routing import Rule
from tornado.web import Application, url
from tornado.websocket import WebSocketHandler

REGISTERED = json.dumps(
    {"type": "registered", "role": "receiver", "turnConfig": {"iceServers": []}, "id": "me"}
)


class Answering(WebSocketHandler):
    """Answers `register` as a test wants it to."""

    def initialize(self, does: Callable[[WebSocketHandler], Awaitable[None]]) -> None:
        self.does = does

    async def on_message(self, message: str | bytes) -> None:
        await self.does(self)


@contextlib.asynccontextmanager
async def serving(*rules: Rule) -> AsyncIterator[str]:
    """An HTTP server with some rules; gives its origin."""
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application(list(rules)))
    server.add_sockets(sockets)
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()


@contextlib.asynccontextmanager
async def server_that(does: Callable[[WebSocketHandler], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that answers `register` as a test wants it to; gives a link to it."""
    async with serving(url("/ws", Answering, {"does": does})) as origin:
        yield f"{origin}/receiver#room.key"
