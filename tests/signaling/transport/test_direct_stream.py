"""A stream that is handed over: what comes is given on at once, what goes is written at once."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tornado.iostream import StreamClosedError

from signaling.transport.direct_stream import DirectStream
from tests.signaling.transport.raw import SECONDS

LARGE = b"x" * 10_000_000  # More than the kernel takes.


class Taker:
    """Collects what a stream gives on."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False
        self._changed = asyncio.Event()

    def take(self, data: bytes) -> None:
        self.data += data
        self._changed.set()

    def end(self) -> None:
        self.closed = True
        self._changed.set()

    async def until(self, data: bytes, *, closed: bool = False) -> None:
        """Wait for exactly this, and the end if there is to be one."""
        async with asyncio.timeout(SECONDS):
            while (self.data, self.closed) != (data, closed):
                self._changed.clear()
                await self._changed.wait()


@pytest_asyncio.fixture
async def ends() -> AsyncIterator[tuple[DirectStream, socket.socket]]:
    """A stream, and the socket at its other end."""
    near, far = socket.socketpair()
    stream = DirectStream(near)
    far.setblocking(False)
    yield stream, far
    stream.close()
    far.close()


async def test_what_came_before_is_given_on_too(ends: tuple[DirectStream, socket.socket]) -> None:
    """What was sent together with the handshake comes first, then the rest, then the end."""
    stream, far = ends
    far.send(b"handshake, ")
    assert await stream.read_bytes(3) == b"han"
    taker = Taker()
    stream.hand_over(taker.take, taker.end)
    await taker.until(b"dshake, ")
    far.send(b"frames")
    await taker.until(b"dshake, frames")
    far.close()
    await taker.until(b"dshake, frames", closed=True)


async def test_a_stream_that_is_closed_already_says_so(
    ends: tuple[DirectStream, socket.socket],
) -> None:
    """Its taker hears of the end, and nothing can be sent."""
    stream, _far = ends
    stream.close()
    taker = Taker()
    stream.hand_over(taker.take, taker.end)
    await taker.until(b"", closed=True)
    with pytest.raises(StreamClosedError):
        stream.send(b"x")


async def test_a_stream_that_is_held_reads_nothing(
    ends: tuple[DirectStream, socket.socket],
) -> None:
    """Until it is released."""
    stream, far = ends
    taker = Taker()
    stream.hand_over(taker.take, taker.end)
    stream.held = True
    far.send(b"x")
    for _ in range(10):
        await asyncio.sleep(0)
    assert taker.data == b""
    stream.release()
    await taker.until(b"x")


async def test_what_the_kernel_does_not_take_is_written_later(
    ends: tuple[DirectStream, socket.socket],
) -> None:
    """In order; meanwhile what comes is still read."""
    stream, far = ends
    taker = Taker()
    stream.hand_over(taker.take, taker.end)
    assert stream.send(b"a") is None
    rest, last = stream.send(LARGE), stream.send(b"z")
    assert rest is not None
    assert last is not None
    far.send(b"still read")
    await taker.until(b"still read")
    loop = asyncio.get_running_loop()
    came = bytearray()
    async with asyncio.timeout(SECONDS):
        while len(came) < len(LARGE) + 2:
            came += await loop.sock_recv(far, 1_000_000)
        await asyncio.gather(rest, last)
    assert came == b"a" + LARGE + b"z"
