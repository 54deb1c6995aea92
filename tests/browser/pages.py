"""Drives the two pages: opens them as a phone and as a laptop, and reads what they show.

The sender page is opened on the loopback address, which Chromium takes for secure as it does
HTTPS; that the certificate works is shown in the tests of the server.
"""

import asyncio
import os
import re
import shutil
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page, Playwright, expect

from signaling.server import SignalingServer
from tests.running_server import local_sender_link

WHOLE_CHROMIUM = "chromium"
CHROMIUM = shutil.which("chromium-headless-shell") or WHOLE_CHROMIUM
"""The same engine without the browser's own windows opens pages with half the work."""
ARGUMENTS = [
    *(["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []),
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The second of Chromium's made cameras is a depth camera, whose frames WebRTC does not send.
    "--use-fake-device-for-media-stream=device-count=3",
    "--use-fake-ui-for-media-stream",
]
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1440, "height": 900}
KEEPS_CONNECTIONS = """
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...options) {
            super(...options);
            connections.push(this);
        }
    };
"""
"""A script for a page: `window.connections` holds all that it makes."""
CAN_BE_HIDDEN = """
    let hidden = false;
    Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
    Object.defineProperty(Document.prototype, "visibilityState", {
        get: () => (hidden ? "hidden" : "visible"),
    });
    window.setHidden = (value) => {
        hidden = value;
        document.dispatchEvent(new Event("visibilitychange"));
    };
"""
"""A script for a page, as no page is hidden in a test: `setHidden` does as if."""

SECONDS = 40_000
"""As Playwright counts, milliseconds: generous, as tests share the machine with others."""
expect.set_options(timeout=SECONDS)


async def launch(
    playwright: Playwright, *more: str, without: tuple[str, ...] = (), program: str = CHROMIUM
) -> Browser:
    """Start Chromium with further arguments, and without those that begin as in `without`."""
    kept = [argument for argument in ARGUMENTS if not (without and argument.startswith(without))]
    return await playwright.chromium.launch(
        executable_path=shutil.which(program), args=[*kept, *more]
    )


def with_query(link: str, query: str) -> str:
    """A link with a query before its fragment."""
    return link.replace("#", f"?{query}#") if query else link


class Pages:
    """Opens pages in contexts of their own, as two devices have."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        """Errors that a console showed, and uncaught exceptions."""

    async def phone(self, link: str, *, allowed: bool = True, **options: Any) -> Page:
        """Open a page as a phone does.

        Parameters
        ----------
        allowed: the camera permission was given before.
        options: `script` runs in the page before its own; the others are Playwright's.
        """
        granted = ["camera", "microphone"] if allowed else []
        context = {"viewport": PHONE, "permissions": granted, "is_mobile": True, "has_touch": True}
        return await self._open(link, context | options)

    async def laptop(self, link: str, **options: Any) -> Page:
        """Open a page as a laptop does."""
        return await self._open(link, {"viewport": LAPTOP} | options)

    async def sender(self, server: SignalingServer, query: str = "", **options: Any) -> Page:
        """The sender page of a server's room."""
        link = with_query(local_sender_link(server), query)
        return await self.phone(link, **options)

    async def receiver(self, server: SignalingServer, query: str = "", **options: Any) -> Page:
        """The receiver page of a server's room."""
        return await self.laptop(with_query(server.receiver_link, query), **options)

    async def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            await context.close()

    async def _open(self, link: str, options: dict[str, Any]) -> Page:
        script = options.pop("script", None)
        context = await self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(SECONDS)
        if script:
            await context.add_init_script(script)
        page = await context.new_page()
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text) if message.type == "error" else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(link)
        return page


async def phase(page: Page, *wanted: str) -> None:
    """Wait until a page is in one of these phases."""
    pattern = re.compile("^(" + "|".join(wanted) + ")$")
    await expect(page.locator("html")).to_have_attribute("data-phase", pattern)


async def figure(page: Page, name: str, pattern: str) -> str:
    """Wait until a figure of the statistics panel matches; give its text."""
    value = page.locator(f'[data-stat="{name}"]').first
    await expect(value).to_have_text(re.compile(pattern))
    return await value.inner_text()


async def promised(page: Page, expression: str) -> None:
    """Wait until what a promise brings is true; `wait_for_function` takes any promise for true."""
    async with asyncio.timeout(SECONDS / 1000):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


async def picture_moves(page: Page) -> None:
    """Wait until the first video of a page has painted three more frames."""
    await page.evaluate(
        """(timeout) => new Promise((resolve, reject) => {
            const video = document.querySelector("video");
            let left = 3;
            const seen = () => (--left ? video.requestVideoFrameCallback(seen) : resolve());
            video.requestVideoFrameCallback(seen);
            setTimeout(() => reject(new Error("the picture stands still")), timeout);
        })""",
        SECONDS,
    )


async def click_tool(tool: Locator) -> None:
    """Click a button of the toolbar, which hides while the pointer rests: the pointer moves first.

    Playwright does not move it to what something else covers.
    """
    box = await tool.bounding_box()
    assert box
    await tool.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await tool.click()
