"""`lenscast record`, run as a user does, with a phone in this process."""

import asyncio
import contextlib
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from lenscast.peers.picture import CLOCK_RATE, TIME_BASE, VideoTrack
from lenscast.peers.sender import Sender
from tests.lenscast.commands.command import refused
from tests.lenscast.frames.phone import phone, room
from tests.lenscast.numbered_picture import Pattern, read_number
from tests.signaling.test_serve import environment

SECONDS = 30.0


class Turned(VideoTrack):
    """A phone that is turned on its side every second."""

    frame_rate = 15.0

    def __init__(self) -> None:
        super().__init__()
        self._patterns = Pattern(320, 240), Pattern(240, 320)
        self._number = -1

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / self.frame_rate)
        if self.readyState != "live":
            raise MediaStreamError
        self._number += 1
        frame = self._patterns[self._number // 15 % 2].draw(self._number)
        frame.pts, frame.time_base = round(self._number * CLOCK_RATE / self.frame_rate), TIME_BASE
        return frame


@contextlib.contextmanager
def recording(
    folder: Path, link: str, out: Path, *options: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run the command on a room; it is killed at the end of the block if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "lenscast", "record", str(out), "--link", "-", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    ) as process:
        try:
            assert process.stdin
            process.stdin.write(f"{link}\n")
            process.stdin.close()
            process.stdin = None
            yield process
        finally:
            process.kill()


async def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Its exit code, and what it has said."""
    out, error = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    return process.returncode, out, error


async def grown(path: Path, size: int) -> None:
    """Wait until a file has that many bytes."""
    async with asyncio.timeout(SECONDS):
        while not path.exists() or path.stat().st_size < size:
            await asyncio.sleep(0.05)


def numbers(path: Path) -> list[int]:
    """What can be read of the numbers that its pictures show."""
    with av.open(str(path)) as container:
        shown = [read_number(frame) for frame in container.decode(video=0)]
    return [number for number in shown if number is not None]


def rising(found: list[int]) -> bool:
    return all(one < two for one, two in pairwise(found))


async def test_a_recording_ends_by_itself(tmp_path: Path) -> None:
    """After --duration, and it says what it has saved; the picture lasts as long."""
    out = tmp_path / "a.mp4"
    async with room(tmp_path / "state") as (server, link), phone(link):
        with recording(tmp_path, server.receiver_link, out, "--duration", "3s") as process:
            code, said, _error = await ended(process)
    assert code == 0
    assert said.startswith(f"Saved {out}: 0:0")
    assert rising(numbers(out))
    with av.open(str(out)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert 2 < times[-1] - times[0] < 4


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
async def test_ctrl_c_finishes_the_file(tmp_path: Path, ending: str) -> None:
    """What was said to be saved is in it, also of a phone that is turned meanwhile."""
    out = tmp_path / f"a{ending}"
    async with room(tmp_path / "state") as (server, link), Sender(link, Turned()):
        with recording(tmp_path, server.receiver_link, out) as process:
            await grown(out, 12_000)
            process.send_signal(signal.SIGINT)
            code, said, error = await ended(process)
    assert code == 0
    assert "Traceback" not in error
    with av.open(str(out)) as container:
        frames = list(container.decode(video=0))
    assert len({(frame.width, frame.height) for frame in frames}) == 1
    assert f" {len(frames)} frames" in said


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
async def test_after_kill_9_what_was_written_plays(tmp_path: Path, ending: str) -> None:
    """Nobody finishes the file, and it plays from its beginning."""
    out = tmp_path / f"a{ending}"
    async with room(tmp_path / "state") as (server, link), phone(link):
        with recording(tmp_path, server.receiver_link, out) as process:
            await grown(out, 12_000)
            process.kill()
            await ended(process)
    found = numbers(out)
    assert len(found) > 20
    assert rising(found)


async def test_a_file_that_cannot_grow_is_said_in_a_sentence_and_plays(tmp_path: Path) -> None:
    """As on a full disk."""
    out = tmp_path / "a.mkv"
    async with room(tmp_path / "state") as (server, link), phone(link):
        with recording(tmp_path, server.receiver_link, out) as process:
            await grown(out, 4_000)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
            code, _said, error = await ended(process)
    assert code == 2
    assert "Traceback" not in error
    assert error.rstrip().endswith("What was recorded until then is in the file, and plays.")
    assert numbers(out)


async def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    """And what to do about it."""
    out = tmp_path / "a.mkv"
    out.symlink_to("/dev/full")
    async with room(tmp_path / "state") as (server, link), phone(link):
        with recording(tmp_path, server.receiver_link, out, "--overwrite") as process:
            code, _said, error = await ended(process)
    assert code == 2
    assert "Traceback" not in error
    assert "The disk is full. Make room, or record to another disk." in error


async def test_without_a_phone_nothing_is_saved(tmp_path: Path) -> None:
    """And there is no empty file."""
    out = tmp_path / "a.mp4"
    async with room(tmp_path / "state") as (server, _link):
        with recording(tmp_path, server.receiver_link, out) as process:
            async with asyncio.timeout(SECONDS):
                while not server.hub.counts().by_role["receiver"]:
                    await asyncio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            code, _said, error = await ended(process)
    assert code == 1
    assert error.endswith("No frame has come, so nothing was saved.\n")
    assert not out.exists()


def test_what_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    """Before anybody scans a code: another ending, no folder, a file that is there."""
    (tmp_path / "there.mp4").touch()
    assert ".mp4, .mkv or .webm" in refused(tmp_path, "record", "a.avi")
    assert "mkdir -p" in refused(tmp_path, "record", str(tmp_path / "no" / "a.mp4"))
    assert "--overwrite" in refused(tmp_path, "record", str(tmp_path / "there.mp4"))


def test_a_link_that_leads_nowhere_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A link that is none, one of a phone, and one of a server that is not there."""
    words = ["record", str(tmp_path / "a.mp4"), "--link"]
    assert "http" in refused(tmp_path, *words, "nonsense")
    assert "receiver" in refused(tmp_path, *words, "http://127.0.0.1:1/sender#a.b")
    assert "Cannot reach" in refused(tmp_path, *words, "http://127.0.0.1:1/receiver#a.b")
