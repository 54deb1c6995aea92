"""A WebSocket client for the tests: sends and receives plain dictionaries, with time limits."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlsplit

from tornado.websocket import WebSocketClientConnection, websocket_connect

SECONDS = 20.0


class Client:
    """One WebSocket."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket = socket
        self.over = False

    @classmethod
    async def connect(cls, link: str) -> Self:
        """Open the socket of the server that a link leads to."""
        url = f"ws://{urlsplit(link).netloc}/ws"
        return cls(await asyncio.wait_for(websocket_connect(url), SECONDS))

    async def send(self, **message: Any) -> None:
        """Send a message, given as keyword arguments."""
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str | bytes) -> None:
        """Send any text, or bytes as a binary message."""
        await self.socket.write_message(text, binary=isinstance(text, bytes))

    async def receive(self) -> dict[str, Any]:
        """The next message; fails where the socket closes instead."""
        text = await self._read()
        assert text is not None, f"closed: {self.socket.close_code} {self.socket.close_reason}"
        message: dict[str, Any] = json.loads(text)
        return message

    async def receive_type(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of this type."""
        message = await self.receive()
        assert message["type"] == kind, message
        return message

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end, passing over messages: close code and reason."""
        while not self.over:
            await self._read()
        return self.socket.close_code, self.socket.close_reason

    async def register(self, role: str, **fields: Any) -> dict[str, Any]:
        """Register and give the answer."""
        await self.send(type="register", role=role, **fields)
        return await self.receive_type("registered")

    async def _read(self) -> str | bytes | None:
        text = await asyncio.wait_for(self.socket.read_message(), SECONDS)
        self.over = text is None
        return text


@contextlib.asynccontextmanager
async def client(link: str) -> AsyncIterator[Client]:
    """A client that is closed at the end."""
    opened = await Client.connect(link)
    try:
        yield opened
    finally:
        opened.socket.close()
        await opened.closed()
