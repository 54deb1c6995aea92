"""A server that is some way off: a TCP proxy that holds everything up, as Wi-Fi and routers do.

What it holds up is what a page loads and its signaling. Media does not pass here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

ONE_WAY_SECONDS = 0.020
_CHUNK = 65_536


class Far:
    """A running proxy.

    Attributes
    ----------
    port: where it listens on 127.0.0.1.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server
        self._running: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def drop(self) -> None:
        """End all connections, as if hours had passed."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """End all connections and listen no more."""
        self._server.close()
        await self.drop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connect(reader, writer))
        self._running.add(task)
        try:
            # Either side may end it, and so may `drop`.
            with suppress(OSError, asyncio.CancelledError):
                await task
        finally:
            self._running.discard(task)
            writer.close()

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        # The kernel has connected already; by a real network that takes there and back.
        await asyncio.sleep(2 * ONE_WAY_SECONDS)
        far, out = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(_carry(near, out), _carry(far, back))
        finally:
            out.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes, each part of it later by the same time."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)

    async def hand_on() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.write_eof() if writer.can_write_eof() else writer.close()
                return
            writer.write(data)
            await writer.drain()

    handing = asyncio.ensure_future(hand_on())
    try:
        while True:
            data = await reader.read(_CHUNK)
            await waiting.put((loop.time() + ONE_WAY_SECONDS, data))
            if not data:
                await handing
                return
    finally:
        handing.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await handing


@asynccontextmanager
async def far_from(port: int) -> AsyncIterator[Far]:
    """Run a proxy to a port of 127.0.0.1."""
    proxy = Far(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
