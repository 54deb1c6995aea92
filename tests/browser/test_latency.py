"""The latency on the panel, compared with the truth of a camera that numbers its frames.

Both pages run in one browser on one clock. The truth is read from the pictures: when a number
was captured, by the time stamp of the sender's browser, and when the same number was shown on the
receiver's screen.
"""

import re
import statistics
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Playwright

from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, launch, phase
from tests.lenscast.numbered_picture import write_camera

FRAMES = 300
CLOSE_MS = 40
"""How far the panel may be from the truth on a machine that does other work as well."""
READINGS = 6
LEAST_FRAMES = 4
"""Of a second, for the truth of it to be known."""

WATCH = """(name) => {
    const video = document.querySelector("video");
    const canvas = document.createElement("canvas");
    const cells = 27, side = 8;
    canvas.width = cells * side;
    canvas.height = side;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const read = () => {
        const { videoWidth: width, videoHeight: height } = video;
        context.drawImage(video, 0, 0, width, Math.floor(height / 8) * 2,
            0, 0, canvas.width, side);
        const { data } = context.getImageData(0, side / 2, canvas.width, 1);
        const level = (cell) => data[(cell * side + side / 2) * 4];
        const middle = (level(0) + level(1)) / 2;
        let number = 0, ones = 0;
        for (let bit = 0; bit < cells - 3; bit++) {
            const one = level(2 + bit) > middle ? 1 : 0;
            number = number * 2 + one;
            ones += one;
        }
        const parity = level(cells - 1) > middle ? 1 : 0;
        return (ones + parity) % 2 === 1 && level(0) - level(1) > 60 ? number : null;
    };
    window.seen = [];
    const frame = (_now, { captureTime, expectedDisplayTime }) => {
        const at = (time) => time === undefined ? null : performance.timeOrigin + time;
        window.seen.push({
            number: read(), captured: at(captureTime), displayed: at(expectedDisplayTime),
        });
        video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
}"""

READ_PANEL = """() => {
    const value = document.querySelector('[data-stat="delay"]');
    window.readings = [];
    new MutationObserver(() =>
        window.readings.push([performance.timeOrigin + performance.now(), value.textContent])
    ).observe(value, { childList: true, characterData: true, subtree: true });
}"""

HIDE_CAPTURE_TIME = """(() => {
    const original = HTMLVideoElement.prototype.requestVideoFrameCallback;
    HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
        return original.call(this, (now, { captureTime, ...rest }) => callback(now, rest));
    };
})();"""


@pytest_asyncio.fixture
async def numbered(playwright: Playwright, tmp_path: Path) -> AsyncIterator[Pages]:
    """Pages of a browser whose camera shows numbered frames."""
    camera = tmp_path / "numbers.mjpeg"
    write_camera(camera, 1280, 720, FRAMES)
    browser = await launch(
        playwright,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
        without=("--use-fake-device-for-media-stream",),
    )
    opened = Pages(browser)
    try:
        yield opened
    finally:
        await opened.close()
        await browser.close()
    assert opened.complaints == []


async def frames(sender: Page, receiver: Page) -> list[tuple[float, float]]:
    """When frames were shown, and their latency, for each number seen at both ends, in ms."""
    sent: list[dict[str, Any]] = await sender.evaluate("() => window.seen")
    shown: list[dict[str, Any]] = await receiver.evaluate("() => window.seen")
    captured: dict[int, list[float]] = {}
    for frame in sent:
        if frame["number"] is not None and frame["captured"] is not None:
            captured.setdefault(frame["number"], []).append(frame["captured"])
    found = []
    for frame in shown:
        at = frame["displayed"]
        # The file begins again after ten seconds: of the same numbers the last one before it.
        before = [c for c in captured.get(frame["number"], []) if -50 < at - c < 5_000]
        if before:
            found.append((at, at - max(before)))
    return found


async def readings(receiver: Page) -> list[tuple[float, float, float]]:
    """When the panel changed its latency, the latency, and its error, in ms."""
    found = []
    for at, text in await receiver.evaluate("() => window.readings"):
        match = re.fullmatch(r"(-?\d+) ± (\d+) ms", text)
        if match:
            found.append((at, float(match[1]), float(match[2])))
    return found


@pytest.mark.parametrize(
    ("script", "source"),
    [
        pytest.param("", "this browser", id="browser"),
        pytest.param(HIDE_CAPTURE_TIME, "the phone", id="reports"),
    ],
)
async def test_the_latency_is_the_truth(
    server: SignalingServer, numbered: Pages, script: str, source: str
) -> None:
    """It is right both from the browser's own capture times and from the phone's reports."""
    receiver = await numbered.receiver(server, script=script)
    sender = await numbered.sender(server)
    await phase(receiver, "live")
    await sender.evaluate(WATCH)
    await receiver.evaluate(WATCH)
    await receiver.locator(".stats-detail").click()
    await figure(receiver, "source", f"^{source}$")
    await receiver.evaluate(READ_PANEL)
    await receiver.wait_for_function("(count) => window.readings.length >= count", arg=READINGS)
    true = await frames(sender, receiver)
    differences = []
    for at, value, error in await readings(receiver):
        assert error > 0
        second = [latency for displayed, latency in true if at - 1_000 < displayed <= at]
        if len(second) > LEAST_FRAMES:
            differences.append(abs(value - statistics.median(second)))
    assert len(differences) >= READINGS // 2, "the numbers were not read"
    assert statistics.median(differences) < CLOSE_MS
