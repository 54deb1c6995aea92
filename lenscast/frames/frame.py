"""A frame as a program gets it, and its pixels as an array where they are asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Format = Literal["bgr24", "rgb24", "gray"]
"""How pixels lie in `Frame.image`: as OpenCV has them, as most others do, or brightness alone."""

NO_NUMPY = (
    "Images as arrays need NumPy. Install it: pip install numpy. "
    "(`frame.picture` has the picture without it.)"
)


class PhoneLost(LookupError):
    """The phone has left, and did not come back in time."""


@dataclass(frozen=True)
class Frame:
    """One frame of a phone's camera.

    Attributes
    ----------
    time: about when it was taken, in seconds of Unix time as `time.time` gives it. How long the
        fastest frames take from the phone is not known, and makes it late by as much.
    number: how many frames had come from this phone before, taken or not.
    skipped: how many of them came after the frame that was taken before this one.
    sender: the phone's id.
    name: what the phone calls itself, such as its model.
    picture: the frame as PyAV has it, mostly in the format yuv420p.
    format: how the pixels of `image` lie.
    """

    time: float
    number: int
    skipped: int
    sender: str
    name: str | None
    picture: av.VideoFrame
    format: Format = "bgr24"

    @property
    def width(self) -> int:
        """In pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.picture.height

    @cached_property
    def image(self) -> Image:
        """Height x width x 3 numbers from 0 to 255 (height x width where the format is "gray"),
        made when it is first asked for.

        Raises
        ------
        ImportError: NumPy is not installed.
        """
        try:
            importlib.import_module("numpy")  # PyAV itself only fails somewhere, without it.
        except ImportError as error:
            raise ImportError(NO_NUMPY) from error
        return self.picture.to_ndarray(format=self.format)  # type: ignore[return-value]
