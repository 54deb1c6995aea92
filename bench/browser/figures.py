"""Computes the figures from the frames that both pages saw. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from bench.browser.camera import HEIGHT, LOOP_MS, WIDTH

SETTLE_SECONDS = 1.0
"""How long after the first frame latency and frame rate do not count."""
FREEZE_FROM_SECONDS = 3.0
PANEL_SECONDS = 1.0
_EARLIER_MS = 100.0


@dataclass(frozen=True)
class Frame:
    """One frame that a page painted. Times are in milliseconds of the machine's clock.

    Attributes
    ----------
    number: the number of the camera's frame; None if it could not be read.
    at: when it was painted.
    displayed: when the browser expected it on the screen.
    captured: when the camera took it, if the browser says so.
    presented: how many frames the browser has painted so far, including this one.
    """

    number: int | None
    at: float
    displayed: float
    captured: float | None
    width: int
    height: int
    presented: int

    @property
    def full(self) -> bool:
        """Whether it has the camera's resolution."""
        return (self.width, self.height) == (WIDTH, HEIGHT)


@dataclass(frozen=True)
class Reading:
    """The latency that the page's own panel showed, and when, in milliseconds."""

    at: float
    value: float


@dataclass(frozen=True)
class Run:
    """What both pages saw in one run.

    Attributes
    ----------
    opened: when the sender page was opened, by the same clock as the frames.
    inbound: the video's RTP statistics at the receiver.
    readings: what the receiver's panel showed.
    early_loads: HTTP requests of the sender page before it asked for the camera.
    sender_bytes: the encoded size of everything that the sender page loaded.
    """

    opened: float
    sent: Sequence[Frame]
    received: Sequence[Frame]
    inbound: dict[str, Any]
    readings: Sequence[Reading]
    early_loads: int
    sender_bytes: int

    @property
    def first(self) -> Frame:
        """The receiver's first frame."""
        return self.received[0]

    @property
    def last(self) -> Frame:
        """The receiver's last frame."""
        return self.received[-1]

    @property
    def first_frame_ms(self) -> float:
        """Time from opening the sender page to the first painted frame."""
        return self.first.at - self.opened

    @property
    def full_size_ms(self) -> float:
        """Time from opening the sender page to the first frame of full size; infinite for never."""
        return next((f.at for f in self.received if f.full), math.inf) - self.opened

    @cached_property
    def latencies_ms(self) -> list[float]:
        """Time from the sender's preview to the receiver's picture, for frames that both saw."""
        sent = [(frame.number, frame.at) for frame in self.sent]
        return [frame.at - at for frame, at in self._matched(sent)]

    @cached_property
    def capture_latencies_ms(self) -> list[float]:
        """Time from the camera to the receiver's screen, if the browser knows both."""
        return [frame.displayed - at for frame, at in self._captures]

    @property
    def panel_errors_ms(self) -> list[float]:
        """How far each reading of the panel was from the true latency in the second before it."""
        found = []
        for reading in self.readings:
            begin = reading.at - PANEL_SECONDS * 1000
            true = [
                f.displayed - at for f, at in self._captures if begin < f.displayed <= reading.at
            ]
            if begin > self.first.at + SETTLE_SECONDS * 1000 and true:
                found.append(abs(reading.value - statistics.median(true)))
        return found

    @property
    def frame_rate(self) -> float:
        """Frames painted per second, after the first second."""
        frames = self._settled()
        if len(frames) < 2:
            return 0.0
        count = frames[-1].presented - frames[0].presented
        return count / (frames[-1].at - frames[0].at) * 1000

    @property
    def freezes(self) -> int:
        """How many freezes the receiving browser counted."""
        return int(self.inbound.get("freezeCount", 0))

    @property
    def frozen_share(self) -> float:
        """The share of the time since the first frame that the browser counted as frozen."""
        frozen: float = self.inbound.get("totalFreezesDuration", 0.0)
        return frozen / max((self.last.at - self.first.at) / 1000, 0.001)

    @property
    def longest_gap_ms(self) -> float:
        """The longest time between two painted frames, from 3 s after the first frame on."""
        begin = self.first.at + FREEZE_FROM_SECONDS * 1000
        gaps = [b.at - a.at for a, b in pairwise(self.received) if b.at > begin]
        return max(gaps, default=math.inf)

    def back_ms(self, since: float) -> float:
        """Time from `since` until the picture has full size; 0 if it already had."""
        before = [frame for frame in self.received if frame.at <= since]
        if before and before[-1].full:
            return 0.0
        return next((f.at for f in self.received if f.at > since and f.full), math.inf) - since

    def _settled(self) -> list[Frame]:
        return [f for f in self.received if f.at >= self.first.at + SETTLE_SECONDS * 1000]

    @cached_property
    def _captures(self) -> list[tuple[Frame, float]]:
        sent = [(f.number, f.captured) for f in self.sent if f.captured is not None]
        return self._matched(sent)

    def _matched(self, sent: Sequence[tuple[int | None, float]]) -> list[tuple[Frame, float]]:
        """Match each received frame with the last time that the sender saw its number before.

        Numbers repeat after a loop of the camera: if a match seems older than that, the sender did
        not see the frame this time. The preview may paint a frame slightly later than the receiver.
        """
        found = []
        for frame in self._settled():
            limit = frame.at + _EARLIER_MS
            times = [at for number, at in sent if number == frame.number and at <= limit]
            if times and frame.number is not None and frame.at - times[-1] < LOOP_MS:
                found.append((frame, times[-1]))
        return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed; NaN if there are too few."""
    if len(values) < 2:
        return math.nan
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]
