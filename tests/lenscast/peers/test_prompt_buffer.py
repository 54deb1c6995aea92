"""A picture is decoded as soon as its last packet is there.

These tests also notice when the private parts of aiortc that this relies on change.
"""

import asyncio
import random

import av
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket

from lenscast.peers.picture import TIME_BASE, VideoTrack
from lenscast.peers.prompt_buffer import CAPACITY, PromptBuffer
from tests.lenscast.numbered_picture import Pattern, read_number
from tests.lenscast.peers.test_connection import pair

FIRST = 65_530
"""Sequence numbers begin again at 0 after 65535."""


def packets(sizes: list[int], *, marked: bool = True) -> list[RtpPacket]:
    """The packets of pictures of so many packets each."""
    made: list[RtpPacket] = []
    for picture, size in enumerate(sizes):
        for part in range(size):
            packet = RtpPacket(
                marker=int(marked and part == size - 1),
                sequence_number=(FIRST + len(made)) % 65_536,
                timestamp=picture * 3000,
            )
            packet._data = bytes([picture, part])  # type: ignore[attr-defined]
            made.append(packet)
    return made


def whole(picture: int, size: int) -> bytes:
    return b"".join(bytes([picture, part]) for part in range(size))


def test_a_picture_is_given_at_its_last_packet() -> None:
    """Not when the next one begins."""
    buffer = PromptBuffer()
    one, two, three = packets([2, 1])
    assert buffer.add(one)[1] is None
    _, frame = buffer.add(two)
    assert frame is not None
    assert (frame.data, frame.timestamp) == (whole(0, 2), 0)
    _, frame = buffer.add(three)
    assert frame is not None
    assert (frame.data, frame.timestamp) == (whole(1, 1), 3000)


def test_without_markers_the_next_picture_ends_one() -> None:
    """A sender that sets none is understood as before."""
    buffer = PromptBuffer()
    one, two, three = packets([2, 1], marked=False)
    assert buffer.add(one)[1] is None
    assert buffer.add(two)[1] is None
    _, frame = buffer.add(three)
    assert frame is not None
    assert frame.data == whole(0, 2)


def test_a_picture_waits_for_what_is_missing() -> None:
    """Its last packet alone ends nothing; a packet that comes late does."""
    buffer = PromptBuffer()
    one, two, three = packets([3])
    assert [buffer.add(packet)[1] for packet in (one, three)] == [None, None]
    _, frame = buffer.add(two)
    assert frame is not None
    assert frame.data == whole(0, 3)


def test_padding_is_no_picture() -> None:
    """It may follow a picture's last packet, with the same timestamp."""
    buffer = PromptBuffer()
    made = packets([1, 1, 1])
    made[1].timestamp, made[1].marker = 0, 0
    made[1]._data = b""  # type: ignore[attr-defined]
    given = [buffer.add(packet)[1] for packet in made]
    assert [frame.data if frame else None for frame in given] == [whole(0, 1), None, whole(2, 1)]


def test_it_gives_the_pictures_that_the_one_of_aiortc_gives() -> None:
    """On a network that mixes up the order of packets, sends some twice, and some again only after
    they were lost: the same whole pictures come out, in the same order."""
    for seed in range(30):
        chance = random.Random(seed)
        sizes = [chance.randint(1, 6) for _ in range(200)]
        sent = packets(sizes)
        sent = sent + [packet for packet in sent if chance.random() < 0.02]
        delays = {id(one): chance.random() * (10 if chance.random() < 0.02 else 2) for one in sent}
        sent = sent[:1] + sorted(sent[1:], key=lambda one: one.timestamp / 3000 + delays[id(one)])
        ours, theirs = PromptBuffer(), JitterBuffer(CAPACITY, is_video=True)
        seen = [frame.data for one in sent if (frame := ours.add(one)[1])]
        known = [frame.data for one in sent if (frame := theirs.add(one)[1])]
        assert seen[: len(known)] == known
        assert seen == [whole(picture, sizes[picture]) for picture in range(len(seen))]
        assert len(seen) > 150


class Standing(VideoTrack):
    """One picture, and then no more."""

    frame_rate = 1.0
    _shown = False

    async def recv(self) -> av.VideoFrame:
        if self._shown:
            await asyncio.Event().wait()
        if self.readyState != "live":
            raise MediaStreamError
        self._shown = True
        frame = Pattern(128, 64).draw(7)
        frame.pts, frame.time_base = 0, TIME_BASE
        return frame


async def test_a_picture_that_no_other_follows_is_seen() -> None:
    """By every connection of a peer in Python."""
    async with pair() as both:
        both.sender.getSenders()[0].replaceTrack(Standing())
        await both.connect()
        frame = await asyncio.wait_for(both.receiver.getReceivers()[0].track.recv(), 20)
        assert isinstance(frame, av.VideoFrame)
        assert read_number(frame) == 7
