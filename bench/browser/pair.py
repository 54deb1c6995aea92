"""Runs two browsers, a phone's and a laptop's, and watches a page in each."""

import asyncio
import os
import shlex
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, Playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

from bench.browser.camera import HEIGHT, WIDTH
from bench.browser.figures import Frame, Reading, Run

_ROOT_ONLY = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
_ARGUMENTS = [
    *_ROOT_ONLY,
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_FIRST_FRAME_MILLISECONDS = 20_000
_POLL_SECONDS = 0.1
_WATCH = (Path(__file__).parent / "watch.js").read_text()

_COLLECT = """async () => {
    const { frames, readings, asked, connections } = window.bench;
    const entries = [...performance.getEntriesByType("navigation"),
        ...performance.getEntriesByType("resource")];
    const loads = entries.map(({ startTime, encodedBodySize }) => [startTime, encodedBodySize]);
    let inbound = {}, path = "";
    for (const connection of connections) {
        const report = await connection.getStats();
        report.forEach((stat) => {
            if (stat.type === "inbound-rtp" && stat.kind === "video") inbound = stat;
            if (stat.type === "transport") {
                const pair = report.get(stat.selectedCandidatePairId);
                const local = report.get(pair?.localCandidateId) ?? {};
                path = [local.candidateType, local.relayProtocol].filter(Boolean).join(" ");
            }
        });
    }
    return { frames, readings, asked, loads, inbound, path, opened: performance.timeOrigin };
}"""


class PairError(Exception):
    """The two pages did not do what is to be measured. The message says more."""


@dataclass(frozen=True)
class Links:
    """The two pages of a system.

    Attributes
    ----------
    transport: "udp" or "tcp" to use only TURN over that, and make sure of it; "" for no relay.
    """

    receiver: str
    sender: str
    transport: str = ""


@dataclass(frozen=True)
class Browsers:
    """The phone's browser, which has the camera, and the laptop's."""

    phone: Browser
    laptop: Browser


@asynccontextmanager
async def running_browsers(
    playwright: Playwright,
    camera: Path,
    folder: Path,
    *,
    phone: Callable[..., list[str]] | None = None,
    laptop: Callable[..., list[str]] | None = None,
    trusted: str = "",
    certificate: str = "",
) -> AsyncIterator[Browsers]:
    """Run two browsers, each in its own process.

    Parameters
    ----------
    camera: the file that the phone's camera plays.
    folder: for small scripts.
    phone, laptop: make the command line that runs a program on that host; None for this one.
    trusted: an origin that may use the camera over plain HTTP.
    certificate: the hash of a public key whose certificates count as valid. A browser keeps no
        files of a server whose certificate it does not trust.
    """
    filmed = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    both = [f"--unsafely-treat-insecure-origin-as-secure={trusted}"] if trusted else []
    both += [f"--ignore-certificate-errors-spki-list={certificate}"] if certificate else []
    sender = await _launch(playwright, phone, folder / "phone", [*filmed, *both])
    try:
        receiver = await _launch(playwright, laptop, folder / "laptop", both)
        try:
            yield Browsers(sender, receiver)
        finally:
            await receiver.close()
    finally:
        await sender.close()


async def _launch(
    playwright: Playwright,
    command: Callable[..., list[str]] | None,
    script: Path,
    more: list[str],
) -> Browser:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise PairError("Chromium is not on the PATH: apt install chromium")
    if command:
        _write_script(script, command(chromium))
        chromium = str(script)
    return await playwright.chromium.launch(executable_path=chromium, args=[*_ARGUMENTS, *more])


def _write_script(path: Path, command: list[str]) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


class Opened:
    """Both pages of a run, after the first frame.

    Parameters
    ----------
    sender, receiver: the pages.
    transport: the relay's transport that they should use; "" for no relay.
    """

    def __init__(self, sender: Page, receiver: Page, transport: str) -> None:
        self._sender = sender
        self._receiver = receiver
        self._transport = transport

    async def full_size(self, seconds: float) -> None:
        """Wait until the receiver shows the full resolution, but no longer than this."""
        until = time.monotonic() + seconds
        last = "() => { const { width, height } = window.bench.frames.at(-1);"
        while time.monotonic() < until:
            if await self._receiver.evaluate(f"{last} return [width, height]; }}") == [
                WIDTH,
                HEIGHT,
            ]:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def collect(self) -> Run:
        """Get what both pages have seen so far.

        Raises
        ------
        PairError: the media went another way than the one to be measured.
        """
        sent = await self._sender.evaluate(_COLLECT)
        received = await self._receiver.evaluate(_COLLECT)
        expected = f"relay {self._transport}" if self._transport else "direct"
        path = sent["path"] if sent["path"].startswith("relay") else "direct"
        if path != expected:
            raise PairError(f"The media went {path} instead of {expected}.")
        return Run(
            opened=sent["opened"],
            sent=_frames(sent),
            received=_frames(received),
            inbound=received["inbound"],
            readings=[Reading(**reading) for reading in received["readings"]],
            early_loads=sum(start < (sent["asked"] or 0) for start, _ in sent["loads"]),
            sender_bytes=sum(size for _, size in sent["loads"]),
        )


def _frames(page: dict[str, Any]) -> list[Frame]:
    return [Frame(**frame) for frame in page["frames"]]


@asynccontextmanager
async def opened(browsers: Browsers, links: Links) -> AsyncIterator[Opened]:
    """Open the receiver page, then the sender page, in new contexts, and wait for the first frame.

    Raises
    ------
    PairError: it did not come.
    """
    laptop = await new_context(browsers.laptop, links.transport)
    try:
        phone = await new_context(browsers.phone, links.transport)
        try:
            receiver = await laptop.new_page()
            await receiver.goto(links.receiver)
            await receiver.wait_for_selector("html[data-phase=idle]", state="attached")
            sender = await phone.new_page()
            await sender.goto(links.sender)
            await first_frame(receiver)
            yield Opened(sender, receiver, links.transport)
        finally:
            await phone.close()
    finally:
        await laptop.close()


async def first_frame(receiver: Page) -> None:
    """Wait until a page has painted a frame. Raises PairError."""
    try:
        await receiver.wait_for_function(
            "() => window.bench.frames.length > 0", timeout=_FIRST_FRAME_MILLISECONDS
        )
    except PlaywrightTimeout:
        raise PairError("No frame was painted.") from None


async def new_context(browser: Browser, transport: str = "") -> BrowserContext:
    """What a browser keeps for one device, whose pages are watched."""
    # The server makes its own certificate; other tests check that it is right.
    context = await browser.new_context(
        viewport={"width": 1280, "height": 720}, ignore_https_errors=True
    )
    await context.add_init_script(f"({_WATCH.rstrip().removesuffix(';')})({transport!r})")
    return context
