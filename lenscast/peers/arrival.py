"""A picture that has arrived, and an estimate of when it was taken."""

from dataclasses import dataclass

import av

WINDOW_SECONDS = 10.0
"""How long the fastest picture counts. Clocks that differ by 100 ppm part by 1 ms in this time."""


@dataclass(frozen=True)
class Arrival:
    """A picture of one sender.

    Attributes
    ----------
    sender: the sender's id.
    number: how many pictures had come from it before.
    skipped: how many of these came after the one that was taken before this one.
    time: about when it was taken, in seconds of Unix time.
    picture: the decoded picture.
    """

    sender: str
    number: int
    skipped: int
    time: float
    picture: av.VideoFrame


class CaptureClock:
    """Estimates when the pictures of one track were taken, by the clock of this computer.

    The sender's clock stamps the pictures, and is not set like ours. Of the last pictures the one
    that was fastest on its way tells how the two differ, but for the time that it took itself:
    the estimate is late by that, and free of the jitter of the others. It never goes back while
    the stamps do not.
    """

    def __init__(self) -> None:
        self._least = self._least_before = float("inf")
        self._begun = 0.0

    def time(self, stamp: float, came: float) -> float:
        """When a picture was taken.

        Parameters
        ----------
        stamp: the picture's time by the sender's clock, in seconds.
        came: when it came, in seconds of this computer's clock.
        """
        if came - self._begun > WINDOW_SECONDS / 2:
            self._begun, self._least_before, self._least = came, self._least, float("inf")
        self._least = min(self._least, came - stamp)
        taken = stamp + min(self._least, self._least_before)
        if came - taken > WINDOW_SECONDS:  # The sender's clock has jumped back.
            self._least, self._least_before = came - stamp, float("inf")
            return came
        return taken
