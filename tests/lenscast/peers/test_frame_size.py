"""The size of pictures, read from what real encoders make, and refused where it is too large."""

import contextlib
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenscast.peers import frame_size
from lenscast.peers.frame_size import MAX_PARAMETER_SETS, FrameTooLarge

CODECS = {"VP8": "libvpx", "H264": "libx264"}
FAST = {"VP8": {"deadline": "realtime", "cpu-used": "8"}, "H264": {"preset": "ultrafast"}}
START = b"\x00\x00\x01"


def encoded(codec: str, width: int, height: int, **options: str) -> bytes:
    """A key frame."""
    encoder = av.CodecContext.create(CODECS[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = options.pop("pixels", "yuv420p")
    encoder.framerate = Fraction(15)
    encoder.options = options or FAST[codec]
    frame = av.VideoFrame(width, height, encoder.pix_fmt)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return bytes([*encoder.encode(frame), *encoder.encode(None)][0])


def sps(bits: str) -> bytes:
    """A sequence parameter set of these bits, and nothing after them."""
    padded = bits + "0" * (-len(bits) % 8)
    plain = bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))
    return START + b"\x67" + plain


@pytest.mark.parametrize("codec", CODECS)
def test_pictures_up_to_4k_are_decoded(codec: str) -> None:
    """That is what the best phones have."""
    frame_size.check(codec, encoded(codec, 3840, 2160))


@pytest.mark.parametrize("codec", CODECS)
def test_larger_ones_are_refused(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From what declares them, before anything is decoded."""
    monkeypatch.setattr(frame_size, "MAX_PIXELS", 640 * 384)
    frame_size.check(codec, encoded(codec, 384, 640))
    with pytest.raises(FrameTooLarge, match="640 x 400"):
        frame_size.check(codec, encoded(codec, 640, 400))


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "baseline"},
        {"profile": "high", "x264-params": "cqm=jvt"},
        {"pixels": "yuv444p", "x264-params": "cqm=jvt"},
        {"x264-params": "interlaced=1"},
    ],
    ids=["baseline", "scaling lists", "4:4:4", "interlaced"],
)
def test_the_size_is_read_in_every_profile(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of exactly the largest size is decoded, and the next one is not."""
    data = encoded("H264", 640, 384, **options)
    monkeypatch.setattr(frame_size, "MAX_PIXELS", 640 * 384)
    frame_size.check("H264", data)
    monkeypatch.setattr(frame_size, "MAX_PIXELS", 640 * 384 - 1)
    with pytest.raises(FrameTooLarge):
        frame_size.check("H264", data)


def test_each_order_of_pictures_is_read() -> None:
    """The size stands after what tells it (ITU-T H.264 7.3.2.1.1)."""
    head, size = (
        f"{66:08b}" + "0" * 16 + "1" + "1",
        "1" + "0" + 2 * ("0" * 12 + f"{4096:013b}") + "1",
    )
    orders = ["1" + "1", "010" + "0" + "1" + "1" + "011" + "1" * 2, "011"]
    for order in orders:
        with pytest.raises(FrameTooLarge, match="65536 x 65536"):
            frame_size.check("H264", sps(head + order + size))


@pytest.mark.parametrize(
    "parameters",
    [
        "42003ed000000300020000030007803ff0040390",
        "42803ed0000003aaaabf9800ffc03ff9",
        "42803ed001000003dbd888034a00f2e4",
        "42803ed001000003c0f89002a500f064",
    ],
    ids=["a number of 65 bits", "a crop that FFmpeg reads once more", "both", "both, otherwise"],
)
def test_what_ffmpeg_reads_otherwise_is_refused(parameters: str) -> None:
    """They declare up to 16368 x 8208 pixels to FFmpeg, and few to a reader of the standard."""
    with pytest.raises(FrameTooLarge):
        frame_size.check("H264", START + b"\x67" + bytes.fromhex(parameters))


@pytest.mark.parametrize(
    "data",
    [
        sps(""),
        sps(f"{66:08b}" + "0" * 200),
        sps(f"{67:08b}" + "1" * 200),
        encoded("H264", 64, 64) * (MAX_PARAMETER_SETS + 1),
    ],
    ids=["nothing", "no end", "unknown profile", "many"],
)
def test_what_nobody_can_read_is_refused(data: bytes) -> None:
    """A decoder might read it otherwise."""
    with pytest.raises(FrameTooLarge):
        frame_size.check("H264", data)


def test_what_declares_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that are no key frames, and sound."""
    monkeypatch.setattr(frame_size, "MAX_PIXELS", 1)
    key_frame = encoded("VP8", 64, 64)
    frame_size.check("VP8", b"\x01" + key_frame[1:])
    frame_size.check("H264", START + b"\x41")
    frame_size.check("opus", key_frame)


@given(st.sampled_from(["VP8", "H264"]), st.binary(max_size=60))
def test_nothing_else_is_ever_raised(codec: str, data: bytes) -> None:
    """Whatever a remote peer sends."""
    for frame in (data, START + b"\x67" + data, START + b"\x67\x64" + data):
        with contextlib.suppress(FrameTooLarge):
            frame_size.check(codec, frame)
