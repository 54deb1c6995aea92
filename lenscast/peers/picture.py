"""Video tracks to send: what a sender needs to know of one, and a video file.

Reading and decoding a file run in a thread of its own.
"""

import asyncio
from abc import ABC
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.container import InputContainer
from av.video.frame import PictureType

CLOCK_RATE = 90_000  # RFC 3551 5: the RTP clock of video.
TIME_BASE = Fraction(1, CLOCK_RATE)
LATE_SECONDS = 1.0
"""A reader that is later than this goes on from now, and does not catch up in a burst."""


class VideoTrack(MediaStreamTrack, ABC):
    """A track of pictures that knows its nominal rate, in frames a second."""

    kind = "video"
    frame_rate: float


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
