"""Video tracks to send: a made picture whose frames carry their number, and a video file.

Owns what they look like and how a test reads them back. Imports nothing of the project.
"""

import asyncio
import math
from abc import ABC
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Self

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.container import InputContainer
from av.video.frame import PictureType

CLOCK_RATE = 90_000  # RFC 3551 5: the RTP clock of video.
TIME_BASE = Fraction(1, CLOCK_RATE)
LATE_SECONDS = 1.0

NUMBER_BITS = 24
BARS = (
    (180, 128, 128),
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
    (16, 128, 128),
)
"""The colour bars as Y, Cb, Cr of BT.601: white, yellow, cyan, green, magenta, red, blue and
black at 75 %, from left to right."""

_WHITE, _GREY, _BLACK = 235, 126, 16
# A white and a black cell to compare with, the bits from the highest, and their parity.
_CELLS = 2 + NUMBER_BITS + 1
_LEAST_CONTRAST = 60
_LEAST_WIDTH, _LEAST_HEIGHT = 128, 64


class VideoTrack(MediaStreamTrack, ABC):
    """A track of pictures that knows its nominal rate, in frames a second."""

    kind = "video"
    frame_rate: float


class Pattern:
    """The made picture: the number on top, colour bars in the middle, a moving block below.

    Parameters
    ----------
    width, height: in pixels, even, at least 128x64.

    Raises
    ------
    ValueError: the size is odd or too small.
    """

    def __init__(self, width: int, height: int) -> None:
        if width % 2 or height % 2 or width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
            raise ValueError(
                f"The picture's size must be even and at least {_LEAST_WIDTH}x{_LEAST_HEIGHT}."
            )
        self._size = width, height
        self._bars = tuple(
            _row([bar[part] for bar in BARS], width // (2 if part else 1)) for part in range(3)
        )

    def draw(self, number: int) -> av.VideoFrame:
        """Draw one frame. Of `number` the lower 24 bits are shown."""
        width, height = self._size
        top, middle, bottom = _bands(height)
        frame = av.VideoFrame(width, height, "yuv420p")
        bits = _bits(number)
        luma = (_row([_WHITE, _BLACK, *bits], width), self._bars[0], self._moving(number))
        _fill(frame.planes[0], list(zip(luma, (top, middle, bottom), strict=True)))
        for plane, bars in zip(frame.planes[1:], self._bars[1:], strict=True):
            grey = b"\x80" * (width // 2)
            rows = (grey, top // 2), (bars, middle // 2), (grey, bottom // 2)
            _fill(plane, list(rows))
        return frame

    def _moving(self, number: int) -> bytes:
        width = self._size[0]
        block = width // 16
        left = number * block // 4 % (width - block)
        return (
            bytes([_GREY]) * left
            + bytes([_WHITE]) * block
            + bytes([_GREY]) * (width - block - left)
        )


class MadePicture(VideoTrack):
    """A track of the made picture.

    A frame's number says when it is from: `number / frame_rate` seconds after the first. Where
    nobody takes the frames in time numbers are left out, as a camera leaves out frames.

    Parameters
    ----------
    width, height: in pixels, as for `Pattern`.
    frame_rate: frames a second.
    """

    def __init__(self, width: int = 1280, height: int = 720, frame_rate: float = 30.0) -> None:
        super().__init__()
        self.frame_rate = frame_rate
        self._pattern = Pattern(width, height)
        self._start: float | None = None
        self._number = -1

    async def recv(self) -> av.VideoFrame:
        """The next frame, when it is due.

        Raises
        ------
        MediaStreamError: the track is stopped.
        """
        now = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = now
        self._number = max(self._number + 1, math.floor((now - self._start) * self.frame_rate))
        await asyncio.sleep(max(0.0, self._start + self._number / self.frame_rate - now))
        if self.readyState != "live":
            raise MediaStreamError
        frame = self._pattern.draw(self._number)
        frame.pts = round(self._number * CLOCK_RATE / self.frame_rate)
        frame.time_base = TIME_BASE
        return frame


class VideoFile(VideoTrack):
    """A track of a file's pictures at their own pace, again from the start at its end.

    `VideoFile.open` makes one. Reading and decoding run in a thread; what goes wrong there
    `recv` raises. `stop` closes the file.
    """

    def __init__(self, container: InputContainer, thread: ThreadPoolExecutor) -> None:
        super().__init__()
        stream = container.streams.video[0]
        self.frame_rate = float(stream.average_rate or 30)
        self._container = container
        self._thread = thread
        self._pictures = _looped(container, 1 / self.frame_rate)
        self._start: float | None = None

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open a file that FFmpeg reads.

        Raises
        ------
        ValueError: there is no picture in it.
        av.FFmpegError: it cannot be opened; also a FileNotFoundError, PermissionError or
            ValueError, as the case may be.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="video-file")
        try:
            container = await asyncio.get_running_loop().run_in_executor(thread, _open, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(container, thread)

    async def recv(self) -> av.VideoFrame:
        """The next frame, when it is due.

        Raises
        ------
        MediaStreamError: the track is stopped.
        av.FFmpegError: the file cannot be decoded.
        """
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        at, frame = await loop.run_in_executor(self._thread, next, self._pictures)
        now = loop.time()
        if self._start is None or now - (self._start + at) > LATE_SECONDS:
            self._start = now - at
        await asyncio.sleep(max(0.0, self._start + at - now))
        if self.readyState != "live":
            raise MediaStreamError
        frame.pts = round(at * CLOCK_RATE)
        frame.time_base = TIME_BASE
        # An encoder would make a key frame of each picture that was one in the file.
        frame.pict_type = PictureType.NONE
        return frame

    def stop(self) -> None:
        """End the track and close the file, once a picture being decoded is done."""
        if self.readyState == "live":
            self._thread.submit(self._container.close)
            self._thread.shutdown(wait=False)
        super().stop()


def read_number(frame: av.VideoFrame) -> int | None:
    """Read the number from a frame of the made picture, at any size and after any codec.

    Returns
    -------
    The lower 24 bits of the frame's number; None where they cannot be read for certain.
    """
    luma = _yuv(frame).planes[0]
    top = _bands(luma.height)[0]
    levels = [_mean(luma, area, (0, top)) for area in pairwise(_edges(_CELLS, luma.width))]
    white, black = levels[:2]
    contrast = white - black
    if contrast < _LEAST_CONTRAST:
        return None
    shares = [(level - black) / contrast for level in levels[2:]]
    if any(1 / 3 < share < 2 / 3 for share in shares):
        return None
    bits = [share > 1 / 2 for share in shares]
    if sum(bits) % 2 == 0:
        return None
    return sum(1 << place for place, bit in enumerate(reversed(bits[:-1])) if bit)


def bars_difference(frame: av.VideoFrame) -> float:
    """How far the colour bars of a frame are from the made ones.

    Returns
    -------
    The mean absolute difference over all bars of Y, Cb and Cr, each from 0 to 255.
    """
    planes = _yuv(frame).planes
    found = []
    for part, plane in enumerate(planes):
        top, middle, _ = _bands(frame.height)
        rows = (top * plane.height // frame.height, (top + middle) * plane.height // frame.height)
        for bar, area in zip(BARS, pairwise(_edges(len(BARS), plane.width)), strict=True):
            found.append(abs(_mean(plane, area, rows) - bar[part]))
    return sum(found) / len(found)


def _open(path: Path) -> InputContainer:
    container = av.open(str(path))
    if not container.streams.video:
        container.close()
        raise ValueError(f"There is no picture in {path}.")
    return container


def _looped(container: InputContainer, interval: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Each picture and its time in seconds, which goes on growing when the file begins again."""
    begin = 0.0
    while True:
        first: float | None = None
        at = None
        for frame in container.decode(video=0):
            if frame.time is not None and first is None:
                first = frame.time
            if frame.time is not None and first is not None:
                at = frame.time - first
            else:
                at = 0.0 if at is None else at + interval
            yield begin + at, frame
        if at is None:
            raise ValueError("There is no picture in the file.")
        begin += at + interval
        container.seek(0)


def _bits(number: int) -> list[int]:
    bits = [number >> place & 1 for place in reversed(range(NUMBER_BITS))]
    # Odd parity: a picture that is all black or all white is no number.
    parity = 1 - sum(bits) % 2
    return [_WHITE if bit else _BLACK for bit in [*bits, parity]]


def _bands(height: int) -> tuple[int, int, int]:
    top = height // 8 * 2
    bottom = height // 8 * 2
    return top, height - top - bottom, bottom


def _edges(parts: int, width: int) -> list[int]:
    return [part * width // parts for part in range(parts + 1)]


def _row(levels: Sequence[int], width: int) -> bytes:
    areas = pairwise(_edges(len(levels), width))
    return b"".join(
        bytes([level]) * (right - left) for level, (left, right) in zip(levels, areas, strict=True)
    )


def _fill(plane: av.video.plane.VideoPlane, bands: Sequence[tuple[bytes, int]]) -> None:
    padding = bytes(plane.line_size - plane.width)
    plane.update(b"".join((row + padding) * rows for row, rows in bands))


def _yuv(frame: av.VideoFrame) -> av.VideoFrame:
    return frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")


def _mean(
    plane: av.video.plane.VideoPlane, columns: tuple[int, int], rows: tuple[int, int]
) -> float:
    """The mean of an area's middle, away from its edges, which codecs blur."""
    left, right = _middle(*columns)
    top, bottom = _middle(*rows)
    pixels = memoryview(plane)
    step = max(1, (bottom - top) // 8)
    starts = [row * plane.line_size for row in range(top, bottom, step)]
    total = sum(sum(pixels[start + left : start + right]) for start in starts)
    return total / (len(starts) * (right - left))


def _middle(begin: int, end: int) -> tuple[int, int]:
    quarter = (end - begin) // 4
    return begin + quarter, end - quarter
