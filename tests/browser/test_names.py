"""What phones are called: by their model, with a number if several are the same."""

import pytest
from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, phase
from tests.running_server import local_sender_link
from tests.signaling.transport.client import client

AN_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)

# Chrome on a phone says its model by a promise.
MODEL = """
    Object.defineProperty(Navigator.prototype, "userAgentData", { get: () => ({
        getHighEntropyValues: async () => ({ model: "Pixel 8" }),
    }) });
"""
NEVER_SAYS = """
    Object.defineProperty(Navigator.prototype, "userAgentData", { get: () => ({
        getHighEntropyValues: () => new Promise(() => {}),
    }) });
"""
REFUSES = """
    Object.defineProperty(Navigator.prototype, "userAgentData", { get: () => ({
        getHighEntropyValues: () => Promise.reject(new DOMException("", "NotAllowedError")),
    }) });
"""


async def names(receiver: Page, *expected: str) -> None:
    """Wait until the tiles have these names, without those of their cameras."""
    tiles = receiver.locator(".tile-name")
    await expect(tiles).to_have_count(len(expected))
    for index, name in enumerate(expected):
        await expect(tiles.nth(index)).to_contain_text(f"{name} · ")


async def test_a_phone_is_called_by_its_model(server: SignalingServer, pages: Pages) -> None:
    """The model that the browser tells on request is the phone's name on its tile."""
    receiver = await pages.receiver(server)
    await pages.sender(server, script=MODEL)
    await names(receiver, "Pixel 8")


@pytest.mark.parametrize("script", [NEVER_SAYS, REFUSES], ids=["never says", "refuses"])
async def test_nothing_waits_for_the_model(
    server: SignalingServer, pages: Pages, script: str
) -> None:
    """If the browser does not tell the model, the phone sends under its user agent's name."""
    receiver = await pages.receiver(server)
    await pages.sender(server, script=script, user_agent=AN_IPHONE)
    await phase(receiver, "live")
    await names(receiver, "iPhone")


async def test_phones_with_the_same_name_are_numbered(
    server: SignalingServer, pages: Pages
) -> None:
    """A phone keeps its number; a free one goes to the next phone that needs it."""
    receiver = await pages.receiver(server)
    first = await pages.sender(server, user_agent=AN_IPHONE)
    await names(receiver, "iPhone")
    await pages.sender(server, user_agent=AN_IPHONE)
    await names(receiver, "iPhone", "iPhone 2")
    await pages.sender(server)
    await names(receiver, "iPhone", "iPhone 2", "Phone")
    await first.locator("#stop").click()
    await names(receiver, "iPhone 2", "Phone")
    await first.locator("#start").click()
    await names(receiver, "iPhone 2", "Phone", "iPhone")


async def test_a_phone_with_a_number_is_turned_as_it_was(
    server: SignalingServer, pages: Pages
) -> None:
    """Of two phones with the same name, only the one that was turned comes back turned."""
    receiver = await pages.receiver(server)
    link = local_sender_link(server)
    room, _, key = link.partition("#")[2].partition(".")
    register = {"role": "sender", "room": room, "key": key, "name": "Desk"}
    tiles = receiver.locator(".tile")
    async with client(link) as first:
        await first.register(**register)
        await expect(tiles).to_have_count(1)
        async with client(link) as second:
            await second.register(**register)
            await expect(tiles).to_have_count(2)
            await receiver.locator(".tile-name").nth(1).click()
            await receiver.keyboard.press("r")
            await expect(tiles.nth(1)).to_have_attribute("data-turns", "1")
        await expect(tiles).to_have_count(1)
        async with client(link) as again:
            await again.register(**register)
            await expect(tiles.nth(1)).to_have_attribute("data-turns", "1")
            await expect(tiles.nth(0)).to_have_attribute("data-turns", "0")


async def test_cameras_with_the_same_name_are_numbered(
    server: SignalingServer, pages: Pages
) -> None:
    """A person can tell two webcams of the same model apart."""
    alike = (
        """Object.defineProperty(MediaDeviceInfo.prototype, "label", { get: () => "Webcam" });"""
    )
    sender = await pages.sender(server, script=alike)
    options = sender.locator("#camera option")
    await expect(options).to_have_text(["Webcam", "Webcam 2", "Webcam 3"])
