"""The phone as a camera for programs without an event loop: the same, from a thread of its own."""

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, Unpack

from lenscast.frames.camera import AsyncCamera, Lost
from lenscast.frames.frame import Format, Frame, PhoneLost
from lenscast.frames.loop_thread import LoopThread
from lenscast.frames.room import Options
from lenscast.peers.receiver import Received
from lenscast.peers.signaling import NORMAL, ConnectionEnded
from signaling.config import Preset


class Camera:
    """The newest frames of the phones in a room: `for frame in Camera(): ...`

    Making one starts a server in this process and prints the QR code; or it joins a server that
    runs. Whoever takes frames slowly misses some, and is never given an old one. It is closed by
    `close`, as a context manager, or when the program ends.

    Parameters
    ----------
    link: a receiver's or viewer's link. None: this user's server on this computer, or a new one
        in this process where none runs.
    format: how the pixels of `frame.image` lie.
    lost: what to do when the phone has left, or was cut off for longer than its place is kept
        (45 s), and no other one is there: "wait" for the next one, or "raise" PhoneLost.
    timeout: how many seconds to wait for a frame at most; None: as long as it takes.
    options: as `lenscast.frames.room.Options` lists them.

    Raises
    ------
    SetupError: no server can be started here, or it is not clear which one to join.
    Refusal: the server does not let this program in.
    ConnectionError: the server cannot be reached.
    ValueError: it is not a link of a receiver or a viewer, or there is no such format or option.
    """

    def __init__(
        self,
        link: str | None = None,
        *,
        format: Format = "bgr24",  # noqa: A002 - what it is called everywhere else
        lost: Lost = "wait",
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._lost = lost
        self._camera = AsyncCamera(link, format=format, lost=lost, timeout=timeout, **options)
        self._thread = LoopThread("lenscast")
        self._close = weakref.finalize(self, _close, self._thread, self._camera)
        try:
            self._thread.run(self._camera.__aenter__)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Each newest frame of all phones in turn, until this camera is closed."""
        return self.frames()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return not self._close.alive

    @property
    def phones(self) -> Mapping[str, Received]:
        """Who is in the room, by id: `name`, `width`, `height`, how many `frames` have come and
        how many of them were `skipped`, and the `state` that the phone shows."""

        async def copy() -> dict[str, Received]:
            return dict(self._camera.phones)  # In its own thread, where nothing changes meanwhile.

        return {} if self.closed else self._thread.run(copy)

    @property
    def presets(self) -> Mapping[str, Preset]:
        """What `ask(preset=...)` may name, and what each means."""
        return self._camera.presets

    def read(self, sender: str | None = None) -> Frame:
        """The newest frame, as soon as there is one that was not read before.

        Parameters
        ----------
        sender: the id of one phone; None for all of them, in turn.

        Raises
        ------
        TimeoutError: none has come within the time that was asked for.
        PhoneLost: that phone has left; or nobody is there any more, and this was asked for.
        ConnectionEnded: the connection to the server is over, or this camera is closed.
        """
        self._require_open()
        return self._thread.run(lambda: self._camera.read(sender))

    def frames(self, sender: str | None = None) -> Iterator[Frame]:
        """Each newest frame until this camera is closed; parameters and errors are those of `read`.

        Those of one phone end when it has left, unless PhoneLost was asked for.
        """
        while not self.closed:
            try:
                frame = self.read(sender)
            except PhoneLost:
                if sender is None or self._lost == "raise":
                    raise
                return
            except (ConnectionEnded, RuntimeError):
                if self.closed:  # By another thread, while this one waited.
                    return
                raise
            yield frame

    def ask(self, **settings: Any) -> None:
        """Ask the phones for other settings, and those that come later as well.

        Parameters
        ----------
        settings: as docs/protocol.md has them, such as `preset="hd"` or `facing="user"`. The
            person at the phone may have refused control; then nothing changes.

        Raises
        ------
        ConnectionEnded: the connection to the server is over, or this camera is closed.
        """
        self._require_open()
        self._thread.run(lambda: self._camera.ask(**settings))

    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the newest frame, once one has come; it is not taken."""
        self._require_open()
        return self._thread.run(self._camera.size)

    def close(self) -> None:
        """Leave the room, and stop the server that was started. Twice is harmless."""
        self._close()

    def _require_open(self) -> None:
        if self.closed:
            raise ConnectionEnded(NORMAL, "It was closed here.")


def _close(thread: LoopThread, camera: AsyncCamera) -> None:
    try:
        # Whoever reads no more need not be told that the server has ended before.
        with contextlib.suppress(ConnectionError):
            thread.run(lambda: camera.__aexit__(None, None, None))
    finally:
        thread.close()
