"""The key and the address bar."""

import asyncio

from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import SECONDS, Pages, phase


async def shows_no_key(page: Page, link: str) -> None:
    """Wait until the address is the link without its key."""
    await page.wait_for_url(link.rpartition(".")[0], timeout=SECONDS)


async def test_the_key_leaves_the_address_bar(server: SignalingServer, pages: Pages) -> None:
    """Nobody reads it there or copies it from there, and yet a reload, a second tab and a link that
    is pasted into the same tab work.
    """
    link = server.receiver_link
    base = link.partition("/receiver")[0]
    page = await pages.laptop(base + server.opening("receiver"))
    await shows_no_key(page, link)
    await phase(page, "idle")
    assert await page.evaluate("history.length") <= 2

    await page.reload()
    await phase(page, "idle")
    await shows_no_key(page, link)

    # A tab that never had the key says so, and a link with the key opens it again.
    other = await page.context.new_page()
    await other.goto(link.rpartition(".")[0])
    await phase(other, "error")
    await expect(other.get_by_text("The key after the # is missing.")).to_be_visible()
    await other.evaluate("(link) => { location.href = link; }", link)
    await phase(other, "idle")
    await shows_no_key(other, link)

    # Both at once: each tab has its own.
    await page.reload()
    await phase(page, "idle")


async def registered(server: SignalingServer, count: int) -> None:
    """Wait until so many phones are in the room."""
    async with asyncio.timeout(SECONDS / 1000):
        while server.hub.counts().by_role["sender"] != count:
            await asyncio.sleep(0.05)


async def test_the_way_by_the_trust_page_keeps_the_key(
    server: SignalingServer, pages: Pages
) -> None:
    """A phone that goes to the trust page and from there to the camera page is let in again."""
    page = await pages.sender(server)
    await registered(server, 1)
    await page.goto(page.url.partition("/sender")[0] + "/trust")
    await registered(server, 0)
    await page.get_by_role("link", name="Open the camera page").click()
    await registered(server, 1)
    assert page.url.endswith("/sender")
