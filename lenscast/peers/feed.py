"""Frames from where they are made to where they are used, without a queue that grows.

aiortc's queue of received frames has no limit, and its senders each want a track of their own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakSet

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

FRAMES = {"video": av.VideoFrame, "audio": av.AudioFrame}
WAITING = {"video": 1, "audio": 25}
"""How many frames wait for whoever takes them: the newest picture, or half a second of sound."""

SOUND_RATE = 48_000
SOUND_SAMPLES = 960
"""Of one frame of sound, 20 ms. aiortc gives all packets of a larger one the same time."""

Frame = Any
"""An av.VideoFrame or an av.AudioFrame, as the kind of the track is."""


async def frames(track: MediaStreamTrack) -> AsyncGenerator[Frame, None]:
    """Take each frame of a track as soon as it is there, until the track ends.

    Raises
    ------
    TypeError: the track gave something else than decoded frames of its kind.
    Exception: whatever else is wrong with the track.
    """
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if not isinstance(frame, FRAMES[track.kind]):
            name = type(frame).__name__
            raise TypeError(f"The track of {track.kind} gave a {name}.")
        yield frame


class BoundedTrack(MediaStreamTrack):
    """A track that holds the newest picture, or half a second of sound.

    Whoever takes frames too slowly misses some, and does not lag.

    Parameters
    ----------
    kind: "video" or "audio".

    Attributes
    ----------
    skipped: how many frames nobody has taken in time.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.skipped = 0
        self._held: deque[Frame] = deque(maxlen=WAITING[kind])
        self._changed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Add a frame, in place of the oldest one where there is no room."""
        self.skipped += len(self._held) == self._held.maxlen
        self._held.append(frame)
        self._changed.set()

    async def recv(self) -> Frame:
        """The next frame, as soon as there is one.

        Raises
        ------
        MediaStreamError: the track has ended.
        """
        while self.readyState == "live":
            if self._held:
                return self._held.popleft()
            self._changed.clear()
            await self._changed.wait()
        raise MediaStreamError

    def stop(self) -> None:
        """End the track; whoever waits for a frame is told."""
        super().stop()
        self._changed.set()


class Feed:
    """Hands the frames of one track on to any number of connections.

    The track may be replaced by another one: its frames then go on in time where those of the
    first one ended, as neither browsers nor aiortc understand a time that goes back.

    Parameters
    ----------
    kind: "video" or "audio".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._views: WeakSet[BoundedTrack] = WeakSet()
        self._newest: Frame | None = None
        self._until: tuple[float, float] | None = None  # Of the newest: its time, and when it came.

    def view(self) -> BoundedTrack:
        """A track for one connection, which may stop it. A picture that is there is in it."""
        view = BoundedTrack(self.kind)
        if self._newest is not None and self.kind == "video":
            view.put(self._newest)
        self._views.add(view)
        return view

    async def read(self, track: MediaStreamTrack) -> AsyncGenerator[Frame, None]:
        """Hand on the frames of a track until it ends, and give each one afterwards.

        Parameters
        ----------
        track: a track of this kind. Its frames belong to the feed: their times are changed.

        Raises
        ------
        TypeError: the track gave something else than decoded frames of its kind.
        Exception: whatever else is wrong with the track.
        """
        shift: float | None = None
        resampler = av.AudioResampler("s16", "stereo", SOUND_RATE, SOUND_SAMPLES)
        try:
            async for given in frames(track):
                parts: list[Frame] = [given] if self.kind == "video" else resampler.resample(given)
                for frame in parts:
                    if shift is None:
                        shift = self._shift(frame.time)
                    self._put(frame, shift)
                    yield frame
        finally:
            self._newest = None  # Nobody who comes later is to see what is over.

    def _shift(self, begins: float) -> float:
        """By how many seconds to move the frames of a track whose first one is of this time."""
        if self._until is None:
            return 0.0
        time, came = self._until
        return time + (asyncio.get_running_loop().time() - came) - begins

    def _put(self, frame: Frame, shift: float) -> None:
        frame.pts += round(shift / frame.time_base)
        self._newest = frame
        self._until = frame.time, asyncio.get_running_loop().time()
        for view in list(self._views):
            if view.readyState == "live":
                view.put(frame)
