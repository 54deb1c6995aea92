"""A wire between the pages and the server, which can be cut: TCP, byte for byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from signaling.server import SignalingServer

BLOCK = 65_536


class Wire:
    """Passes on what comes to a port of its own. `async with wire(port)` makes one.

    Parameters
    ----------
    port: the server's, on the loopback address.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._streams: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection to the server, until either end closes."""
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        ends = {writer, back}
        self._streams |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, back))
                both.create_task(_copy(there, writer))
        finally:
            self._streams -= ends
            for end in ends:
                end.transport.abort()

    def link(self, role: str, server: SignalingServer) -> str:
        """A link of the server's that leads through the wire."""
        links = {"sender": server.sender_link, "receiver": server.receiver_link}
        return f"http://127.0.0.1:{self.port}/{role}#{links[role].partition('#')[2]}"

    def cut(self) -> None:
        """End all connections without a word; new ones can be made at once."""
        for stream in list(self._streams):
            stream.transport.abort()


@contextlib.asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """A wire to a port of the server, until the end of the block."""
    made = Wire(port)
    server = await asyncio.start_server(made.carry, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await server.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
    writer.close()
