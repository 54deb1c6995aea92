"""A hostile page of another site, in real browsers, against a server that somebody is using."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, url

from signaling.server import SignalingServer
from tests.browser.firefox import FIREFOX, firefox
from tests.browser.pages import SECONDS
from tests.signaling.transport.client import client

HOSTILE = """<!doctype html><title>another site</title><script>
    const target = "http://127.0.0.1:%d";
    window.sent = 0;
    window.got = [];
    async function flood() {
        for (;;) {
            await fetch(`${target}/events`, { mode: "no-cors" }).then(
                () => got.push("answer"), () => {});
            sent += 1;
        }
    }
    for (let number = 0; number < 6; number += 1) {
        void flood();
    }
    for (const [name, file] of [["script", "names.js"], ["img", "icon.svg"]]) {
        const element = document.createElement(name);
        element.onload = () => got.push(name);
        element.src = `${target}/pages/lib/page/${file}`;
        document.head.append(element);
    }
</script>"""

Evaluate = Callable[[str], Awaitable[Any]]


class PageHandler(RequestHandler):
    """The hostile page."""

    def initialize(self, target: int) -> None:
        self._target = target

    def get(self) -> None:
        self.finish(HOSTILE % self._target)


@contextlib.asynccontextmanager
async def other_site(target: int) -> AsyncIterator[str]:
    """Serve the hostile page from another origin; give its address."""
    web = HTTPServer(Application([url("/", PageHandler, {"target": target})]))
    sockets = bind_sockets(0, "127.0.0.1")
    web.add_sockets(sockets)
    try:
        yield f"http://localhost:{sockets[0].getsockname()[1]}/"
    finally:
        web.stop()
        await web.close_all_connections()


@contextlib.asynccontextmanager
async def in_chromium(browser: Browser, address: str) -> AsyncIterator[Evaluate]:
    """Open a page in Chromium."""
    page = await browser.new_page()
    await page.goto(address)
    yield page.evaluate
    await page.close()


@contextlib.asynccontextmanager
async def in_firefox(folder: Path, address: str) -> AsyncIterator[Evaluate]:
    """Open a page in Firefox."""
    async with firefox(folder) as running:
        yield (await running.open(address)).evaluate


@pytest.mark.parametrize("name", ["chromium", "firefox"])
async def test_a_hostile_page_locks_nobody_out(
    browser: Browser, server: SignalingServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """While another site's page sends all it can, every rightful client of this computer gets in,
    and the page learns nothing, not even that Lenscast is running.
    """
    if name == "firefox" and shutil.which(FIREFOX) is None:
        pytest.skip("Firefox is missing: apt-get install firefox-esr")
    async with other_site(server.local_port) as address:
        opened = (
            in_chromium(browser, address)
            if name == "chromium"
            else in_firefox(tmp_path_factory.mktemp("firefox"), address)
        )
        async with opened as evaluate, asyncio.timeout(SECONDS / 1000):
            while await evaluate("() => window.sent") < 200:
                await asyncio.sleep(0.05)
            _, _, secret = server.receiver_link.partition("#")
            room, _, key = secret.partition(".")
            for _ in range(19):
                async with client(server.receiver_link) as peer:
                    await peer.register("receiver", room=room, key=key)
            assert await evaluate("() => window.got") == []
