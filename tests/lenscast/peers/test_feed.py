"""Frames on their way from a track to those who use them: nothing piles up, and time goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from lenscast.peers.feed import BoundedTrack, Feed, frames
from tests.lenscast.tone import Tone, pitch

SECONDS = 20.0


def picture(pts: int = 0) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 90_000)
    return frame


class Listed(MediaStreamTrack):
    """A track that gives what it was made with, then ends or fails."""

    kind = "video"

    def __init__(self, given: Sequence[object], error: Exception | None = None) -> None:
        super().__init__()
        self._given = list(given)
        self._error = error or MediaStreamError()

    async def recv(self) -> Any:
        if self._given:
            return self._given.pop(0)
        raise self._error


async def all_of(source: AsyncIterator[object]) -> list[object]:
    async with asyncio.timeout(SECONDS):
        return [frame async for frame in source]


async def test_a_tracks_end_is_the_end_of_its_frames() -> None:
    """What aiortc raises at the end of a track is no error."""
    given = [picture(), picture()]
    assert await all_of(frames(Listed(given))) == given


async def test_a_tracks_error_is_raised() -> None:
    """Whatever else is wrong with a track is told to whoever takes its frames."""
    with pytest.raises(OSError, match="gone"):
        await all_of(frames(Listed([picture()], OSError("gone"))))


@pytest.mark.parametrize("wrong", [None, av.Packet(b""), av.AudioFrame("s16", "mono", 1)])
async def test_a_track_gives_frames_of_its_kind(wrong: object) -> None:
    """Anything else is a TypeError that names it."""
    with pytest.raises(TypeError, match=f"video gave a {type(wrong).__name__}"):
        await all_of(frames(Listed([wrong])))


async def test_of_pictures_the_newest_waits() -> None:
    """Whoever takes slowly gets the newest picture, and how many were skipped can be read."""
    track = BoundedTrack("video")
    for pts in range(5):
        track.put(picture(pts))
    assert (await track.recv()).pts == 4
    assert track.skipped == 4


async def test_of_sound_half_a_second_waits_in_order() -> None:
    """Short delays do no harm to the sound; after a long one it goes on from half a second ago."""
    track = BoundedTrack("audio")
    for number in range(40):
        track.put(number)
    assert [await track.recv() for _ in range(25)] == list(range(15, 40))
    assert track.skipped == 15


async def test_who_waits_for_a_frame_is_told_of_the_end() -> None:
    """Also when the track is stopped while it waits."""
    track = BoundedTrack("video")
    waiting = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(waiting, SECONDS)
    track.put(picture())
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_each_view_gets_every_picture_that_it_has_time_for() -> None:
    """One that stops, or takes nothing, does not disturb the others."""
    feed = Feed("video")
    takes, stops, idles = feed.view(), feed.view(), feed.view()
    stops.stop()
    seen = []
    async for _frame in feed.read(Listed([picture(pts) for pts in range(4)])):
        seen.append((await takes.recv()).pts)
    assert seen == [0, 1, 2, 3]
    assert (idles.skipped, stops.skipped) == (3, 0)


async def test_who_comes_later_gets_the_picture_that_is_there() -> None:
    """A picture that seldom changes is seen at once; one that is over is not seen at all."""
    feed = Feed("video")
    reading = feed.read(Listed([picture(7)]))
    await anext(reading)
    late = feed.view()
    assert (await asyncio.wait_for(late.recv(), SECONDS)).pts == 7
    assert await all_of(reading) == []
    assert not feed.view()._held


async def test_after_another_track_time_goes_on() -> None:
    """The first picture of the next track is later than the last of the one before, by the time
    between them; within a track nothing changes."""
    feed = Feed("video")
    first = [frame.pts async for frame in feed.read(Listed([picture(1000), picture(4000)]))]
    assert first == [1000, 4000]
    await asyncio.sleep(0.1)
    given = [picture(7_000_000), picture(7_003_000)]
    second = [frame.pts async for frame in feed.read(Listed(given))]
    assert 4000 + 0.1 * 90_000 <= second[0] < 4000 + SECONDS * 90_000
    assert second[1] == second[0] + 3000


async def test_sound_is_made_alike() -> None:
    """Whatever comes in, 20 ms of stereo at 48 kHz go out, at the same pitch."""
    feed = Feed("audio")
    heard: list[av.AudioFrame] = []
    for tone in (Tone(440, rate=8000), Tone(700, rate=44_100)):
        async with aclosing(feed.read(tone)) as reading:
            for _ in range(30):
                heard.append(await anext(reading))
        tone.stop()
    assert {(f.samples, f.sample_rate, f.layout.name, f.format.name) for f in heard} == {
        (960, 48_000, "stereo", "s16")
    }
    assert pitch(heard[5:30]) == pytest.approx(440, rel=0.02)
    assert pitch(heard[35:]) == pytest.approx(700, rel=0.02)
    times = [frame.time for frame in heard if frame.time is not None]
    assert all(b - a >= 0.0199 for a, b in pairwise(times))
