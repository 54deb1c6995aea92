"""Pages of which a part does not load at first: the network changed, or the server was away."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from signaling.server import SignalingServer
from tests.browser.pages import SECONDS, Pages, phase, picture_moves
from tests.browser.wire import wire
from tests.running_server import local_sender_link

pytestmark = pytest.mark.full_size

FAILED = ("did not load", "ERR_FAILED")
"""What a console says about a failed request."""


@pytest_asyncio.fixture
async def patient(pages: Pages) -> AsyncIterator[Pages]:
    """Pages whose consoles may show failed requests."""
    yield pages
    pages.complaints[:] = [c for c in pages.complaints if not any(text in c for text in FAILED)]


class Failing:
    """Lets requests fail until `over` is set.

    Attributes
    ----------
    over: requests succeed from now on.
    """

    def __init__(self) -> None:
        self.over = False
        self._failed = asyncio.Semaphore(0)

    async def __call__(self, route: Route) -> None:
        if self.over:
            await route.continue_()
        else:
            await route.abort()
            self._failed.release()

    async def head(self, route: Route) -> None:
        """The same for the question whether the server is there, but not for the page itself."""
        if route.request.method == "HEAD":
            await self(route)
        else:
            await route.continue_()

    async def failed(self) -> None:
        """Wait until one more request has failed."""
        async with asyncio.timeout(SECONDS / 1000):
            await self._failed.acquire()


async def mark(page: Page) -> None:
    """Leave something that a page loses when it is reloaded."""
    await page.evaluate("window.marked = true")


async def is_marked(page: Page) -> bool:
    """Whether the page is still the one that was marked."""
    return bool(await page.evaluate("window.marked === true"))


@pytest.mark.parametrize("module", ["sender/page", "sender/session"])
async def test_the_picture_goes_on_while_a_part_of_the_sender_page_is_missing(
    server: SignalingServer, patient: Pages, module: str
) -> None:
    """The video goes on, and the page is there when the part has loaded."""
    missing = Failing()
    receiver = await patient.receiver(server)
    sender = await patient.phone("about:blank")
    await sender.route(f"**/pages/{module}.js", missing)
    await sender.route("**/sender", missing.head)
    await sender.goto(local_sender_link(server))
    await mark(sender)
    await phase(receiver, "live")
    await expect(sender.locator("#loading")).to_be_visible()
    await picture_moves(receiver)
    missing.over = True
    await phase(sender, "live")
    await expect(sender.locator("#loading")).to_be_hidden()
    await picture_moves(receiver)
    assert await is_marked(sender)


async def test_what_watches_the_network_is_asked_for_again(
    server: SignalingServer, patient: Pages
) -> None:
    """If it did not load, it does when the server is back."""
    missing = Failing()
    async with wire(server.local_port) as between:
        sender = await patient.phone("about:blank")
        await sender.route("**/pages/sender/watch.js", missing)
        await sender.goto(between.link("sender", server))
        await missing.failed()
        missing.over = True
        async with sender.expect_response("**/pages/sender/watch.js"):
            between.cut()
        await patient.close()


@pytest.mark.parametrize("module", ["receiver/page", "receiver/tile"])
async def test_the_receiver_page_comes_when_its_missing_part_does(
    server: SignalingServer, patient: Pages, module: str
) -> None:
    """Nobody has to reload it by hand."""
    missing = Failing()
    receiver = await patient.laptop("about:blank")
    await receiver.route(f"**/pages/{module}.js", missing)
    await receiver.goto(server.receiver_link)
    await expect(receiver.locator("#loading")).to_be_visible()
    missing.over = True
    await phase(receiver, "idle")
    await expect(receiver.locator("#loading")).to_be_hidden()


async def test_a_page_reloads_if_the_browser_does_not_ask_again(
    server: SignalingServer, patient: Pages
) -> None:
    """If the server answers and the module still fails, the page reloads, but only once."""
    missing = Failing()
    receiver = await patient.laptop("about:blank")
    await receiver.route("**/pages/receiver/page.js", missing)
    await receiver.goto(server.receiver_link)
    await mark(receiver)
    async with receiver.expect_navigation():
        await missing.failed()
    assert not await is_marked(receiver)
    await mark(receiver)
    for _ in range(8):
        await missing.failed()
    missing.over = True
    await phase(receiver, "idle")
    assert await is_marked(receiver)


@pytest.mark.parametrize(
    ("role", "module"), [("sender", "lib/signaling/signaling"), ("receiver", "lib/page/loading")]
)
async def test_a_page_of_which_nothing_runs_says_so(
    server: SignalingServer, patient: Pages, role: str, module: str
) -> None:
    """That needs no script, and it is gone as soon as one runs."""
    missing = Failing()
    link = {"sender": local_sender_link(server), "receiver": server.receiver_link}[role]
    page = await patient.phone("about:blank")
    await page.route(f"**/pages/{module}.js", missing)
    await page.goto(link)
    await expect(page.locator("#unloaded")).to_be_visible()
    missing.over = True
    await page.reload()
    await page.wait_for_selector("html[data-phase]")
    await expect(page.locator("#unloaded")).to_have_css("display", "none")
