"""A TCP client for the tests that sends bytes as they are, right or wrong, with time limits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

SECONDS = 20.0


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def read_until(self, end: bytes) -> bytes:
        """Everything up to and with `end`."""
        return await asyncio.wait_for(self._reader.readuntil(end), SECONDS)

    async def read(self, count: int) -> bytes:
        """So many bytes."""
        return await asyncio.wait_for(self._reader.readexactly(count), SECONDS)

    async def rest(self) -> bytes:
        """Everything until the other side closes; waits for that."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.wait_for(self._reader.read(65536), SECONDS):
                data += part
        return data


@contextlib.asynccontextmanager
async def raw(port: int, host: str = "127.0.0.1", **how: Any) -> AsyncIterator[Raw]:
    """A connection that is closed at the end; `how` is what asyncio.open_connection takes."""
    reader, writer = await asyncio.open_connection(host, port, **how)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


def request(
    target: str, *headers: str, method: str = "GET", host: str = "127.0.0.1", body: bytes = b""
) -> bytes:
    """A request after which the server closes, its target as it is."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def ask(
    port: int, message: bytes, host: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    """Send one request and give the answer's status, headers (names in lower case) and body."""
    async with raw(port, host) as connection:
        connection.send(message)
        head, _, body = (await connection.rest()).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (li.partition(": ") for li in lines)}
        return int(first.split()[1]), headers, body
