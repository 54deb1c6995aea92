"""The `lenscast` command, and the phone as a camera for Python.

Everything here is imported when it is first used: serving needs no media library.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenscast.frames.blocking import Camera as open  # noqa: A004 - as in PIL and tarfile
    from lenscast.frames.camera import AsyncCamera as camera
    from lenscast.frames.frame import Frame, PhoneLost
    from lenscast.frames.video_capture import VideoCapture
    from lenscast.peers.participant import Participant
    from lenscast.peers.receiver import Receiver
    from lenscast.peers.sender import Sender
    from lenscast.peers.signaling import ConnectionEnded
    from signaling.room.refusal import Refusal
    from signaling.setup_error import SetupError

__all__ = [
    "ConnectionEnded",
    "Frame",
    "Participant",
    "PhoneLost",
    "Receiver",
    "Refusal",
    "Sender",
    "SetupError",
    "VideoCapture",
    "camera",
    "open",
]

_PLACES = {
    "ConnectionEnded": "lenscast.peers.signaling:ConnectionEnded",
    "Frame": "lenscast.frames.frame:Frame",
    "Participant": "lenscast.peers.participant:Participant",
    "PhoneLost": "lenscast.frames.frame:PhoneLost",
    "Receiver": "lenscast.peers.receiver:Receiver",
    "Refusal": "signaling.room.refusal:Refusal",
    "Sender": "lenscast.peers.sender:Sender",
    "SetupError": "signaling.setup_error:SetupError",
    "VideoCapture": "lenscast.frames.video_capture:VideoCapture",
    "camera": "lenscast.frames.camera:AsyncCamera",
    "open": "lenscast.frames.blocking:Camera",
}


def __getattr__(name: str) -> Any:
    """Import a part when it is first used (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
