"""The promise: if the page loads, the picture arrives. One test for each network.

The server runs with its default configuration, and both pages are opened by its address.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Playwright

from tests.browser.pages import figure
from tests.network import scenarios
from tests.network.hosts import Network
from tests.network.pair import pair
from tests.network.scenarios import Scenario

# A relay over UDP is preferred. But if TCP was quicker, Chromium stays with it: once connected, it
# stops gathering, so an unfinished allocation over UDP is given up.
EITHER_RELAY = "relay, (UDP|TCP)"

Arrives = Callable[[Scenario, str], Awaitable[None]]


@pytest_asyncio.fixture
async def arrives(playwright: Playwright, tmp_path: Path) -> AsyncIterator[Arrives]:
    """Wait for the picture in a scenario, on a path that matches a pattern."""
    with Network() as network:
        async with contextlib.AsyncExitStack() as stack:

            async def await_it(scenario: Scenario, path: str) -> None:
                devices = scenario(network)
                arrival = await stack.enter_async_context(pair(playwright, devices, tmp_path))
                # The first candidate pair that works is used until a better one does.
                await figure(arrival.receiver, "path", f"^{path}$")

            yield await_it


async def test_the_same_subnet(arrives: Arrives) -> None:
    """On one subnet, the picture comes directly, although the receiver hides its address."""
    await arrives(scenarios.same_subnet, "direct, UDP")


async def test_two_subnets_without_multicast(arrives: Arrives) -> None:
    """Across a router, the picture comes directly too, although the name of the receiver's
    hidden address cannot be resolved.
    """
    await arrives(scenarios.two_subnets, "direct, UDP")


async def test_client_isolation(arrives: Arrives) -> None:
    """If the Wi-Fi keeps phone and laptop apart, the server relays."""
    await arrives(scenarios.client_isolation, EITHER_RELAY)


async def test_each_behind_a_nat(arrives: Arrives) -> None:
    """With two NATs that keep their ports, the picture comes directly, thanks to STUN."""
    await arrives(scenarios.behind_nat, "direct, UDP")


async def test_each_behind_a_symmetric_nat(arrives: Arrives) -> None:
    """With two symmetric NATs there is no direct path, so the server relays."""
    await arrives(scenarios.behind_symmetric_nat, EITHER_RELAY)


async def test_no_udp(arrives: Arrives) -> None:
    """Without UDP the server relays over TCP."""
    await arrives(scenarios.no_udp, "relay, TCP")


async def test_only_the_page_port(arrives: Arrives) -> None:
    """If only the page's port is open, the server relays on it."""
    await arrives(scenarios.page_port, EITHER_RELAY)


async def test_only_the_page_port_over_tcp(arrives: Arrives) -> None:
    """If only the page's port is open, and only for TCP, the server relays through that."""
    await arrives(scenarios.page_port_tcp, "relay, TCP")
