"""A phone in place of `cv2.VideoCapture`; OpenCV itself is not needed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from lenscast.frames.blocking import Camera
from lenscast.frames.frame import Frame, PhoneLost
from lenscast.frames.room import Options
from lenscast.peers.signaling import ConnectionEnded
from signaling.config import Preset

if TYPE_CHECKING:
    from lenscast.frames.frame import Image

# cv::VideoCaptureProperties, by number.
POS_MSEC = 0
POS_FRAMES = 1
FRAME_WIDTH = 3
FRAME_HEIGHT = 4
FPS = 5
BUFFERSIZE = 38


class VideoCapture:
    """Reads the newest frames of a phone with OpenCV's names: `read`, `isOpened`, `get`, `set`,
    `release`, `grab` and `retrieve`.

    Making one starts a server in this process and prints the QR code, or joins a server that runs;
    it does not wait for the phone. Unlike OpenCV's it says why it cannot be opened.

    Parameters
    ----------
    source: 0, or a link of a receiver.
    timeout: how many seconds `read` waits for a frame at most; None: as long as it takes.
    options: as `lenscast.frames.room.Options` lists them.

    Raises
    ------
    SetupError: no server can be started here, or it is not clear which one to join.
    Refusal: the server does not let this program in.
    ConnectionError: the server cannot be reached.
    ValueError: the source is neither 0 nor such a link.
    """

    def __init__(
        self,
        source: int | str = 0,
        *,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> None:
        if isinstance(source, int) and source != 0:
            raise ValueError(f"There is no camera {source}: use 0, or a receiver's link.")
        link = source if isinstance(source, str) else None
        self._camera = Camera(link, timeout=timeout, **options)
        self._wanted: dict[int, float] = {}
        self._grabbed: Frame | None = None
        self._first: float | None = None

    def isOpened(self) -> bool:
        """Whether frames may come; not whether a phone is there."""
        return not self._camera.closed

    def read(self) -> tuple[bool, Image | None]:
        """Wait for the newest frame: True and its pixels in the order blue, green, red.

        Returns
        -------
        False and None where there is none: the time is up, it was released, or the server ended.
        """
        return (True, self.retrieve()[1]) if self.grab() else (False, None)

    def grab(self) -> bool:
        """Wait for the newest frame, and keep it for `retrieve`."""
        try:
            self._grabbed = self._camera.read()
        except (TimeoutError, PhoneLost):
            self._grabbed = None
        except ConnectionEnded:
            self._grabbed = None
            self.release()
        else:
            self._first = self._first or self._grabbed.time
        return self._grabbed is not None

    def retrieve(self) -> tuple[bool, Image | None]:
        """The frame that `grab` has kept."""
        return (False, None) if self._grabbed is None else (True, self._grabbed.image)

    def get(self, propId: int) -> float:
        """What is known of the phone's picture; 0 for anything else.

        Parameters
        ----------
        propId: cv2.CAP_PROP_FRAME_WIDTH or _HEIGHT: the newest frame's, in pixels; this waits for
            the first frame. cv2.CAP_PROP_FPS: frames a second, as the phone says. _POS_MSEC and
            _POS_FRAMES: time and number of the last frame that was read. _BUFFERSIZE: 1.
        """
        if propId in (FRAME_WIDTH, FRAME_HEIGHT):
            return float(self._size()[propId - FRAME_WIDTH])
        if propId == FPS:
            return self._frame_rate()
        if propId == BUFFERSIZE:
            return 1.0
        if self._grabbed is None or self._first is None:
            return 0.0
        known = {
            POS_MSEC: 1000 * (self._grabbed.time - self._first),
            POS_FRAMES: self._grabbed.number + 1,
        }
        return float(known.get(propId, 0))

    def set(self, propId: int, value: float) -> bool:
        """Ask the phone for another size or frame rate.

        The phone has few: it is asked for the one that is nearest to all that was set so far, now
        and when it comes later. `get` says what it does.

        Parameters
        ----------
        propId: cv2.CAP_PROP_FRAME_WIDTH, _FRAME_HEIGHT, _FPS, or _BUFFERSIZE, which is always 1.
        value: pixels, or frames a second.

        Returns
        -------
        Whether the phone is asked for it.
        """
        if propId == BUFFERSIZE:
            return value == 1
        if propId not in (FRAME_WIDTH, FRAME_HEIGHT, FPS) or value <= 0 or not self.isOpened():
            return False
        self._wanted[propId] = value
        presets = self._camera.presets
        nearest = min(presets, key=lambda name: self._distance(presets[name]))
        try:
            self._camera.ask(preset=nearest)
        except ConnectionEnded:
            return False
        return True

    def release(self) -> None:
        """Leave the room, and stop the server that was started. Twice is harmless."""
        self._camera.close()

    def _distance(self, preset: Preset) -> tuple[float, int]:
        has = {FRAME_WIDTH: preset.width, FRAME_HEIGHT: preset.height, FPS: preset.frame_rate}
        apart = sum(abs(has[key] - value) / value for key, value in self._wanted.items())
        return apart, -preset.frame_rate

    def _size(self) -> tuple[int, int]:
        try:
            return self._camera.size()
        except (TimeoutError, ConnectionEnded):
            return 0, 0

    def _frame_rate(self) -> float:
        for phone in self._camera.phones.values():
            rate = phone.state.get("frameRate")
            if isinstance(rate, int | float):
                return float(rate)
        return 0.0
