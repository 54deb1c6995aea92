"""Records one phone after another into a file, while the phone is watched."""

import asyncio
import contextlib
from pathlib import Path

import av

from lenscast.frames.camera import AsyncCamera
from lenscast.frames.frame import Frame, PhoneLost
from lenscast.frames.recording import Recording

WAITING = 30
"""How many frames wait for the encoder: a second of video."""


class Recorder:
    """Writes every frame of a phone to a file. When it has left, the next phone's frames follow.

    Parameters
    ----------
    camera: it has been entered; nobody else reads it.
    path: where to write, as for `Recording`. The file is made when the first frame comes.

    Attributes
    ----------
    frames: how many were written.
    dropped: how many came and were not, because the encoder was too slow.
    seconds: from the first to the last of them.
    """

    def __init__(self, camera: AsyncCamera, path: Path) -> None:
        self._camera = camera
        self._path = path
        # `_read` keeps to WAITING; there is always room for the None that ends it.
        self._queue: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._began = asyncio.Event()
        self.frames = 0
        self.dropped = 0
        self.seconds = 0.0

    @property
    def size(self) -> int:
        """How many bytes were written."""
        try:
            return self._path.stat().st_size if self.frames else 0
        except OSError:  # Somebody has moved it.
            return 0

    async def run(self, stopping: asyncio.Event, duration: float | None = None) -> None:
        """Record until it is stopped, and finish the file.

        Parameters
        ----------
        stopping: ends the recording once it is set.
        duration: seconds from the first frame to the end; None: no limit.

        Raises
        ------
        OSError, av.FFmpegError: the file cannot be written; what was written until then plays.
        ConnectionEnded: the connection to the server is over; the file is finished.
        """
        writing = asyncio.create_task(self._write(), name="writing a recording")
        ends = {
            asyncio.create_task(self._read(), name="reading for a recording"),
            asyncio.create_task(stopping.wait()),
            asyncio.create_task(self._limit(duration)),
        }
        try:
            done, _ = await asyncio.wait({writing, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.wait(ends)
            self._queue.put_nowait(None)
            await asyncio.wait({writing})
        for task in (writing, *done):
            task.result()

    async def _limit(self, duration: float | None) -> None:
        await self._began.wait()
        if duration is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(duration)

    async def _read(self) -> None:
        sender: str | None = None
        while True:
            try:
                frame = await self._camera.read(sender)
            except PhoneLost:
                sender = None
                continue
            if frame.sender == sender:
                self.dropped += frame.skipped
            sender = frame.sender
            self._began.set()
            if self._queue.qsize() < WAITING:
                self._queue.put_nowait(frame)
            else:
                self.dropped += 1

    async def _write(self) -> None:
        recording: Recording | None = None
        first = 0.0
        try:
            while (frame := await self._queue.get()) is not None:
                if recording is None:
                    recording = await asyncio.to_thread(Recording, self._path)
                    first = frame.time
                await asyncio.to_thread(recording.add, frame.picture, frame.time)
                self.frames += 1
                self.seconds = max(self.seconds, frame.time - first)
        except (OSError, av.FFmpegError):
            if recording is not None:
                with contextlib.suppress(OSError, av.FFmpegError):
                    await asyncio.to_thread(recording.close)
            raise
        if recording is not None:
            await asyncio.to_thread(recording.close)
