"""A phone on a USB cable: one TCP port of the loopback address is the whole network."""

from pathlib import Path

from playwright.async_api import Playwright

from tests.browser.pages import Pages, figure
from tests.network.hosts import Network
from tests.network.pair import LOCAL_PORT, chromium, running_command, watch


async def test_the_picture_arrives_through_one_loopback_port(
    playwright: Playwright, tmp_path: Path
) -> None:
    """`adb reverse tcp:8080 tcp:8080` is enough: pages, signaling and video use this port."""
    with Network() as network:
        host = network.host("laptop")
        # On a device without any network, Chromium gathers no candidates, not even from a relay. So
        # there is a network, but it leads nowhere.
        network.link(host, network.host("nowhere"), "192.168.1.2/24", "192.168.1.1")
        one_port = [f"tcp dport {LOCAL_PORT} accept", f"tcp sport {LOCAL_PORT} accept", "drop"]
        host.add_rules("one-port", *one_port, hook="input")
        async with (
            running_command(host, tmp_path) as said,
            chromium(playwright, host, tmp_path, camera=True) as browser,
        ):
            links = [
                f"http://localhost:{LOCAL_PORT}/{role}#{said[role].partition('#')[2]}"
                for role in ("receiver", "sender")
            ]
            arrival = await watch(Pages(browser), Pages(browser), *links)
            await figure(arrival.receiver, "path", "^relay, TCP$")
