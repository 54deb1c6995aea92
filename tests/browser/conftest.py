"""Real Chromium for the tests: one browser for each process, a context for each page."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from signaling.config import Config, Preset, Video
from signaling.server import SignalingServer
from tests.browser.pages import CHROMIUM, Pages, launch
from tests.running_server import running_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests if Chromium is missing, and say so."""
    if shutil.which(CHROMIUM):
        return
    skip = pytest.mark.skip(reason="Chromium is missing: apt-get install chromium")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@pytest_asyncio.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """The library that drives the browsers."""
    async with async_playwright() as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def browser(playwright: Playwright) -> AsyncIterator[Browser]:
    """One headless Chromium with fake cameras and a fake microphone."""
    browser = await launch(playwright)
    yield browser
    await browser.close()


@pytest_asyncio.fixture
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[SignalingServer]:
    """A server with the default configuration, on free ports.

    Tests that are not about the picture's quality get a small one: to encode 720p takes most of
    the time of a machine without a video encoder. The mark `full_size` says otherwise.
    """
    full_size = request.node.get_closest_marker("full_size")
    async with running_server(Config() if full_size else _small(), tmp_path) as running:
        yield running


def _small() -> Config:
    presets = Video().presets | {"high": Preset("High", 640, 360, 15, 500_000)}
    return Config(video=Video(presets=presets))


@pytest_asyncio.fixture
async def pages(browser: Browser) -> AsyncIterator[Pages]:
    """Opens pages, closes them at the end, and fails if a console showed an error."""
    opened = Pages(browser)
    try:
        yield opened
    finally:
        await opened.close()
    assert opened.complaints == []
