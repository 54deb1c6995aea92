"""Networks that change while the video plays: the picture soon comes back by itself."""

import logging
import re
from pathlib import Path

from playwright.async_api import Page, Playwright, expect

from tests.network.hosts import Host, Network
from tests.network.pair import pair
from tests.network.scenarios import Devices

BACK_MILLISECONDS = 40_000
"""Far above what it takes; how long it took is logged (--log-cli-level=info)."""

log = logging.getLogger(__name__)

# The longest time without a painted frame, in milliseconds, and whether a frame came after it.
_WATCH = """() => {
    const video = document.querySelector("video");
    window.longest = 0;
    let last = performance.now();
    const painted = (now) => {
        longest = Math.max(longest, now - last);
        last = now;
        window.lastPainted = now;
        video.requestVideoFrameCallback(painted);
    };
    video.requestVideoFrameCallback(painted);
}"""
_STOPPED = "() => performance.now() - window.lastPainted > 500"
_BACK = "() => performance.now() - window.lastPainted < 100"


def two_wifis(network: Network) -> tuple[Devices, Host]:
    """Phone and laptop behind a router with two subnets on each wire, and a server behind it."""
    devices = Devices(network.host("phone"), network.host("laptop"), network.host("server"))
    router = network.host("router", forwards=True)
    network.link(devices.phone, router, "10.0.1.2/24", "10.0.1.1")
    network.link(devices.laptop, router, "10.0.2.2/24", "10.0.2.1")
    network.link(devices.server, router, "10.0.3.2/24", "10.0.3.1")
    router.run("ip", "address", "add", "10.0.11.1/24", "dev", "phone")
    router.run("ip", "address", "add", "10.0.12.1/24", "dev", "laptop")
    return devices, router


async def back(receiver: Page) -> None:
    """Wait until the picture has stopped and plays again; log how long it stood still."""
    await receiver.wait_for_function(_STOPPED, timeout=BACK_MILLISECONDS)
    await receiver.wait_for_function(_BACK, timeout=BACK_MILLISECONDS)
    log.info("back after %.1f s", await receiver.evaluate("window.longest / 1000"))


async def playing(receiver: Page, sender: Page) -> None:
    """Wait until both pages have loaded everything that they fetch after the first picture."""
    await receiver.evaluate(_WATCH)
    loaded = "(name) => performance.getEntriesByType('resource').some((e) => e.name.includes(name))"
    await sender.wait_for_function(loaded, arg="sender/watch", timeout=BACK_MILLISECONDS)
    await sender.wait_for_function(loaded, arg="signaling/http", timeout=BACK_MILLISECONDS)


async def test_both_addresses_change(playwright: Playwright, tmp_path: Path) -> None:
    """Phone and laptop move to other subnets at the same time, and the picture comes back."""
    with Network() as network:
        devices, _ = two_wifis(network)
        async with pair(playwright, devices, tmp_path) as arrival:
            await playing(arrival.receiver, arrival.sender)
            devices.phone.change_address("router", "10.0.11.2/24", "10.0.11.1")
            devices.laptop.change_address("router", "10.0.12.2/24", "10.0.12.1")
            await back(arrival.receiver)


async def test_the_phone_moves(playwright: Playwright, tmp_path: Path) -> None:
    """Only the phone moves to another subnet, and the picture comes back."""
    with Network() as network:
        devices, _ = two_wifis(network)
        async with pair(playwright, devices, tmp_path) as arrival:
            await playing(arrival.receiver, arrival.sender)
            devices.phone.change_address("router", "10.0.11.2/24", "10.0.11.1")
            await back(arrival.receiver)


async def test_a_black_hole_for_udp(playwright: Playwright, tmp_path: Path) -> None:
    """When UDP suddenly stops getting through, the server relays over TCP."""
    with Network() as network:
        devices, router = two_wifis(network)
        async with pair(playwright, devices, tmp_path) as arrival:
            await playing(arrival.receiver, arrival.sender)
            router.add_rules("no-udp", "meta l4proto udp drop")
            await back(arrival.receiver)
            path = arrival.receiver.locator('[data-stat="path"]').first
            await expect(path).to_have_text(re.compile("relay, TCP"), timeout=BACK_MILLISECONDS)
