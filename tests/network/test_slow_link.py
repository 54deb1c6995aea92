"""A network that becomes slow and then fast again, between a phone and a laptop on one Wi-Fi."""

from pathlib import Path

from playwright.async_api import Page, Playwright

from tests.network.hosts import Network
from tests.network.pair import pair
from tests.network.scenarios import same_subnet

SLOW = "120kbit"
FAST = "1gbit"
SMALLER_MILLISECONDS = 40_000
GROWN_MILLISECONDS = 20_000
"""Left to itself Chromium needs over half a minute: it raises its rate by 8 % a second."""


async def width(receiver: Page, condition: str, milliseconds: float) -> None:
    """Wait until the picture's width in pixels meets a condition."""
    await receiver.wait_for_function(
        f"() => document.querySelector('video').videoWidth {condition}", timeout=milliseconds
    )


async def test_the_picture_grows_again_soon_after_a_slow_network(
    playwright: Playwright, tmp_path: Path
) -> None:
    """A picture that a slow network has made smaller gets back to full size once the network is
    fast.
    """
    with Network() as network:
        devices = same_subnet(network)
        async with pair(playwright, devices, tmp_path) as arrival:
            devices.phone.limit_rate("wifi", SLOW)
            await width(arrival.receiver, "< 1280", SMALLER_MILLISECONDS)
            devices.phone.limit_rate("wifi", FAST)
            await width(arrival.receiver, "=== 1280", GROWN_MILLISECONDS)
