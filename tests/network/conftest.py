"""Skips these tests if there can be no namespaces, and starts what drives the browsers."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Playwright, async_playwright

from tests.browser.pages import CHROMIUM
from tests.network import hosts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests, and say why, if root or a tool is missing."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    reason = hosts.missing() if here else None
    if reason:
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))
    elif not shutil.which(CHROMIUM):
        for item in here:
            if "playwright" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is missing"))


@pytest_asyncio.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """The library that drives the browsers."""
    async with async_playwright() as running:
        yield running
