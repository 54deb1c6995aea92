"""How large the pictures are that an encoded frame begins: read before it is decoded.

Of a few hundred bytes a decoder may be told to hold pictures of 16383 x 16383 pixels, half a
gigabyte each.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

MAX_PIXELS = 4096 * 2304
"""The largest picture that is decoded: somewhat more than 4K."""

_VP8_START = b"\x9d\x01\x2a"  # RFC 6386 9.1.
# A sequence parameter set: nal_unit_type is 7 (ITU-T H.264 7.3.1).
_SPS = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67\x87\xa7\xc7\xe7]")
MAX_PARAMETER_SETS = 4
"""In one frame. Encoders send one."""
LONGEST_PARAMETER_SET = 1024
"""How many bytes of one are read: all lists of the longest take fewer."""
_PROFILES = {66, 77, 88}
# Their parameter sets begin with more (ITU-T H.264 7.3.2.1.1, as FFmpeg's h264_ps.c reads it).
_HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 138, 144, 244}


class FrameTooLarge(Exception):
    """A frame begins larger pictures than are decoded, or nobody can tell how large they are."""


def check(codec: str, data: bytes) -> None:
    """Refuse a frame before it is decoded.

    Parameters
    ----------
    codec: "VP8" or "H264"; frames of others pass.
    data: one encoded frame; H.264 as a byte stream (ITU-T H.264 annex B).

    Raises
    ------
    FrameTooLarge: its pictures are larger than MAX_PIXELS, or their size cannot be read.
    """
    sizes = {"VP8": _vp8_sizes, "H264": _h264_sizes}.get(codec)
    for width, height in sizes(data) if sizes else ():
        if width * height > MAX_PIXELS:
            raise FrameTooLarge(f"{width} x {height}")


def _vp8_sizes(data: bytes) -> list[tuple[int, int]]:
    # Only a key frame says it; its first bit is 0 (RFC 6386 9.1).
    if len(data) < 10 or data[0] & 1 or data[3:6] != _VP8_START:
        return []
    width, height = data[6:8], data[8:10]
    return [(int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF)]


def _h264_sizes(data: bytes) -> list[tuple[int, int]]:
    starts = [found.end() for found in islice(_SPS.finditer(data), MAX_PARAMETER_SETS + 1)]
    if len(starts) > MAX_PARAMETER_SETS:
        raise FrameTooLarge("more parameter sets than any encoder sends")
    sets = [data[start : start + LONGEST_PARAMETER_SET] for start in starts]
    try:
        # What keeps start codes out of the data (ITU-T H.264 7.4.1) is taken out again.
        sizes = [_sps_size(_Bits(each.replace(b"\x00\x00\x03", b"\x00\x00"))) for each in sets]
    except IndexError as error:
        raise FrameTooLarge("a parameter set that cannot be read") from error
    return [*sizes, *_second_reading(sets)]


def _second_reading(sets: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """The sizes as FFmpeg reads them, with all bytes left in, where its first reading fails."""
    for each in sets:
        with suppress(IndexError, FrameTooLarge):
            yield _sps_size(_Bits(each, longest_zeros=31))


def _sps_size(bits: "_Bits") -> tuple[int, int]:
    """The size that a sequence parameter set gives (ITU-T H.264 7.3.2.1.1), before cropping."""
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    if profile in _HIGH_PROFILES:
        _skip_high_profile(bits)
    elif profile not in _PROFILES:
        raise FrameTooLarge(f"the unknown profile {profile}")
    bits.ue()
    _skip_picture_order(bits)
    bits.ue()
    bits.take(1)
    width, height = bits.ue() + 1, bits.ue() + 1
    fields = 2 - bits.take(1)
    return 16 * width, 16 * height * fields


def _skip_high_profile(bits: "_Bits") -> None:
    chroma = bits.ue()
    if chroma == 3:
        bits.take(1)
    bits.ue()
    bits.ue()
    bits.take(1)
    if bits.take(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_picture_order(bits: "_Bits") -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.take(1)
        bits.ue()
        bits.ue()
        for _ in range(min(bits.ue(), 255)):
            bits.ue()


class _Bits:
    """Reads a parameter set bit by bit; IndexError where it ends too early, or holds a number so
    large that decoders do not agree on where it ends."""

    def __init__(self, data: bytes, longest_zeros: int = 12) -> None:
        # FFmpeg's usual reader of Exp-Golomb codes knows no more zeros than 12, and no encoder
        # needs them; its reader of long ones, for some of the numbers, takes up to 31.
        self._longest_zeros = longest_zeros
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def take(self, count: int) -> int:
        """An unsigned number of so many bits."""
        text = self._bits[self._at : self._at + count]
        if len(text) < count:
            raise IndexError
        self._at += count
        return int(text, 2)

    def ue(self) -> int:
        """An unsigned number in Exp-Golomb code (ITU-T H.264 9.1)."""
        first = self._bits.find("1", self._at)
        if not 0 <= first - self._at <= self._longest_zeros:
            raise IndexError
        zeros = first - self._at
        self._at = first
        return self.take(zeros + 1) - 1

    def se(self) -> int:
        """A signed number in Exp-Golomb code (ITU-T H.264 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)
