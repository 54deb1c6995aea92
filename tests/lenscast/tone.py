"""A made tone, and how a test hears which one it is."""

import asyncio
import math
from array import array
from collections.abc import Sequence
from fractions import Fraction

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

FRAME_SECONDS = 0.02


class Tone(MediaStreamTrack):
    """A sine wave, 20 ms in each frame.

    Parameters
    ----------
    frequency: in Hz.
    rate: samples a second.
    """

    kind = "audio"

    def __init__(self, frequency: float, rate: int = 48_000) -> None:
        super().__init__()
        self._frequency = frequency
        self._rate = rate
        self._samples = 0
        self._start: float | None = None

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due.

        Raises
        ------
        MediaStreamError: the track is stopped.
        """
        now = asyncio.get_running_loop().time()
        self._start = now if self._start is None else self._start
        await asyncio.sleep(max(0.0, self._start + self._samples / self._rate - now))
        if self.readyState != "live":
            raise MediaStreamError
        count = int(self._rate * FRAME_SECONDS)
        turn = 2 * math.pi * self._frequency / self._rate
        wave = (math.sin(turn * (self._samples + at)) for at in range(count))
        frame = av.AudioFrame(format="s16", layout="mono", samples=count)
        frame.planes[0].update(array("h", (int(10_000 * level) for level in wave)).tobytes())
        frame.sample_rate = self._rate
        frame.pts, frame.time_base = self._samples, Fraction(1, self._rate)
        self._samples += count
        return frame


def pitch(frames: Sequence[av.AudioFrame]) -> float:
    """The frequency of a tone in Hz, by how often its first channel rises through zero."""
    left: list[int] = []
    for frame in frames:
        assert frame.format.name == "s16"
        samples = array("h", bytes(frame.planes[0])[: frame.samples * frame.layout.nb_channels * 2])
        left += samples[:: frame.layout.nb_channels]
    rises = [at for at in range(1, len(left)) if left[at - 1] < 0 <= left[at]]
    return (len(rises) - 1) * frames[0].sample_rate / (rises[-1] - rises[0])
