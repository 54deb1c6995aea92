"""Chromium as the phone in front of a program in Python; its camera shows numbered pictures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

from playwright.async_api import Playwright

from lenscast.frames.camera import AsyncCamera
from lenscast.frames.frame import Frame
from signaling.server import SignalingServer
from tests.browser.pages import Pages, launch, phase
from tests.lenscast.numbered_picture import read_number, write_camera

SECONDS = 40.0
RATE = 30
"""Frames a second: Chromium plays every Motion JPEG file at this rate, and begins it again."""
LOOP = 20 * RATE


@asynccontextmanager
async def phone(playwright: Playwright, server: SignalingServer, file: Path) -> AsyncIterator[None]:
    write_camera(file, 640, 360, LOOP)
    browser = await launch(playwright, f"--use-file-for-fake-video-capture={file}")
    pages = Pages(browser)
    try:
        await phase(await pages.sender(server), "live", "connecting", "idle")
        yield
    finally:
        await pages.close()
        await browser.close()
    assert pages.complaints == []


async def watched(camera: AsyncCamera, count: int, pause: float) -> list[tuple[float, int]]:
    """When each of the next frames was taken from the camera, and the number that it shows; a
    program that works for so many seconds on each."""
    now = asyncio.get_running_loop().time
    seen: list[tuple[float, int]] = []
    before: Frame | None = None
    async with asyncio.timeout(SECONDS):
        async for frame in camera:
            assert before is None or frame.number == before.number + 1 + frame.skipped
            before = frame
            if (number := read_number(frame.picture)) is not None:
                seen.append((now(), number))
            if len(seen) == count:
                break
            await asyncio.sleep(pause)
    return seen


def steps(seen: list[tuple[float, int]]) -> list[int]:
    """By how much each number is above the one before; the file begins again at its end."""
    return [(two - one) % LOOP for (_, one), (_, two) in pairwise(seen)]


async def test_a_program_sees_the_phone_as_it_is_now(
    server: SignalingServer, playwright: Playwright, tmp_path: Path
) -> None:
    """No frame comes twice or out of order. One that takes five frames a second skips the others,
    and is as far behind at the end as at the beginning. What it asks for, the phone does."""
    async with (
        AsyncCamera(server.receiver_link, quiet=True) as camera,
        phone(playwright, server, tmp_path / "camera.mjpeg"),
    ):
        fast = steps(await watched(camera, 30, 0.0))
        assert all(0 < step < LOOP / 2 for step in fast)
        slowly = await watched(camera, 20, 0.2)
        slow = steps(slowly)
        assert all(0 < step < LOOP / 2 for step in slow)
        passed = slowly[-1][0] - slowly[0][0]
        assert abs(sum(slow) / RATE - passed) < 1
        await camera.ask(preset="low")
        async with asyncio.timeout(SECONDS):
            while [phone.state["preset"] for phone in camera.phones.values()] != ["low"]:
                await camera.read()
