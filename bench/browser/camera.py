"""Makes the video file that Chromium plays as its camera: noisy, and with numbered frames.

`watch.js` reads the numbers.
"""

import random
from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext

WIDTH, HEIGHT = 1280, 720
FRAMES = 90
RATE = 30  # Frames per second; Chromium plays any Motion JPEG at this rate.
LOOP_MS = FRAMES * 1000 / RATE
"""After this many milliseconds the numbers repeat."""

BITS = 7
BAND = HEIGHT // 9
_WHITE, _BLACK, _GREY = 235, 16, 128
_STEP = 12  # How many pixels the background moves from frame to frame.
_NOISE = 24  # The largest change by noise, of 255.
_QUALITY = 6  # Of JPEG, from 1 (the best) to 31.


def write(path: Path) -> None:
    """Write one loop of the camera, as a series of JPEG pictures."""
    noise = _noise(random.Random(1))  # noqa: S311
    background = _background()
    encoder = _encoder()
    path.write_bytes(b"".join(_jpeg(encoder, n, background, noise) for n in range(FRAMES)))


def _encoder() -> VideoCodecContext:
    encoder = av.CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("mjpeg is not a video codec")
    encoder.width, encoder.height = WIDTH, HEIGHT
    encoder.pix_fmt = "yuvj420p"
    encoder.framerate = Fraction(RATE)
    encoder.qmin = encoder.qmax = _QUALITY
    return encoder


def _jpeg(encoder: VideoCodecContext, number: int, background: bytes, noise: bytes) -> bytes:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuvj420p")
    frame.pts = number
    below = (HEIGHT - BAND) * WIDTH
    start = number * _STEP
    rows = background[start : start + below]
    # This adds the two pictures byte by byte, because no sum is above 255.
    offset = random.Random(number).randrange(len(noise) - below)  # noqa: S311
    total = _integer(rows) + _integer(noise[offset : offset + below])
    frame.planes[0].update(_number_band(number) + total.to_bytes(below, "little"))
    for plane in frame.planes[1:]:
        plane.update(bytes([_GREY]) * plane.buffer_size)
    return b"".join(bytes(packet) for packet in encoder.encode(frame))


def _number_band(number: int) -> bytes:
    """A white and a black cell for comparison, the bits from the highest one, and odd parity."""
    bits = [number >> place & 1 for place in reversed(range(BITS))]
    cells = [1, 0, *bits, 1 - sum(bits) % 2]
    row = b"".join(bytes([_WHITE if cell else _BLACK]) * (WIDTH // len(cells)) for cell in cells)
    return row * BAND


def _background() -> bytes:
    """Soft stripes, longer than a picture, so that a later start shows them moved.

    One loop moves them by a whole number of stripes.
    """
    period = 180
    wave = bytes(60 + abs(period // 2 - at) * 3 // 2 for at in range(period))
    size = (HEIGHT - BAND) * WIDTH + FRAMES * _STEP
    return (wave * (size // period + 1))[:size]


def _noise(source: random.Random) -> bytes:
    # The table turns even noise into noise that is mostly small, like that of a sensor.
    shape = [round(_NOISE * ((at - 127.5) / 127.5) ** 3) + _NOISE for at in range(256)]
    return source.randbytes(2 * WIDTH * HEIGHT).translate(bytes(shape))


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little")
