"""`make screenshots`: all pages in each phase, at the size of a phone and of a laptop.

Writes PNG files into screenshots/ for a person to look at, and docs/receiver.png for the README.
The camera shows a drawn scene.
"""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Page, Playwright, async_playwright

from signaling.config import Config
from signaling.server import SignalingServer
from tests.browser.pages import (
    CHROMIUM,
    LAPTOP,
    PHONE,
    Pages,
    figure,
    launch,
    phase,
    picture_moves,
)
from tests.browser.scene import record
from tests.browser.test_names import MODEL
from tests.running_server import running_server

ROOT = Path(__file__).parent.parent.parent
TARGET = ROOT / "screenshots"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/130.0.0.0 Mobile Safari/537.36"
)
PHONES = ("Pixel 8", "iPhone", "iPhone", "Galaxy S24")
# Chromium names a camera that plays a file by the path of the file.
NAMES = """
    Object.defineProperty(MediaStreamTrack.prototype, "label", { get: () => "Back camera" });
    Object.defineProperty(MediaDeviceInfo.prototype, "label", { get: () => "Back camera" });
"""
# Here no page is ever hidden, and no other app takes the camera: this pretends it.
SLEEP = """
    let hidden = false;
    Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
    window.hide = (value) => {
        hidden = value;
        document.dispatchEvent(new Event("visibilitychange"));
    };
    window.takeCamera = () => {
        const [track] = document.querySelector("#preview").srcObject.getTracks();
        navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("", "NotReadableError"));
        track.stop();
        track.dispatchEvent(new Event("ended"));
    };
"""
COMMON: dict[str, Any] = {"color_scheme": "dark", "reduced_motion": "reduce", "script": NAMES}
SIZES: dict[str, dict[str, Any]] = {
    "phone": COMMON | {"viewport": PHONE, "user_agent": ANDROID},
    "laptop": COMMON | {"viewport": LAPTOP, "is_mobile": False, "has_touch": False},
}


class Album:
    """Takes the pictures of one size."""

    def __init__(self, pages: Pages, server: SignalingServer, size: str) -> None:
        self.pages = pages
        self.server = server
        self._size = size

    async def open(self, page: str, query: str = "", **options: Any) -> Page:
        """Open the sender or the receiver page at this album's size."""
        opener = self.pages.sender if page == "sender" else self.pages.receiver
        return await opener(self.server, query, **(SIZES[self._size] | options))

    async def phone(self, model: str) -> Page:
        """Open the sender page on a phone of this model."""
        return await self.pages.sender(self.server, script=NAMES + MODEL.replace("Pixel 8", model))

    async def take(self, page: Page, name: str) -> None:
        """Write one picture, after the page has drawn its state."""
        await page.evaluate("() => new Promise((r) => requestAnimationFrame(() => setTimeout(r)))")
        # Transitions are over when no animation runs that ends.
        await page.wait_for_function(
            "() => document.getAnimations().every((a) => a.playState === 'finished'"
            " || a.effect.getTiming().iterations === Infinity)"
        )
        file = TARGET / f"{name}-{self._size}.png"
        await page.screenshot(path=file)
        print(file.relative_to(ROOT))


async def sender_phases(album: Album) -> None:
    """The phone's page alone, and with a laptop."""
    page = await album.open("sender", allowed=False)
    await phase(page, "idle")
    await album.take(page, "sender-idle")
    await page.locator("#start").click()
    await phase(page, "connecting")
    await album.take(page, "sender-connecting")
    receiver = await album.pages.receiver(album.server)
    await phase(page, "live")
    await picture_moves(receiver)
    await album.take(page, "sender-live")
    for quality in ("medium", "high"):
        await receiver.locator("#quality").select_option(quality)
        await page.locator("#deeds-text").get_by_text(quality).wait_for()
    await album.take(page, "sender-deeds")
    await page.locator("#deeds-seen").click()
    await page.locator("#microphone").click()
    await page.locator("#settings").click()
    await album.take(page, "sender-settings")
    await connection_check(album, page, "sender-check", "#sheet .check-open")
    await page.locator("#close").click()
    await page.locator("#stop").click()
    await phase(page, "ended")
    await album.take(page, "sender-ended")
    await page.context.close()
    await receiver.context.close()


async def pauses(album: Album) -> None:
    """Both pages with their words, while the phone is away, and while its camera is taken."""
    receiver = await album.open("receiver")
    sender = await album.open("sender", script=NAMES + SLEEP)
    await phase(sender, "live")
    await picture_moves(receiver)
    await receiver.mouse.move(400, 400)
    await receiver.wait_for_function(
        "() => /bit/.test(document.querySelector('[data-stat=bitrate]').textContent)"
    )
    await receiver.keyboard.press("c")
    await sender.locator("#settings").click()
    await sender.locator("#words-open").click()
    for page, name in ((receiver, "receiver-words"), (sender, "sender-words")):
        await page.wait_for_function(
            "() => /( [a-z]+){3}$/.test(document.querySelector('#words dd')?.textContent)"
        )
        await album.take(page, name)
        await page.keyboard.press("Escape")
    await sender.locator("#close").click()
    await sender.evaluate("hide(true)")
    await phase(receiver, "paused")
    await album.take(sender, "sender-paused")
    await album.take(receiver, "receiver-paused")
    await sender.evaluate("hide(false)")
    await phase(sender, "live")
    await picture_moves(receiver)
    await sender.evaluate("takeCamera()")
    await sender.locator("#outage").wait_for()
    await phase(receiver, "paused")
    await album.take(sender, "sender-interrupted")
    await album.take(receiver, "receiver-interrupted")
    await sender.context.close()
    await receiver.context.close()


async def connection_check(album: Album, page: Page, name: str, button: str) -> None:
    """The connection check, after it has finished."""
    await page.locator(button).click()
    await page.wait_for_function(
        "() => document.querySelector('#check')?.dataset.check === 'done'", timeout=20_000
    )
    await album.take(page, name)
    await page.keyboard.press("Escape")


async def sender_problems(album: Album) -> None:
    """The phone's page with each problem."""
    bad = await album.pages.phone(
        f"http://127.0.0.1:{album.server.local_port}/sender#abc.wrong", **SIZES[album._size]
    )
    await phase(bad, "error")
    await album.take(bad, "sender-bad-link")
    await bad.context.close()
    for kind, name in (
        ("camera-refused", "NotAllowedError"),
        ("no-camera", "NotFoundError"),
        ("camera-busy", "NotReadableError"),
    ):
        script = (
            "navigator.mediaDevices.getUserMedia = () =>"
            f" Promise.reject(new DOMException('', '{name}'));"
        )
        page = await album.open("sender", script=script)
        await phase(page, "error")
        await album.take(page, f"sender-{kind}")
        await page.context.close()


async def receiver_phases(album: Album) -> None:
    """The laptop's page: waiting, live in all forms, and with several phones."""
    page = await album.open("receiver")
    await phase(page, "idle")
    await album.take(page, "receiver-idle")
    await connection_check(album, page, "receiver-check", "#waiting .check-open:visible")
    senders = [await album.phone(PHONES[0])]
    await phase(page, "live")
    await picture_moves(page)
    await page.mouse.move(400, 400)
    for name in ("bitrate", "delay"):
        await figure(page, name, r"\d")
    await album.take(page, "receiver-live")
    await page.keyboard.press("Shift+S")
    for name in ("decode", "encode"):
        await figure(page, name, "ms$")
    await album.take(page, "receiver-full")
    await page.keyboard.press("Shift+S")
    for name, selector in (
        ("panel-off", "#stats-toggle"),
        ("mirrored", "#mirror"),
        ("rotated", "#rotate"),
        ("invite", "#invite"),
    ):
        await page.mouse.move(410, 410)
        await page.locator(selector).click()
        await album.take(page, f"receiver-{name}")
    await page.get_by_role("radio", name="View only").check()
    await album.take(page, "receiver-invite-viewer")
    await page.keyboard.press("Escape")
    await page.locator("#rotate").click(click_count=3)
    await refuse_control(senders[0])
    await page.locator("#control-refused").wait_for()
    await album.take(page, "receiver-refused")
    await refuse_control(senders[0])
    for count in (2, 4):
        while len(senders) < count:
            senders.append(await album.phone(PHONES[len(senders)]))
        await page.wait_for_function(
            "(n) => [...document.querySelectorAll('.tile video')]"
            ".filter((v) => v.videoWidth > 0).length === n",
            arg=count,
        )
        await album.take(page, f"receiver-{count}-phones")
    clean = await album.open("receiver", "clean=1")
    await phase(clean, "live")
    await picture_moves(clean)
    await album.take(clean, "receiver-clean")
    for opened in (*senders, page, clean):
        await opened.context.close()


async def refuse_control(sender: Page) -> None:
    """Let a phone refuse control, or allow it again."""
    await sender.locator("#settings").click()
    await sender.locator("#control").click()
    await sender.locator("#close").click()


async def reconnecting(playwright: Playwright, camera: Path, size: str) -> None:
    """Both pages while the server is away."""
    async with album_of(playwright, camera, size) as album:
        receiver = await album.open("receiver")
        sender = await album.open("sender")
        await phase(receiver, "live")
        await phase(sender, "live")
        await picture_moves(receiver)
        await album.server.stop()
        await phase(receiver, "reconnecting")
        await phase(sender, "reconnecting")
        await album.take(receiver, "receiver-reconnecting")
        await album.take(sender, "sender-reconnecting")


async def other_pages(album: Album) -> None:
    """The receiver page with a bad link, the viewer page, and the trust page."""
    origin = f"http://127.0.0.1:{album.server.local_port}"
    server = album.server
    viewer = server.link(f"http://127.0.0.1:{server.local_port}", "viewer", server.room)
    page = await album.pages.laptop(viewer, **SIZES[album._size])
    await phase(page, "idle")
    await album.take(page, "viewer-idle")
    sender = await album.phone(PHONES[0])
    await phase(page, "live")
    await picture_moves(page)
    await album.take(page, "viewer-live")
    await page.context.close()
    await sender.context.close()
    for name, path in (("receiver-bad-link", "/receiver#abc.wrong"), ("trust", "/trust")):
        page = await album.pages.laptop(f"{origin}{path}", **SIZES[album._size])
        if name != "trust":
            await phase(page, "error")
        await album.take(page, name)
        await page.context.close()


@contextlib.asynccontextmanager
async def album_of(playwright: Playwright, camera: Path, size: str) -> AsyncIterator[Album]:
    """A server, a browser whose camera plays a file, and an album for them."""
    with tempfile.TemporaryDirectory() as state:
        browser = await launch(
            playwright,
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
            without=("--use-fake-device-for-media-stream",),
        )
        try:
            async with running_server(Config(), Path(state)) as server:
                yield Album(Pages(browser), server, size)
        finally:
            await browser.close()


async def main() -> None:
    """Take all pictures."""
    TARGET.mkdir(exist_ok=True)
    camera = TARGET / "camera.mjpeg"
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        await record(browser, camera)
        await browser.close()
        for size in SIZES:
            async with album_of(playwright, camera, size) as album:
                await sender_phases(album)
                await sender_problems(album)
                await pauses(album)
                await receiver_phases(album)
                await other_pages(album)
            await reconnecting(playwright, camera, size)
    shutil.copy(TARGET / "receiver-live-laptop.png", ROOT / "docs" / "receiver.png")


if __name__ == "__main__":
    if not shutil.which(CHROMIUM):
        sys.exit("make screenshots needs Chromium: apt-get install chromium")
    asyncio.run(main())
