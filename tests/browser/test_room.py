"""The sender's place in the room: to whom it sends."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, phase
from tests.browser.test_loading import Failing, patient
from tests.browser.test_signaling import REGISTERED, answer, page
from tests.running_server import local_sender_link

__all__ = ["page", "patient"]

OPEN = """async () => {
    const { Room } = await import("/pages/sender/room.js");
    sockets.length = 0;
    window.room = new Room({ link: {}, device: {}, relayOnly: false });
    room.receivers.begin({ maxBitrate: 300_000, maxFramerate: 15 });
    room.signaling.open();
}"""
OFFERED = "sent.filter(({ type }) => type === 'offer').map(({ to }) => to)"
LIMITS = {"limits": {"resume": 45, "rate": 20, "burst": 60}}


async def connected(page: Page, **peer: Any) -> None:
    """Tell the page of a peer."""
    await page.evaluate("(peer) => say(peer)", {"type": "peer-connected"} | peer)


@pytest.mark.parametrize("role", ["receiver", "viewer"])
async def test_a_sender_offers_to_whom_the_server_says(page: Page, role: str) -> None:
    """To a viewer as to a receiver."""
    await page.evaluate(OPEN)
    await answer(page, REGISTERED | LIMITS | {"role": "sender", "peers": []})
    await connected(page, peer=role, id="a", offers=True)
    await page.wait_for_function(f"() => String({OFFERED}) === 'a'")
    assert await page.evaluate("room.receivers.count") == 1


async def test_a_sender_offers_to_receivers_where_the_server_does_not_say(page: Page) -> None:
    """As a server does that knows of no other roles; another sender is not offered anything."""
    await page.evaluate(OPEN)
    await answer(page, REGISTERED | {"role": "sender", "peers": []})
    await connected(page, peer="sender", id="b")
    await connected(page, peer="receiver", id="a")
    await page.wait_for_function(f"() => String({OFFERED}) === 'a'")
    assert await page.evaluate("room.receivers.count") == 1


async def test_a_sender_goes_on_with_those_it_offers_to(page: Page) -> None:
    """After it has come back, those that the server names with `offers` are there."""
    peers = [{"id": "a", "role": "viewer", "offers": True}, {"id": "b", "role": "sender"}]
    await page.evaluate(OPEN)
    await answer(page, REGISTERED | LIMITS | {"role": "sender", "peers": []})
    await page.evaluate("end(1006, '')")
    await page.clock.run_for(1000)
    await answer(page, REGISTERED | LIMITS | {"role": "sender", "resumed": True, "peers": peers})
    await page.wait_for_function(f"() => String({OFFERED}) === 'a'")


async def test_what_connects_may_come_late(server: SignalingServer, patient: Pages) -> None:
    """Whoever is in the room by then gets the picture, and the page says what it waits for."""
    missing = Failing()
    receiver = await patient.receiver(server)
    sender = await patient.phone("about:blank")
    await sender.route("**/pages/lib/media/offering-peer.js", missing)
    await sender.goto(local_sender_link(server))
    await missing.failed()
    await expect(sender.locator("#loading")).to_be_visible()
    missing.over = True
    await phase(receiver, "live")
    await expect(sender.locator("#loading")).to_be_hidden()
