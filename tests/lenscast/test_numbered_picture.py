"""The made picture: every number can be read back, at any size and after any codec."""

import asyncio
from collections.abc import Iterator
from fractions import Fraction

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lenscast.numbered_picture import (
    BARS,
    FAST,
    MadePicture,
    Pattern,
    bars_difference,
    read_number,
)

SIZES = [(128, 64), (320, 240), (322, 242), (640, 360), (1280, 720)]


def through(codec: str, bitrate: int, frames: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The frames, encoded and decoded again."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = frames[0].width, frames[0].height
    encoder.pix_fmt, encoder.bit_rate = "yuv420p", bitrate
    encoder.framerate = Fraction(15)
    encoder.options = FAST[codec]
    decoder = av.CodecContext.create({"libx264": "h264"}.get(codec, codec), "r")
    assert isinstance(decoder, av.VideoCodecContext)
    packets = [packet for frame in [*frames, None] for packet in encoder.encode(frame)]
    for packet in [*packets, None]:
        yield from decoder.decode(packet)


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 2**24 - 1), size=st.sampled_from(SIZES))
def test_a_number_is_read_from_the_pixels(number: int, size: tuple[int, int]) -> None:
    """Every number of 24 bits comes back from the picture, at every size."""
    assert read_number(Pattern(*size).draw(number)) == number


@pytest.mark.parametrize("codec", ["libvpx", "libx264"])
def test_numbers_and_bars_survive_a_codec(codec: str) -> None:
    """At 150 kbit/s every number is read and the bars have kept their colours."""
    pattern = Pattern(320, 240)
    frames = [pattern.draw(1000 + number) for number in range(15)]
    for number, frame in enumerate(frames):
        frame.pts = number
    decoded = list(through(codec, 150_000, frames))
    assert [read_number(frame) for frame in decoded] == [1000 + n for n in range(15)]
    assert max(bars_difference(frame) for frame in decoded) < 4


def test_a_number_survives_scaling_and_another_pixel_format() -> None:
    """A picture made smaller, and turned into RGB, still tells its number."""
    frame = Pattern(1280, 720).draw(123456)
    small = frame.reformat(width=320, height=180, format="rgb24")
    assert read_number(small) == 123456
    assert bars_difference(small) < 4


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_a_picture_of_one_colour_is_no_number(level: int) -> None:
    """What shows no number reads as None."""
    frame = av.VideoFrame(320, 240, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([level]) * plane.buffer_size)
    assert read_number(frame) is None
    assert bars_difference(frame) > 30


@pytest.mark.parametrize("cell", range(2, 27))
def test_one_wrong_cell_is_no_number(cell: int) -> None:
    """The parity tells of any one bit that has changed."""
    frame = Pattern(320, 240).draw(0xA5F00D)
    plane = frame.planes[0]
    pixels = bytearray(plane)
    left, right = cell * plane.width // 27, (cell + 1) * plane.width // 27
    for row in range(60):
        for column in range(row * plane.line_size + left, row * plane.line_size + right):
            pixels[column] = 251 - pixels[column]
    plane.update(bytes(pixels))
    assert read_number(frame) is None


def test_the_bars_have_the_colours_they_are_said_to_have() -> None:
    """An untouched picture differs by nothing, and one with a wrong bar by that bar."""
    frame = Pattern(320, 240).draw(0)
    assert bars_difference(frame) == 0
    luma = frame.planes[0]
    luma.update(bytes(value ^ 0 if value != BARS[0][0] else 16 for value in bytes(luma)))
    assert bars_difference(frame) == pytest.approx((BARS[0][0] - 16) / 24)


@pytest.mark.parametrize(("width", "height"), [(321, 240), (320, 241), (120, 240), (320, 62)])
def test_sizes_that_cannot_be_drawn_are_refused(width: int, height: int) -> None:
    """An odd or tiny picture is a ValueError, at once."""
    with pytest.raises(ValueError, match="even and at least"):
        MadePicture(width, height)


async def test_frames_come_at_their_rate() -> None:
    """The number is the time since the first frame, counted in frames."""
    track = MadePicture(320, 240, 50)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert read_number(await track.recv()) == 0
    last = 0
    for _ in range(10):
        frame = await track.recv()
        number = read_number(frame)
        assert number is not None
        assert loop.time() - begun >= number / 50 - 0.005
        assert frame.time == pytest.approx(number / 50, abs=1e-4)
        assert number > last
        last = number


async def test_a_late_taker_gets_the_frame_of_now() -> None:
    """Numbers that nobody took in time are left out."""
    track = MadePicture(320, 240, 100)
    await track.recv()
    await asyncio.sleep(0.1)
    number = read_number(await track.recv())
    assert number is not None
    assert number >= 9


async def test_a_stopped_picture_ends() -> None:
    """After `stop` a track raises what aiortc expects of one that has ended."""
    track = MadePicture(320, 240)
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()
