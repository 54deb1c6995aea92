"""The viewer page: the receiver page without invitation and camera controls."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves

pytestmark = pytest.mark.full_size

# Records what the page sends.
NOTES = """
    window.sent = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (text) {
        window.sent.push(JSON.parse(text));
        return send.call(this, text);
    };
"""


async def open_viewer(server: SignalingServer, pages: Pages, **options: Any) -> Page:
    """Open the viewer page of a server's room."""
    link = server.link(f"http://127.0.0.1:{server.local_port}", "viewer", server.room)
    return await pages.laptop(link, **({"script": NOTES} | options))


async def sent(viewer: Page, kind: str) -> list[dict[str, Any]]:
    """What the page has sent of one type."""
    messages = await viewer.evaluate("(kind) => sent.filter(({ type }) => type === kind)", kind)
    return list(messages)


async def test_a_viewer_registers_as_one(server: SignalingServer, pages: Pages) -> None:
    """The page takes its role from its path."""
    viewer = await open_viewer(server, pages)
    await phase(viewer, "idle")
    [register] = await sent(viewer, "register")
    assert register["role"] == "viewer"


async def test_a_viewer_watches(server: SignalingServer, pages: Pages) -> None:
    """Picture and figures are those of a receiver."""
    viewer = await open_viewer(server, pages)
    sender = await pages.sender(server)
    await phase(viewer, "live")
    await phase(sender, "live")
    await picture_moves(viewer)
    await figure(viewer, "resolution", "1280 × 720")
    await figure(viewer, "encode", r"^[\d.]+ ms$")


async def test_a_viewer_invites_nobody(server: SignalingServer, pages: Pages) -> None:
    """There is no code, no link and no button for another phone."""
    viewer = await open_viewer(server, pages)
    await phase(viewer, "idle")
    await expect(viewer.get_by_role("heading", level=1)).to_have_text("The video will appear here")
    await pages.sender(server)
    await phase(viewer, "live")
    for hidden in ("#qr", "#link", "#invite"):
        await expect(viewer.locator(hidden)).to_be_hidden()
    assert await viewer.locator("#link").get_attribute("href") is None


async def test_a_viewer_controls_no_camera(server: SignalingServer, pages: Pages) -> None:
    """The toolbar acts on this page only; the one thing asked of the phone is a restart."""
    viewer = await open_viewer(server, pages)
    await pages.sender(server)
    await phase(viewer, "live")
    await expect(viewer.locator("#mirror")).to_be_visible()
    # The camera's state, which would bring its controls, is there.
    await expect(viewer.locator(".tile-name")).to_contain_text(" · ")
    await expect(viewer.locator("#camera-controls")).to_be_hidden()
    await viewer.evaluate("dispatchEvent(new Event('online'))")
    await viewer.wait_for_function("() => sent.some(({ type }) => type === 'control')")
    assert {tuple(message["settings"]) for message in await sent(viewer, "control")} == {
        ("restart",)
    }


@pytest.mark.parametrize("fragment", ["#abc.wrong", "#abc"])
async def test_a_viewer_with_a_bad_link_is_told_whom_to_ask(
    server: SignalingServer, pages: Pages, fragment: str
) -> None:
    """It has no terminal to look at."""
    viewer = await pages.laptop(f"http://127.0.0.1:{server.local_port}/viewer{fragment}")
    await phase(viewer, "error")
    await expect(viewer.locator("#problem-advice")).to_contain_text("sent you the link")
