"""The programs of docs/python.md run as they stand, with a phone in front of them."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.lenscast.frames.phone import phone
from tests.signaling.test_serve import environment, serving

ROOT = Path(__file__).parent.parent
SECONDS = 60.0

_Result = TypeVar("_Result")

OPENCV = """
import pathlib
CAP_PROP_FRAME_WIDTH, CAP_PROP_FRAME_HEIGHT = 3, 4
shown = []
def imshow(name, image):
    shown.append(image.shape)
    print(image.shape, flush=True)
def waitKey(milliseconds):
    return ord("q") if len(shown) == 5 else -1
def imwrite(name, image):
    pathlib.Path(name).write_bytes(bytes(image))
    print("wrote", name, flush=True)
"""
"""In place of OpenCV, which needs a screen."""

SHAPE = r"\(240, 320, 3\)"
RUNS_ON = {
    "Show it": ([SHAPE] * 5, False),
    "See what moves": ([r"\d+% of the picture changed"] * 2, True),
    "Take a picture every ten seconds": ([r"wrote 0000\.png"], True),
    "Two phones, in a program with an event loop": ([r"\S+ one \d+ \d+"] * 3, True),
    "In place of cv2.VideoCapture": ([r"320\.0 240\.0", *[SHAPE] * 5], False),
}
"""What each program prints, and whether it goes on until somebody stops it."""


def programs() -> dict[str, str]:
    text = (ROOT / "docs" / "python.md").read_text()
    sections = re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = {name: re.findall(r"```python\n(.*?)```", body, re.DOTALL) for name, body in sections}
    return {name: blocks[0] for name, blocks in found.items() if blocks}


def started(folder: Path, heading: str) -> "subprocess.Popen[str]":
    (folder / "cv2.py").write_text(OPENCV)
    (folder / "program.py").write_text(programs()[heading])
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    )


async def apart(work: Callable[[], _Result]) -> _Result:
    return await asyncio.wait_for(asyncio.to_thread(work), SECONDS)


def test_every_program_of_the_document_is_run() -> None:
    """No program stands there that no test has run."""
    assert set(programs()) == {*RUNS_ON, "When the phone is gone"}


@pytest.mark.parametrize("heading", RUNS_ON)
async def test_a_program_does_what_it_says(tmp_path: Path, heading: str) -> None:
    """It joins the server that runs, and prints what its frames show."""
    expected, goes_on = RUNS_ON[heading]
    with serving(tmp_path) as (_server, links):
        link = f"http://127.0.0.1:{links['local_port']}/sender#{links['sender'].partition('#')[2]}"
        async with phone(link, name="one"):
            with started(tmp_path, heading) as program:
                try:
                    assert program.stdout
                    for pattern in expected:
                        line = await apart(program.stdout.readline)
                        assert re.fullmatch(pattern, line.strip()), line
                    if goes_on:
                        program.send_signal(signal.SIGINT)
                    _out, error = await apart(program.communicate)
                finally:
                    program.kill()
    assert program.returncode == (-signal.SIGINT if goes_on else 0), error


async def test_a_program_is_told_when_the_phone_is_gone(tmp_path: Path) -> None:
    """In a sentence, after the frames."""
    with serving(tmp_path) as (_server, links):
        link = f"http://127.0.0.1:{links['local_port']}/sender#{links['sender'].partition('#')[2]}"
        with started(tmp_path, "When the phone is gone") as program:
            try:
                assert program.stdout
                async with phone(link):
                    assert (await apart(program.stdout.readline)).strip().isdecimal()
                out, error = await apart(program.communicate)
            finally:
                program.kill()
    assert program.returncode == 0, error
    assert out.endswith("The phone has left.\n")
