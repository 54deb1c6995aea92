"""The main job in real browsers: the phone's page to the laptop's page."""

import pytest
from playwright.async_api import expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves, promised

pytestmark = pytest.mark.full_size


async def test_the_picture_arrives_directly(server: SignalingServer, pages: Pages) -> None:
    """Permission given, nothing tapped: the sender's picture plays on the receiver, path direct."""
    receiver = await pages.receiver(server)
    await phase(receiver, "idle")
    sender = await pages.sender(server)
    await phase(sender, "live")
    await phase(receiver, "live")
    await picture_moves(receiver)
    await figure(receiver, "path", "^direct, UDP$")
    await figure(receiver, "resolution", "^1280 × 720$")
    await figure(receiver, "codec", r"^(VP8|VP9|H264|AV1)$")
    await figure(receiver, "framerate", r"^\d+ fps$")
    await figure(receiver, "bitrate", r"^[1-9][\d.]* [kM]bit/s$")
    await figure(receiver, "loss", r"^\d+\.\d %$")
    await figure(receiver, "latency", r"^(< )?\d+ ms$")
    await figure(receiver, "jitter", r"^(< )?\d+ ms$")


async def test_the_receiver_waits_with_the_code_and_the_link(
    server: SignalingServer, pages: Pages
) -> None:
    """Before a phone comes: a large QR code, and the phone's link to copy."""
    receiver = await pages.receiver(server, permissions=["clipboard-read", "clipboard-write"])
    await phase(receiver, "idle")
    box = await receiver.locator("#qr").bounding_box()
    assert box
    assert box["width"] >= 240
    await expect(receiver.locator("#link")).to_contain_text(server.sender_link)
    await receiver.locator("#copy").click()
    copied = "navigator.clipboard.readText()"
    await promised(receiver, f"async () => await {copied} === {server.sender_link!r}")


async def test_one_tap_starts_where_the_permission_was_not_given(
    server: SignalingServer, pages: Pages
) -> None:
    """Without the permission the page waits for its Start button."""
    await pages.receiver(server)
    sender = await pages.sender(server, allowed=False)
    await phase(sender, "idle")
    await sender.locator("#start").click()
    await phase(sender, "live")


async def test_a_sender_that_comes_first_is_found(server: SignalingServer, pages: Pages) -> None:
    """Either may come first."""
    sender = await pages.sender(server)
    await phase(sender, "live", "connecting")
    receiver = await pages.receiver(server)
    await phase(receiver, "live")
    await picture_moves(receiver)


async def test_the_code_comes_back_when_the_sender_leaves(
    server: SignalingServer, pages: Pages
) -> None:
    """Stop on the phone: the laptop shows the QR code again; Start again: the picture."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server)
    await phase(receiver, "live")
    await sender.locator("#stop").click()
    await phase(sender, "ended")
    await phase(receiver, "idle")
    await expect(receiver.locator("#qr")).to_be_visible()
    await sender.locator("#start").click()
    await phase(receiver, "live")
    await picture_moves(receiver)


async def test_a_receiver_may_leave_and_come_back(server: SignalingServer, pages: Pages) -> None:
    """A reloaded receiver page is served again."""
    sender = await pages.sender(server)
    receiver = await pages.receiver(server)
    await phase(receiver, "live")
    await receiver.reload()
    await phase(receiver, "live")
    await picture_moves(receiver)
    await phase(sender, "live")


async def test_several_senders_make_a_grid(server: SignalingServer, pages: Pages) -> None:
    """Two phones, two tiles; one leaves, one tile."""
    receiver = await pages.receiver(server)
    await pages.sender(server)
    second = await pages.sender(server)
    tiles = receiver.locator("#grid .tile")
    await expect(tiles).to_have_count(2)
    await phase(second, "live")
    await second.close()
    await expect(tiles).to_have_count(1)
    await phase(receiver, "live")


async def test_two_receivers_watch_one_sender(server: SignalingServer, pages: Pages) -> None:
    """A peer connection for each pair."""
    receivers = [await pages.receiver(server), await pages.receiver(server)]
    sender = await pages.sender(server)
    for receiver in receivers:
        await phase(receiver, "live")
        await picture_moves(receiver)
    await expect(sender.locator("#status")).to_contain_text("2")


async def test_the_receiver_turns_and_mirrors_the_picture(
    server: SignalingServer, pages: Pages
) -> None:
    """Mirror, rotate and the panel by button and by key; the state is on the buttons."""
    receiver = await pages.receiver(server)
    await pages.sender(server)
    await phase(receiver, "live")
    await picture_moves(receiver)
    for button, key in (("#mirror", "m"), ("#stats-toggle", "s")):
        before = await receiver.locator(button).get_attribute("aria-pressed")
        await receiver.keyboard.press(key)
        after = "false" if before == "true" else "true"
        await expect(receiver.locator(button)).to_have_attribute("aria-pressed", after)
    await receiver.keyboard.press("r")
    await receiver.wait_for_function(TURNED)


TURNED = """() => {
    const video = document.querySelector("video");
    const { width, height } = video.getBoundingClientRect();
    return video.offsetWidth === Math.round(height) && video.offsetHeight === Math.round(width)
        && width <= innerWidth && height <= innerHeight && width !== height;
}"""


async def test_the_picture_fits_a_fullscreen(server: SignalingServer, pages: Pages) -> None:
    """The fullscreen button takes the page into fullscreen, and out again."""
    receiver = await pages.receiver(server)
    await pages.sender(server)
    await phase(receiver, "live")
    await receiver.keyboard.press("f")
    await receiver.wait_for_function("() => document.fullscreenElement !== null")
    await receiver.keyboard.press("f")
    await receiver.wait_for_function("() => document.fullscreenElement === null")
