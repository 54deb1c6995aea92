"""What goes wrong in aiortc's background is told, and what waits there is bounded.

These tests also notice when the private parts of aiortc or aioice that this relies on change.
"""

import asyncio
import re
import socket
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCSessionDescription
from aiortc.codecs.vpx import Vp8Encoder

from lenscast.peers import ice
from lenscast.peers.connection import UNDECODED, UNREAD, GuardedConnection
from tests.lenscast.numbered_picture import MadePicture
from tests.lenscast.peers.scripted import until


class Pair:
    """A sender and a receiver, connected in this process, and what went wrong at each."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        self.sender = GuardedConnection(None, lambda error: self.sent.append(str(error)))
        self.receiver = GuardedConnection(None, lambda error: self.received.append(str(error)))
        self.sender.addTransceiver(MadePicture(128, 64, 15), "sendonly")

    async def connect(self) -> None:
        await self.sender.setLocalDescription()
        await self.receiver.setRemoteDescription(self.sender.localDescription)
        await self.receiver.setLocalDescription()
        await self.sender.setRemoteDescription(self.receiver.localDescription)
        await until(lambda: self.receiver.connectionState == "connected")


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    both = Pair()
    try:
        yield both
    finally:
        await asyncio.gather(ice.close(both.sender), ice.close(both.receiver))


def failing(*_packet: Any, **_more: Any) -> Any:
    """What aiortc raises over numbers that are too large for their fields."""
    raise struct.error("a packet")


async def test_an_error_while_connecting_is_told() -> None:
    """A transport that is not there ends nothing but this connection."""
    async with pair() as both:
        await both.sender.setLocalDescription()
        await both.receiver.setRemoteDescription(both.sender.localDescription)
        both.receiver._RTCPeerConnection__remoteIce = None  # type: ignore[attr-defined]
        await both.receiver.setLocalDescription()
        await until(lambda: both.received)
        assert both.received == ["argument of type 'NoneType' is not iterable"]


async def test_an_error_over_a_packet_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What aiortc raises over a packet ends the reading, and with it the connection."""
    async with pair() as both:
        await both.connect()
        monkeypatch.setattr(both.receiver.getReceivers()[0], "_handle_rtp_packet", failing)
        await until(lambda: both.received)
        assert both.received == ["a packet"]


async def test_an_error_over_a_report_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the report's task aiortc would wait for ever when it closes the connection."""
    monkeypatch.setattr("aiortc.rtcrtpreceiver.random.random", lambda: -0.49)
    async with pair() as both:
        await both.connect()
        monkeypatch.setattr(both.receiver.getReceivers()[0], "_send_rtcp", failing)
        await until(lambda: both.received)
        assert both.received == ["a packet"]


async def test_a_connection_that_cannot_be_closed_is_closed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever closes it again does not wait for ever."""
    async with pair() as both:
        (transceiver,) = both.sender.getTransceivers()
        monkeypatch.setattr(transceiver, "stop", failing)
        for _ in range(2):
            await asyncio.wait_for(both.sender.close(), 5)
        assert both.sent == ["a packet"]


async def test_a_transport_that_was_about_to_be_replaced_is_closed_too() -> None:
    """Where a peer leaves while its description is applied, aiortc forgets one."""
    connection = GuardedConnection(RTCConfiguration(iceServers=[]), lambda _error: None)
    video, audio = (connection.addTransceiver(kind) for kind in ("video", "audio"))
    await connection.setLocalDescription()
    forgotten = audio.receiver.transport
    assert forgotten is not video.receiver.transport
    for end in (audio.receiver, audio.sender):
        end.setTransport(video.receiver.transport)
    await ice.close(connection)
    assert forgotten.transport.state == "closed"


@pytest.mark.parametrize("moment", range(6))
async def test_a_description_that_is_given_up_leaves_nothing(moment: int) -> None:
    """Where a peer leaves while a transport is being replaced, that one is closed in full too."""
    no_servers = RTCConfiguration(iceServers=[])
    one, other = (GuardedConnection(no_servers, lambda _error: None) for _ in range(2))
    for kind in ("audio", "video"):
        one.addTransceiver(kind, "sendrecv")
    await one.setLocalDescription()
    bundled = one.localDescription.sdp
    apart = re.sub("a=group:BUNDLE.*\r\n", "", bundled)
    await other.setRemoteDescription(RTCSessionDescription(apart, "offer"))
    await other.setLocalDescription()
    await until(lambda: other.iceConnectionState == "checking")
    applying = asyncio.ensure_future(
        other.setRemoteDescription(RTCSessionDescription(bundled, "offer"))
    )
    for _ in range(moment):
        await asyncio.sleep(0)
    applying.cancel()
    await asyncio.wait({applying})
    await ice.close(other)
    await ice.close(one)
    closed = [one.transport._connection._closed for one in other._transports]
    assert closed == [True, True]


async def test_datagrams_that_nobody_reads_are_bounded() -> None:
    """Anybody can send to the port of a connection that is not connected yet."""
    async with pair() as both:
        await both.sender.setLocalDescription()
        transport = both.sender.getSenders()[0].transport.transport
        connection = transport._connection
        host = next(one for one in connection.local_candidates if "." in one.host)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            while not connection._queue.full():
                for _ in range(100):
                    stranger.sendto(b"\xff", (host.host, host.port))
                await asyncio.sleep(0)
            for _ in range(100):
                stranger.sendto(b"\xff", (host.host, host.port))
        await asyncio.sleep(0.05)
        assert connection._queue.qsize() == UNREAD
        await ice.close(both.sender)
        left = [connection._queue.get_nowait() for _ in range(UNREAD)]
        assert left[-1] is None  # The end is not lost for it.


VP8 = SimpleNamespace(name="VP8", mimeType="video/VP8")
FRAME = SimpleNamespace(data=b"")


class SlowDecoder:
    """Takes one frame, and then nothing until it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.taken = 0

    def decode(self, _frame: Any) -> list[Any]:
        self.taken += 1
        self.may.wait(20)
        return []


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch) -> SlowDecoder:
    """What aiortc decodes with."""
    slow = SlowDecoder()
    monkeypatch.setattr("aiortc.rtcrtpreceiver.get_decoder", lambda _codec: slow)
    return slow


async def test_frames_that_are_not_decoded_in_time_are_dropped(decoder: SlowDecoder) -> None:
    """They are not decoded later, and a whole picture is asked for in their place."""
    async with pair() as both:
        await both.connect()
        receiver: Any = both.receiver.getReceivers()[0]
        await until(lambda: decoder.taken == 1)
        waiting = receiver._RTCRtpReceiver__decoder_queue
        lost: threading.Event = receiver._RTCRtpReceiver__decoder_error
        most = 0
        for _ in range(10 * UNDECODED):
            waiting.put((VP8, FRAME))
            most = max(most, waiting.qsize())
        assert most == UNDECODED
        assert lost.is_set()
        decoder.may.set()


async def test_the_end_of_a_track_waits_for_no_decoder(decoder: SlowDecoder) -> None:
    """What waits when a track ends is not decoded any more."""
    async with pair() as both:
        await both.connect()
        receiver: Any = both.receiver.getReceivers()[0]
        await until(lambda: decoder.taken == 1)
        for _ in range(UNDECODED - 5):
            receiver._RTCRtpReceiver__decoder_queue.put((VP8, FRAME))
        # Closing waits for the thread that decodes, and the event loop with it.
        threading.Timer(0.1, decoder.may.set).start()
        await ice.close(both.receiver)
        assert decoder.taken == 1


async def test_a_picture_too_large_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key frame of a few hundred bytes may declare one of 16383 x 16383 pixels."""
    encode = Vp8Encoder.encode

    def enlarged(*arguments: Any, **more: Any) -> tuple[list[bytes], int]:
        payloads, time = encode(*arguments, **more)
        sizes = payloads[0].find(b"\x9d\x01\x2a")
        if sizes >= 0:
            payloads[0] = payloads[0][: sizes + 3] + b"\xff\x3f\xff\x3f" + payloads[0][sizes + 7 :]
        return payloads, time

    monkeypatch.setattr(Vp8Encoder, "encode", enlarged)
    async with pair() as both:
        await both.connect()
        await until(lambda: both.received)
        assert both.received == ["16383 x 16383"]
