"""What the sender page begins before any module has come, and that it works without that too."""

import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect

from signaling.server import SignalingServer
from signaling.web import pages as served
from signaling.web.headers import page_policy
from tests.browser.firefox import FIREFOX, firefox
from tests.browser.pages import Pages, phase, picture_moves

BEGUN_BY = """
    window.begunBy = [];
    const note = (what) => {
        begunBy.push(`${what} ${new Error().stack.includes(".js") ? "module" : "page"}`);
    };
    window.WebSocket = class extends WebSocket {
        constructor(...options) {
            super(...options);
            note("socket");
        }
    };
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...options) {
            super(...options);
            note("connection");
        }
    };
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (constraints) => {
        note("camera");
        return open(constraints);
    };
"""
"""Whether a script of the page itself began each, or a module."""


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that allows no script within a page."""
    monkeypatch.setattr(served, "page_policy", lambda host, _inline: page_policy(host))


async def test_the_page_begins_and_the_modules_take_over(
    server: SignalingServer, pages: Pages
) -> None:
    """One socket, one connection, one camera: each begun by the page, and none of them twice."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server, script=BEGUN_BY)
    await phase(receiver, "live")
    begun = ["camera page", "connection page", "socket page"]
    assert sorted(await sender.evaluate("begunBy")) == begun


async def test_nothing_is_begun_without_the_permission(
    server: SignalingServer, pages: Pages
) -> None:
    """The camera waits for a person; the room does not."""
    sender = await pages.sender(server, allowed=False, script=BEGUN_BY)
    await phase(sender, "idle")
    assert sorted(await sender.evaluate("begunBy")) == ["connection page", "socket page"]
    await expect(sender.locator("#start")).to_be_enabled()


@pytest.mark.usefixtures("blocked")
async def test_the_modules_begin_where_the_page_may_not(
    server: SignalingServer, pages: Pages
) -> None:
    """With the script blocked there is a picture all the same."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server, script=BEGUN_BY)
    await phase(receiver, "live")
    await picture_moves(receiver)
    begun = ["camera module", "connection module", "socket module"]
    assert sorted(await sender.evaluate("begunBy")) == begun
    assert len(pages.complaints) == 1
    assert "Content Security Policy" in pages.complaints.pop()


@pytest.mark.usefixtures("blocked")
@pytest.mark.skipif(shutil.which(FIREFOX) is None, reason="Firefox is missing")
async def test_so_they_do_in_firefox(server: SignalingServer, pages: Pages, tmp_path: Path) -> None:
    """A phone with Firefox, a laptop with Chromium."""
    async with firefox(tmp_path) as fox:
        receiver = await pages.receiver(server)
        await fox.open(server.sender_link)
        await phase(receiver, "live")
        await picture_moves(receiver)
        complaints = await fox.close_pages()
    assert all("Content-Security-Policy" in complaint for complaint in complaints)
