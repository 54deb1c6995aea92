"""The phone as a camera for programs without an event loop, and in OpenCV's place."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenscast
from lenscast.frames.blocking import Camera
from lenscast.frames.loop_thread import LoopThread
from lenscast.frames.video_capture import VideoCapture
from tests.lenscast.frames.phone import SECONDS, number, own_folder, phone, room
from tests.ports import free_ports
from tests.signaling.test_serve import environment

WIDTH, HEIGHT, FPS, BUFFERSIZE = 3, 4, 5, 38
"""cv2.CAP_PROP_FRAME_WIDTH and so on."""


async def apart(work: Callable[[], Any]) -> Any:
    """Run what blocks beside this event loop, which the server and the phone need."""
    return await asyncio.wait_for(asyncio.to_thread(work), SECONDS)


async def test_a_loop_over_frames_needs_no_event_loop(tmp_path: Path) -> None:
    """The frames come in order; closing ends the loop and the thread."""

    def program(link: str) -> list[int | None]:
        shown = []
        with lenscast.open(link, quiet=True) as camera:
            for frame in camera:
                assert frame.image.shape == (240, 320, 3)
                shown.append(number(frame))
                if len(shown) == 8:
                    camera.close()
            assert camera.closed
        return shown

    async with room(tmp_path) as (server, link), phone(link):
        shown = await apart(lambda: program(server.receiver_link))
    numbers = [one for one in shown if one is not None]
    assert len(numbers) > 4
    assert all(one < two for one, two in pairwise(numbers))
    assert not [thread for thread in threading.enumerate() if thread.name == "lenscast"]


async def test_a_slow_loop_gets_the_newest_frame(tmp_path: Path) -> None:
    """One that works for half a second at 30 frames/s skips them, and sees no old one."""

    def program(link: str) -> list[tuple[int, float]]:
        seen = []
        with lenscast.open(link, quiet=True) as camera:
            for frame in camera:
                seen.append((frame.skipped, time.time() - frame.time))
                if len(seen) == 4:
                    return seen
                before = frame.number
                while camera.phones[frame.sender].frames < before + 16:
                    time.sleep(0.01)
        raise AssertionError("it ended too early")

    async with room(tmp_path) as (server, link), phone(link, rate=30):
        seen = await apart(lambda: program(server.receiver_link))
    assert all(skipped >= 14 for skipped, _age in seen[1:])
    assert min(age for _skipped, age in seen[1:]) < 0.4


async def test_what_goes_wrong_is_raised_where_it_is_waited_for(tmp_path: Path) -> None:
    """The server that ends, a time that is up, a camera that is closed."""
    async with room(tmp_path) as (server, _link):
        camera = await apart(lambda: Camera(server.receiver_link, timeout=0.05, quiet=True))
        with pytest.raises(TimeoutError):
            await apart(camera.read)
        await apart(camera.close)
        await apart(camera.close)
        with pytest.raises(lenscast.ConnectionEnded):
            camera.read()
    with pytest.raises(ConnectionError):
        await apart(lambda: Camera(server.receiver_link, quiet=True))


async def test_a_loop_ends_when_another_thread_closes_the_camera(tmp_path: Path) -> None:
    """Also where it waits for a phone that is not there."""
    async with room(tmp_path) as (server, _link):
        camera = await apart(lambda: lenscast.open(server.receiver_link, quiet=True))
        waiting = asyncio.create_task(apart(lambda: list(camera)))
        await asyncio.sleep(0)
        await apart(camera.close)
        assert await waiting == []
        assert camera.phones == {}


async def test_a_camera_that_is_dropped_is_closed(tmp_path: Path) -> None:
    """As files are: a loop that is left needs no `with`."""
    async with room(tmp_path) as (server, link), phone(link):

        def program() -> int:
            for frame in lenscast.open(server.receiver_link, quiet=True):
                return frame.number
            return -1

        assert await apart(program) >= 0
        await apart(gc.collect)
        async with asyncio.timeout(SECONDS):
            while server.hub.counts().by_role["receiver"]:
                await asyncio.sleep(0.01)


def test_whoever_waits_is_told_when_the_thread_dies() -> None:
    """Nobody waits for ever for a thread that has ended."""

    async def die() -> None:
        raise SystemExit("a test")

    async def idle() -> None:
        await asyncio.Event().wait()

    thread = LoopThread("dying")
    told: list[BaseException] = []

    def wait() -> None:
        try:
            thread.run(idle)
        except RuntimeError as error:
            told.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    with pytest.raises((RuntimeError, SystemExit)):
        thread.run(die)
    waiting.join(SECONDS)
    assert len(told) == 1
    with pytest.raises(RuntimeError, match="has ended"):
        thread.run(idle)
    thread.close()


PROGRAM = """
import sys, lenscast
with lenscast.open(port=int(sys.argv[1]), local_port=int(sys.argv[2])) as camera:
    print("open", flush=True)
    for frame in camera:
        pass
"""


def test_ctrl_c_ends_a_program_that_waits(tmp_path: Path) -> None:
    """Nothing but Python's own KeyboardInterrupt, within seconds, and the server is gone."""
    ports = [str(port) for port in free_ports(2)]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            process.send_signal(signal.SIGINT)
            _out, said = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not list((tmp_path / "lenscast").glob("control-*"))


def test_arrays_without_numpy_are_refused_in_a_sentence(tmp_path: Path) -> None:
    """Importing and opening need none; asking for an image says how to install it."""
    code = """
import sys
sys.modules["numpy"] = None
import av, lenscast
frame = lenscast.Frame(0.0, 0, 0, "a", None, av.VideoFrame(64, 64, "yuv420p"))
try:
    frame.image
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=60
    )
    assert "pip install numpy" in done.stdout, done


async def test_a_script_for_opencv_reads_the_phone(tmp_path: Path) -> None:
    """`read`, `isOpened`, `get` and `release` do what they do in OpenCV."""

    def program(link: str) -> None:
        capture = VideoCapture(link, quiet=True)
        assert capture.isOpened()
        assert (capture.get(WIDTH), capture.get(HEIGHT)) == (320, 240)
        assert capture.get(BUFFERSIZE) == 1
        assert capture.get(999) == 0
        for _ in range(3):
            got, image = capture.read()
            assert got
            assert image is not None
            assert image.shape == (240, 320, 3)
            assert image.dtype == np.uint8
        assert capture.get(FPS) == 15
        assert capture.get(1) >= 3
        assert capture.get(0) > 0
        capture.release()
        assert not capture.isOpened()
        assert capture.read() == (False, None)
        assert not capture.set(WIDTH, 1920)
        capture.release()

    async with room(tmp_path) as (server, link), phone(link):
        await apart(lambda: program(server.receiver_link))


async def test_what_opencv_sets_is_asked_of_the_phone(tmp_path: Path) -> None:
    """It is asked for the preset that is nearest to everything that was set, also where it comes
    only later."""
    asked: list[Any] = []
    async with room(tmp_path) as (server, link):
        capture = await apart(lambda: VideoCapture(server.receiver_link, quiet=True))
        assert await apart(lambda: capture.set(WIDTH, 1280))
        assert await apart(lambda: capture.set(FPS, 25))
        assert not capture.set(999, 1)
        async with phone(link, on_control=lambda _peer, settings: asked.append(settings)):
            async with asyncio.timeout(SECONDS):
                while not asked:
                    await asyncio.sleep(0.01)
                assert await apart(lambda: capture.set(HEIGHT, 1080))
                assert await apart(lambda: capture.set(WIDTH, 1920))
                while len(asked) < 3:
                    await asyncio.sleep(0.01)
        await apart(capture.release)
    assert asked[0] == {"preset": "medium"}
    assert asked[-1] == {"preset": "hd"}


def test_a_number_other_than_0_is_no_phone() -> None:
    """It says what is."""
    with pytest.raises(ValueError, match="use 0, or a receiver's link"):
        VideoCapture(1)


@pytest.mark.parametrize("wrong", [{"format": "bgr"}, {"lost": "stop"}, {"prot": 9443}])
def test_what_is_misspelt_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything is started; the error lists what there is."""
    with pytest.raises(ValueError, match="use one of"):
        lenscast.open(**wrong)


def test_a_server_that_cannot_start_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is raised to whoever opens the camera."""
    own_folder(monkeypatch, tmp_path)
    with pytest.raises(lenscast.SetupError):
        lenscast.open(config=tmp_path / "nowhere.yaml")
    assert not [thread for thread in threading.enumerate() if thread.name == "lenscast"]
