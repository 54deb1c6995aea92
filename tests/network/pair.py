"""The server's command and both pages in real browsers, each on its own host.

Owns the measurements for the matrix: whether the picture arrives, on which path and when.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.browser.pages import ARGUMENTS, CHROMIUM, KEEPS_CONNECTIONS, Pages
from tests.network.hosts import Host
from tests.network.scenarios import PORT, Devices

LOCAL_PORT = 8080
_START_SECONDS = 40
_FRAME_MILLISECONDS = 40_000

# Both pages keep the connections for their statistics, and note the time of the first painted frame
# by the machine's clock, which both browsers share.
_SCRIPT = (
    KEEPS_CONNECTIONS
    + """
    const look = () => {
        const video = document.querySelector("video");
        const painted = (now) => { window.painted = performance.timeOrigin + now; };
        video ? video.requestVideoFrameCallback(painted) : requestAnimationFrame(look);
    };
    look();
"""
)
_EVIDENCE = """async () => {
    const lines = [];
    for (const connection of connections) {
        const report = await connection.getStats();
        const end = (id) => {
            const { candidateType, protocol, relayProtocol, address, port } = report.get(id) ?? {};
            return [candidateType, protocol, relayProtocol, address, port].join(" ");
        };
        lines.push(`${connection.connectionState}, ICE ${connection.iceConnectionState}`);
        report.forEach((stat) => {
            if (stat.type === "local-candidate") lines.push("candidate " + end(stat.id));
            if (stat.type === "candidate-pair") {
                lines.push(`${stat.state} ${end(stat.localCandidateId)} ->`
                    + ` ${end(stat.remoteCandidateId)}: ${stat.requestsSent} checks,`
                    + ` ${stat.responsesReceived} answers`);
            }
        });
    }
    return lines;
}"""


class NoPicture(AssertionError):
    """No frame was painted; the text holds what the two connections tried."""


@dataclass(frozen=True)
class Arrival:
    """Both pages after the picture has arrived.

    Parameters
    ----------
    seconds: from opening the sender page to the first painted frame.
    """

    sender: Page
    receiver: Page
    seconds: float

    async def path(self) -> str:
        """The current path in the receiver's panel, such as "relay, TCP"."""
        path = self.receiver.locator('[data-stat="path"]').first
        await expect(path).to_have_text(re.compile("direct|relay"))
        return await path.inner_text()


@contextlib.asynccontextmanager
async def running_command(host: Host, folder: Path, *options: str) -> AsyncIterator[dict[str, Any]]:
    """Run `lenscast` on a host on its default ports, and return the content of its JSON line."""
    ports = ["--port", str(PORT), "--local-port", str(LOCAL_PORT)]
    lenscast = [sys.executable, "-m", "lenscast", "--json", "--no-open", *ports, *options]
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *host.command(*lenscast),
            env={**os.environ, "XDG_STATE_HOME": str(folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout
        async with asyncio.timeout(_START_SECONDS):
            line = await process.stdout.readline()
        assert line, (folder / "server.log").read_text()
        said: dict[str, Any] = json.loads(line)
        yield said
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


@contextlib.asynccontextmanager
async def chromium(
    playwright: Playwright, host: Host, folder: Path, *, camera: bool
) -> AsyncIterator[Browser]:
    """Run Chromium on a host. The tests talk to it through a pipe, which needs no network.

    Parameters
    ----------
    camera: it has a made camera, which pages may use. Without, it gives other peers a name that
        only multicast DNS resolves, instead of its address.
    """
    arguments = [a for a in ARGUMENTS if camera or not a.startswith("--use-fake-")]
    script = folder / f"chromium-{host.name}"
    command = " ".join(host.command(shutil.which(CHROMIUM) or CHROMIUM))
    script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    script.chmod(0o755)
    browser = await playwright.chromium.launch(executable_path=script, args=arguments)
    try:
        yield browser
    finally:
        await browser.close()


@contextlib.asynccontextmanager
async def pair(
    playwright: Playwright, devices: Devices, folder: Path, *options: str
) -> AsyncIterator[Arrival]:
    """Run the server and both browsers, open both pages over the network, and wait for the
    picture.

    Parameters
    ----------
    folder: an empty one.
    options: further ones of the command.

    Raises
    ------
    NoPicture: none came.
    """
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as starting:  # Each takes a second.
            command = running_command(devices.server, folder, *options)
            camera = chromium(playwright, devices.phone, folder, camera=True)
            screen = chromium(playwright, devices.laptop, folder, camera=False)
            said = starting.create_task(stack.enter_async_context(command))
            phone = starting.create_task(stack.enter_async_context(camera))
            laptop = starting.create_task(stack.enter_async_context(screen))
        origin = f"https://{devices.server.address}:{PORT}"
        links = [_at(origin, said.result()[role]) for role in ("receiver", "sender")]
        yield await watch(Pages(laptop.result()), Pages(phone.result()), *links)


async def watch(laptop: Pages, phone: Pages, receiver_link: str, sender_link: str) -> Arrival:
    """Open the receiver's link, then the sender's, and wait for the picture.

    Raises
    ------
    NoPicture: none came.
    """
    # The certificate is this server's own; other tests check that it is right.
    options: dict[str, Any] = {"ignore_https_errors": True, "script": _SCRIPT}
    receiver = await laptop.laptop(receiver_link, **options)
    await expect(receiver.locator("html")).to_have_attribute("data-phase", "idle")
    sender = await phone.phone(sender_link, **options)
    try:
        await receiver.wait_for_function("() => window.painted", timeout=_FRAME_MILLISECONDS)
    except PlaywrightTimeout:
        tried = [await _evidence("sender", sender), await _evidence("receiver", receiver)]
        said = [*phone.complaints, *laptop.complaints]
        raise NoPicture("\n".join(["no frame was painted.", *tried, *said])) from None
    opened = await sender.evaluate("performance.timeOrigin")
    painted = await receiver.evaluate("window.painted")
    return Arrival(sender, receiver, (painted - opened) / 1000)


def _at(origin: str, link: str) -> str:
    """The same page on another origin."""
    parts = urlsplit(link)
    return f"{origin}{parts.path}#{parts.fragment}"


async def _evidence(name: str, page: Page) -> str:
    phase = await page.locator("html").get_attribute("data-phase")
    lines = await page.evaluate(_EVIDENCE)
    return "\n  ".join([f"{name}: {phase}", *lines])
