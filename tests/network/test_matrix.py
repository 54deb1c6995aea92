"""The promise: if the page loads, the picture arrives. One network for each test.

Nothing is configured: the server runs with its defaults, and both pages are opened by its address.
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

# A relay over UDP is preferred, but where TCP was quicker Chromium stays with it: once connected it
# ends gathering, and with it the allocation over UDP that is not there yet.
EITHER_RELAY = "relay, (UDP|TCP)"

Arrives = Callable[[Scenario, str], Awaitable[None]]


@pytest_asyncio.fixture
async def arrives(playwright: Playwright, tmp_path: Path) -> AsyncIterator[Arrives]:
    """Awaits the picture in a scenario, and a path that matches a pattern."""
    with Network() as network:
        async with contextlib.AsyncExitStack() as stack:

            async def await_it(scenario: Scenario, path: str) -> None:
                devices = scenario(network)
                arrival = await stack.enter_async_context(pair(playwright, devices, tmp_path))
                # The first pair of candidates that works is used until a better one does.
                await figure(arrival.receiver, "path", f"^{path}$")

            yield await_it


async def test_the_same_subnet(arrives: Arrives) -> None:
    """On one subnet the picture goes directly, though the receiver hides its address."""
    await arrives(scenarios.same_subnet, "direct, UDP")


async def test_two_subnets_without_multicast(arrives: Arrives) -> None:
    """Across a router too, where the name that stands for the receiver's address means nothing."""
    await arrives(scenarios.two_subnets, "direct, UDP")


async def test_client_isolation(arrives: Arrives) -> None:
    """Where a Wi-Fi keeps phone and laptop from each other, the server relays."""
    await arrives(scenarios.client_isolation, EITHER_RELAY)


async def test_each_behind_a_nat(arrives: Arrives) -> None:
    """Two NATs that keep their ports let the picture through directly, as STUN finds them out."""
    await arrives(scenarios.behind_nat, "direct, UDP")


async def test_each_behind_a_symmetric_nat(arrives: Arrives) -> None:
    """Through two symmetric NATs there is no direct way, so the server relays."""
    await arrives(scenarios.behind_symmetric_nat, EITHER_RELAY)


async def test_no_udp(arrives: Arrives) -> None:
    """Without UDP the server relays over TCP."""
    await arrives(scenarios.no_udp, "relay, TCP")


async def test_only_the_page_port(arrives: Arrives) -> None:
    """With one port open, the one the page came through, the server relays on it."""
    await arrives(scenarios.page_port, EITHER_RELAY)


async def test_only_the_page_port_over_tcp(arrives: Arrives) -> None:
    """With nothing open but what the page itself needs, the server relays through that."""
    await arrives(scenarios.page_port_tcp, "relay, TCP")
