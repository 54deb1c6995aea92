"""A made picture whose frames carry their number, and how a test reads it back."""

import asyncio
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from aiortc.mediastreams import MediaStreamError

from lenscast.peers.picture import CLOCK_RATE, TIME_BASE, VideoTrack

FAST = {"libx264": {"preset": "ultrafast"}, "libvpx": {"deadline": "realtime", "cpu-used": "8"}}
"""Options by which a codec encodes quickly."""

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

    A frame's number tells its time: `number / frame_rate` seconds after the first. When nobody
    takes the frames in time, numbers are left out, as a camera leaves out frames.

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


def write_video(path: Path, frames: int, rate: int = 25, codec: str = "libx264") -> Path:
    """A file with the made picture, 320x240."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=FAST[codec])
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        pattern = Pattern(320, 240)
        for number in range(frames):
            container.mux(stream.encode(pattern.draw(number)))
        container.mux(stream.encode())
    return path


def write_camera(path: Path, width: int, height: int, frames: int) -> None:
    """The made picture as Motion JPEG, which Chromium plays as a camera in a loop, 30 a second."""
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    pattern = Pattern(width, height)
    with path.open("wb") as file:
        for number in range(frames):
            frame = pattern.draw(number).reformat(format="yuvj420p")
            frame.pts = number
            file.write(b"".join(bytes(packet) for packet in encoder.encode(frame)))
        file.write(b"".join(bytes(packet) for packet in encoder.encode()))


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
