"""What a page of another site can make a browser send here, and what that uses up."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from signaling.config import Config, Limits
from tests.running_server import running_server
from tests.signaling.transport.client import client
from tests.signaling.transport.raw import ask, raw, request

PATHS = [
    "/",
    "/sender",
    "/pages/lib/page/icon.svg",
    "/trust",
    "/healthz",
    "/metrics",
    "/events",
    "/ws",
    "/open/x",
    "/nothing",
]


def fetched(site: str, mode: str, to: str) -> tuple[str, ...]:
    """The headers by which a browser says who sends a request, and for what."""
    return f"Sec-Fetch-Site: {site}", f"Sec-Fetch-Mode: {mode}", f"Sec-Fetch-Dest: {to}"


@pytest.mark.parametrize(
    "headers",
    [
        fetched("cross-site", "no-cors", "empty"),
        fetched("cross-site", "no-cors", "script"),
        fetched("cross-site", "no-cors", "image"),
        fetched("cross-site", "navigate", "iframe"),
        fetched("same-site", "cors", "empty"),
        fetched("cross-site", "websocket", "empty"),
        ("Origin: https://evil.example",),
        ("Origin: null",),
    ],
)
async def test_other_sites_get_nothing(tmp_path: Path, headers: tuple[str, ...]) -> None:
    """On every path a request of another site's page is refused, and its browser shows the page
    nothing of the answer.
    """
    async with running_server(Config(access="open"), tmp_path) as server:
        for path in PATHS:
            code, found, body = await ask(server.local_port, request(path, *headers))
            assert (path, code) == (path, 403)
            assert b"another site" in body
            assert found["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
async def test_a_link_may_stand_anywhere(tmp_path: Path, site: str) -> None:
    """A person may follow a link to a page from any other page."""
    async with running_server(Config(access="open"), tmp_path) as server:
        for path in ("/sender", "/receiver", "/trust", "/healthz"):
            message = request(path, *fetched(site, "navigate", "document"))
            assert (path, (await ask(server.local_port, message))[0]) == (path, 200)


async def test_a_link_to_what_scripts_call_leads_nowhere(tmp_path: Path) -> None:
    """A window that another site opens and moves around takes no client's place either."""
    async with running_server(Config(access="open"), tmp_path) as server:
        for path in ("/events", "/ws", "/send", "/bye", "/api/rooms", "/api/qr"):
            message = request(path, *fetched("cross-site", "navigate", "document"))
            assert (path, (await ask(server.local_port, message))[0]) == (path, 403)


async def test_the_pages_of_this_server_get_everything(tmp_path: Path) -> None:
    """Its own requests are answered as those without such headers."""
    async with running_server(Config(access="open"), tmp_path) as server:
        for path in ("/pages/lib/page/icon.svg", "/metrics"):
            message = request(path, *fetched("same-origin", "no-cors", "image"))
            assert (await ask(server.local_port, message))[0] == 200


async def test_what_is_refused_counts_nowhere(tmp_path: Path) -> None:
    """However much another site sends, all rightful clients of the same address get in."""
    limits = dataclasses.replace(Limits(), connections_per_second=20)
    config = dataclasses.replace(Config(access="open"), limits=limits)
    hostile = request("/events", *fetched("cross-site", "no-cors", "empty"))
    hostile = hostile.replace(b"Connection: close\r\n", b"")
    async with running_server(config, tmp_path) as server, raw(server.local_port) as page:
        for _ in range(19):
            page.send(hostile * 5)
            async with client(server.receiver_link) as peer:
                await peer.register("sender")
        assert b"403" in await page.read_until(b"\r\n\r\n")
        assert server.hub.counts().peers <= 19


async def test_its_requests_are_slowed_down_apart(tmp_path: Path) -> None:
    """Another site's requests wait for each other, and nobody waits for them."""
    limits = dataclasses.replace(Limits(), requests_per_second=1)
    config = dataclasses.replace(Config(access="open"), limits=limits)
    hostile = request("/", *fetched("cross-site", "no-cors", "empty"))
    hostile = hostile.replace(b"Connection: close\r\n", b"")
    async with running_server(config, tmp_path) as server, raw(server.local_port) as page:
        page.send(hostile * 20)
        for _ in range(3):
            await page.read_until(b"site.")
        async with asyncio.timeout(20):
            assert (await ask(server.local_port, request("/healthz")))[0] == 200
