"""A phone for tests of frames: it sends numbered pictures from this process."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lenscast.frames.frame import Frame
from lenscast.peers.sender import OnControl, Sender
from signaling.config import Config
from signaling.server import SignalingServer
from tests.lenscast.numbered_picture import MadePicture, read_number
from tests.running_server import local_sender_link, running_server

SECONDS = 20.0


@contextlib.asynccontextmanager
async def phone(
    link: str, rate: float = 15, name: str | None = None, on_control: OnControl | None = None
) -> AsyncIterator[Sender]:
    """Send 320x240 pictures to a room until the end of the block."""
    picture = MadePicture(320, 240, rate)
    async with Sender(link, picture, name=name, on_control=on_control) as sender:
        yield sender


@contextlib.asynccontextmanager
async def room(folder: Path) -> AsyncIterator[tuple[SignalingServer, str]]:
    """A server, and its link for senders on the loopback address."""
    async with running_server(Config(), folder) as server:
        yield server, local_sender_link(server)


def own_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let servers that a test starts have a state folder of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))


def number(frame: Frame) -> int | None:
    """The number that the picture shows."""
    return read_number(frame.picture)
