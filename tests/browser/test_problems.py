"""What can go wrong on the pages: each problem has its own sentence, and says what to do."""

import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Playwright, expect

from signaling.config import Config
from signaling.config import Rooms as RoomSettings
from signaling.config import Server as ServerSettings
from signaling.host import state_folder
from signaling.server import SignalingServer
from tests.browser.pages import CHROMIUM, WHOLE_CHROMIUM, Pages, launch, phase, picture_moves
from tests.running_server import local_sender_link, running_server


@contextlib.asynccontextmanager
async def other_browser(
    playwright: Playwright, *more: str, without: tuple[str, ...] = (), program: str = CHROMIUM
) -> AsyncIterator[Pages]:
    """Pages in a browser with other arguments."""
    browser = await launch(playwright, *more, without=without, program=program)
    pages = Pages(browser)
    try:
        yield pages
    finally:
        await browser.close()


async def problem(page: Page, kind: str) -> None:
    """Wait until a page shows a problem of this kind, with a title and with advice."""
    await expect(page.locator("html")).to_have_attribute("data-error", kind)
    await phase(page, "error")
    await expect(page.locator("#error-title, #problem-title")).to_be_visible()
    await expect(page.locator("#error-help, #problem-advice")).not_to_be_empty()


async def test_a_refused_camera(server: SignalingServer, playwright: Playwright) -> None:
    """If the person says no, the page says how to allow it again."""
    flags = "--use-fake-ui-for-media-stream"
    # Without windows of its own there is nobody to ask.
    async with other_browser(
        playwright, "--deny-permission-prompts", without=(flags,), program=WHOLE_CHROMIUM
    ) as pages:
        sender = await pages.sender(server, allowed=False)
        await phase(sender, "idle")
        await sender.locator("#start").click()
        await problem(sender, "camera-refused")
        await expect(sender.locator("#error-help")).to_contain_text("llow")


async def test_no_camera(server: SignalingServer, playwright: Playwright) -> None:
    """The device has none."""
    devices = "--use-fake-device-for-media-stream"
    none = f"{devices}=device-count=0"
    async with other_browser(playwright, none, without=(devices,)) as pages:
        sender = await pages.sender(server)
        await problem(sender, "no-camera")


async def test_a_camera_in_use(server: SignalingServer, pages: Pages) -> None:
    """Another program uses it; when it is free again, one tap is enough."""
    # A camera that another program holds cannot be had from the made ones.
    busy = """
        const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = (constraints) => window.free
            ? original(constraints)
            : Promise.reject(new DOMException("in use", "NotReadableError"));
    """
    receiver = await pages.receiver(server)
    sender = await pages.sender(server, script=busy)
    await problem(sender, "camera-busy")
    await sender.evaluate("window.free = true")
    await sender.locator("#retry").click()
    await phase(sender, "live")
    await phase(receiver, "live")
    await picture_moves(receiver)


async def test_no_secure_context(tmp_path: Path, playwright: Playwright) -> None:
    """Over plain HTTP there is no camera: the page says so, and links to https."""
    rule = "--host-resolver-rules=MAP camera.example 127.0.0.1"
    settings = Config(server=ServerSettings(tls="off", hosts=["camera.example"]))
    async with (
        running_server(settings, tmp_path) as server,
        other_browser(playwright, rule) as pages,
    ):
        link = local_sender_link(server).replace("127.0.0.1", "camera.example")
        sender = await pages.phone(link, allowed=False)
        await problem(sender, "insecure")
        target = await sender.locator("#error-link").get_attribute("href")
        assert target == link.replace("http:", "https:")


@pytest.mark.parametrize("fragment", ["", "#", "#abc", "#abc.wrong", "#.."])
async def test_a_bad_link(server: SignalingServer, pages: Pages, fragment: str) -> None:
    """With a wrong key, both pages say where to get a good link."""
    origin = f"http://127.0.0.1:{server.local_port}"
    sender = await pages.phone(f"{origin}/sender{fragment}")
    await problem(sender, "bad-link")
    receiver = await pages.laptop(f"{origin}/receiver{fragment}")
    await problem(receiver, "bad-link")


async def test_a_link_that_has_ended(tmp_path: Path, pages: Pages) -> None:
    """When all links are renewed, both pages say so, and do not try again."""
    async with running_server(Config(), tmp_path) as server:
        receiver, sender = await pages.receiver(server), await pages.sender(server)
        await phase(receiver, "live")
        state_folder.renew_secret(tmp_path)
        assert server.renew_keys()
        await problem(sender, "link-ended")
        await problem(receiver, "link-ended")
        came = opened(server)
        await sender.wait_for_timeout(2000)  # The first attempts would come after 0.3 and 1.2 s.
        assert opened(server) == came == 2
        await pages.close()


def opened(server: SignalingServer) -> float:
    """How many connections have been opened to a server."""
    figures = server.metrics.text().decode()
    return sum(map(float, re.findall(r"^lenscast_connections_opened_total.* (.*)$", figures, re.M)))


async def test_a_full_room(tmp_path: Path, pages: Pages) -> None:
    """One phone too many is told so, and joins when the other leaves."""
    settings = Config(rooms=RoomSettings(max_senders=1))
    async with running_server(settings, tmp_path) as server:
        first = await pages.sender(server)
        await phase(first, "connecting")
        second = await pages.sender(server)
        await problem(second, "room-full")
        await first.close()
        await second.locator("#retry").click()
        await phase(second, "connecting")
        await pages.close()


async def test_a_place_that_frees_is_taken(tmp_path: Path, pages: Pages) -> None:
    """A phone that may use its camera waits for a place, and then is live without a tap."""
    settings = Config(rooms=RoomSettings(max_senders=1))
    async with running_server(settings, tmp_path) as server:
        first = await pages.sender(server)
        await phase(first, "connecting")
        second = await pages.sender(server)
        await problem(second, "room-full")
        receiver = await pages.receiver(server)
        await phase(receiver, "live")
        await first.close()
        await phase(second, "live")
        await phase(receiver, "live")
        await picture_moves(second)
        await picture_moves(receiver)
        await pages.close()


async def test_a_server_that_goes_away_and_comes_back(tmp_path: Path, pages: Pages) -> None:
    """The pages say that they are reconnecting, the picture goes on, and both come back."""
    async with running_server(Config(), tmp_path) as server:
        receiver = await pages.receiver(server)
        sender = await pages.sender(server)
        await phase(receiver, "live")
        await phase(sender, "live")
        await picture_moves(receiver)
        ports = dataclasses.replace(
            server.config.server, port=server.port, local_port=server.local_port
        )
    await phase(receiver, "reconnecting")
    await phase(sender, "reconnecting")
    await picture_moves(receiver)
    again = SignalingServer(Config(server=ports), tmp_path)
    await again.start()
    try:
        await phase(receiver, "live")
        await phase(sender, "live")
        await picture_moves(receiver)
    finally:
        # While nobody listens, a page that tries again writes the refusal to its console.
        pages.complaints[:] = [c for c in pages.complaints if "ERR_" not in c]
        await pages.close()
        await again.stop()
