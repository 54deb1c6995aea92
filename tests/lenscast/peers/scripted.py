"""A server that is played by a test: whatever it says, a peer in Python gets."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from signaling.transport.outbox import Ending

SECONDS = 20.0
LINK = "http://127.0.0.1:1/{role}#room.key"


class ScriptedTransport:
    """Opens one connection to a server that exists only in the test.

    Parameters
    ----------
    role: the one that the peer is given.
    """

    def __init__(self, role: str) -> None:
        self.link = LINK.format(role=role)
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[str | Ending] = asyncio.Queue()
        limits = {"resume": 45, "rate": 20, "burst": 60}
        self.say("registered", role=role, id="me", turnConfig={"iceServers": []}, limits=limits)

    def say(self, kind: str, **fields: Any) -> None:
        """Send the peer a message."""
        self._said.put_nowait(json.dumps({"type": kind, **fields}))

    async def told(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these types from the peer; others are passed over."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self.sent.get()
                if message["type"] in kinds:
                    return message

    async def connect(self, _origin: str) -> "ScriptedTransport":
        return self

    async def send(self, text: str) -> None:
        self.sent.put_nowait(json.loads(text))

    async def receive(self) -> str | Ending:
        return await self._said.get()

    async def close(self) -> None:
        self._said.put_nowait(Ending(1000, ""))

    def cut(self) -> None:
        self._said.put_nowait(Ending(1006, ""))


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens soon."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.002)
