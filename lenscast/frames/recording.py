"""A video file that grows: whatever ends the process, each second that was written plays."""

from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.filter
from av.video.frame import PictureType

CLOCK_RATE = 90_000
KEY_SECONDS = 1.0
"""How much of the file is lost when the process is killed, at most, besides what is not encoded."""
BITS_PER_PIXEL = 3
"""A second of VP8; H.264 is told a quality instead."""

_H264 = {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}
# As fast as it goes: 720p at 30 frames/s then takes about one core.
_VP8 = {
    "deadline": "realtime",
    "cpu-used": "12",
    "lag-in-frames": "0",
    "static-thresh": "1",
    "qmin": "4",
    "qmax": "56",
}
# A fragment, or a cluster in Matroska, begins with each picture that needs no other one. It is
# written when the next one begins, and plays without anything that comes later.
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_CLUSTERS = {"flush_packets": "1"}

_Choice = tuple[str, dict[str, str], dict[str, str]]
FORMATS: dict[str, _Choice] = {
    ".mp4": ("libx264", _H264, _FRAGMENTS),
    ".mkv": ("libx264", _H264, _CLUSTERS),
    ".webm": ("libvpx", _VP8, _CLUSTERS),
}
"""By the file's ending: the encoder, its options, and those of the container."""


class Recording:
    """A file of one picture's size, the first one's; others are fitted into it, with black bars.

    Its methods take as long as encoding and writing take.

    Parameters
    ----------
    path: where to write; its ending is one of FORMATS. A file that is there is replaced.

    Raises
    ------
    OSError, av.FFmpegError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._encoder, self._options, container = FORMATS[path.suffix.lower()]
        self._container = av.open(str(path), "w", container_options=container)
        self._stream: av.VideoStream | None = None
        self._fits: tuple[int, int, str] | None = None
        self._fit = av.filter.Graph()
        self._begun = 0.0
        self._last = -1
        self._next_key = 0.0

    def add(self, picture: av.VideoFrame, time: float) -> None:
        """Add a picture.

        Parameters
        ----------
        picture: of any size and format.
        time: when it was taken, in seconds of any clock. One that is not later than the last
            picture's counts as a millisecond later.

        Raises
        ------
        OSError, av.FFmpegError: it cannot be encoded or written.
        """
        if self._stream is None:
            self._stream = self._begin(picture)
            self._begun = time
        fitted = self._fitted(picture, f"{self._stream.width}:{self._stream.height}")
        self._last = max(round((time - self._begun) * CLOCK_RATE), self._last + CLOCK_RATE // 1000)
        fitted.pts, fitted.time_base = self._last, Fraction(1, CLOCK_RATE)
        seconds = self._last / CLOCK_RATE
        fitted.pict_type = PictureType.NONE
        if seconds >= self._next_key:
            fitted.pict_type = PictureType.I
            self._next_key = seconds + KEY_SECONDS
        self._container.mux(self._stream.encode(fitted))

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        OSError, av.FFmpegError: its end cannot be written; what was written before plays.
        """
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
        finally:
            self._container.close()

    def _begin(self, picture: av.VideoFrame) -> av.VideoStream:
        stream: Any = self._container.add_stream(self._encoder, rate=30, options=self._options)
        # Both encoders take two pixels at a time.
        stream.width = max(2, picture.width // 2 * 2)
        stream.height = max(2, picture.height // 2 * 2)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK_RATE)
        if self._options is _VP8:
            stream.bit_rate = stream.width * stream.height * BITS_PER_PIXEL
        return cast(av.VideoStream, stream)

    def _fitted(self, picture: av.VideoFrame, size: str) -> av.VideoFrame:
        kind = (picture.width, picture.height, picture.format.name)
        if kind != self._fits:
            self._fits, self._fit = kind, _fitting(*kind, size)
        self._fit.vpush(picture)
        return self._fit.vpull()


def _fitting(width: int, height: int, form: str, size: str) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=width,
            height=height,
            format=av.VideoFormat(form),
            time_base=Fraction(1, CLOCK_RATE),
        ),
        graph.add("scale", f"{size}:force_original_aspect_ratio=decrease"),
        graph.add("pad", f"{size}:-1:-1"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ).configure()
    return graph
