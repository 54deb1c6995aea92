"""The connection check on both pages: what it says about real relays, and about none."""

import contextlib
import dataclasses
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from signaling.config import Config, Turn, load
from signaling.server import SignalingServer
from tests.browser.pages import Pages, phase
from tests.running_server import running_server
from tests.turn.coturn_server import (
    RunningCoturn,
    credentials_for,
    needs_turnserver,
    running_coturn,
)

CHECKED = 15_000  # A check takes 8 s at most.
RELAYS = ("relay-udp", "relay-tcp")
COPY = """() => {
    window.copied = "";
    navigator.clipboard.writeText = async (text) => { window.copied = text; };
}"""

KEEP_CREDENTIALS = """
    window.credentials = [];
    const { parse } = JSON;
    JSON.parse = (text) => {
        const value = parse(text);
        for (const { username, credential } of value?.turnConfig?.iceServers ?? []) {
            window.credentials.push([username, credential]);
        }
        return value;
    };
"""

LOADED = """() => performance.getEntriesByType("resource").some(
    ({ name, responseEnd }) => name.endsWith("/pages/lib/check/servers.js") && responseEnd > 0
)"""
"""The check has been loaded, so it works without the server."""


def row(page: Page, name: str) -> Locator:
    """One line of the list."""
    return page.locator(f'.check-row[data-check="{name}"]')


async def check(page: Page) -> None:
    """Open the check by the first visible button, and wait until it is done."""
    await page.locator(".check-open:visible").first.click()
    await done(page)


async def done(page: Page) -> None:
    """Wait until the check is done."""
    await expect(page.locator("#check")).to_have_attribute("data-check", "done", timeout=CHECKED)


async def found(page: Page, name: str, status: str, words: str) -> None:
    """Wait for a line's status, and for words in its sentences."""
    line = row(page, name)
    await expect(line.locator(".check-status")).to_have_text(status)
    await expect(line.locator(".check-words")).to_have_text(re.compile(words))


async def copied(page: Page) -> str:
    """What the Copy button copies."""
    await page.evaluate(COPY)
    await page.locator("#check").get_by_role("button", name="Copy result").click()
    await expect(page.locator("#check").get_by_role("button", name="Copied")).to_be_visible()
    return str(await page.evaluate("window.copied"))


def static(tmp_path: Path, *servers: dict[str, Any]) -> Config:
    """A configuration with ICE servers as they are."""
    file = tmp_path / "config.yaml"
    file.write_text(f"turn: {{mode: static, ice_servers: {json.dumps(servers)}}}")
    return load(file)


@contextlib.asynccontextmanager
async def with_coturn(tmp_path: Path) -> AsyncIterator[tuple[SignalingServer, RunningCoturn]]:
    """A server that gives out credentials for a running coturn."""
    async with running_coturn(tmp_path / "coturn") as coturn:
        file = tmp_path / "config.yaml"
        file.write_text("\n".join(coturn.config_lines()))
        async with running_server(load(file), tmp_path / "state") as server:
            yield server, coturn


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody answers, over UDP and TCP, and that nobody else can take."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        yield tcp.getsockname()[1]


@needs_turnserver
@pytest.mark.parametrize("which", ["sender", "receiver"])
async def test_all_is_well_with_a_relay_that_works(
    tmp_path: Path, pages: Pages, which: str
) -> None:
    """Every line says OK, and the relay's lines say how long data took through it and back."""
    async with with_coturn(tmp_path) as (server, coturn):
        if which == "sender":
            page = await pages.sender(server, script=KEEP_CREDENTIALS)
            await phase(page, "connecting")
            await page.locator("#settings").click()
        else:
            page = await pages.receiver(server, script=KEEP_CREDENTIALS)
            await phase(page, "idle")
        await check(page)
        await found(page, "secure", "OK", "trusts")
        await found(page, "socket", "OK", r"Opened in .*ms\. This page is in its room")
        await found(page, "stun", "OK", "answered")
        for relay in RELAYS:
            await found(page, relay, "OK", r"data took (\d+|less than 1) ms")
        camera = row(page, "camera")
        if which == "sender":
            await found(page, "camera", "OK", r"Allowed, and on\. This device has 3 cameras")
        else:
            await expect(camera).to_have_count(0)
        await expect(row(page, "relay-tls")).to_have_count(0)
        await expect(page.locator(".check-summary")).to_have_text("Done. No problems found.")
        report = await copied(page)
        assert f"Lenscast connection check, {which} page" in report
        assert re.search(r"^Relay over UDP: OK\. ", report, re.MULTILINE)
        room, _, key = server.receiver_link.partition("#")[2].partition(".")
        phone_key = server.sender_link.rpartition(".")[2]
        [credentials] = await page.evaluate("window.credentials")
        for secret in (
            key,
            phone_key,
            *credentials,
            room,
            coturn.secret,
            str(coturn.port),
            "candidate:",
            "a=ice",
        ):
            assert secret not in report
        await pages.close()


@pytest.mark.parametrize("which", ["sender", "receiver"])
async def test_all_is_well_with_the_embedded_relay(
    server: SignalingServer, pages: Pages, which: str
) -> None:
    """By default, and while video is live, the server's own relay works over UDP and TCP."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server)
    await phase(receiver, "live")
    await phase(sender, "live")
    page = sender if which == "sender" else receiver
    if which == "sender":
        await page.locator("#settings").click()
    else:
        await page.mouse.move(100, 100)
        await page.locator("#invite").press("Enter")
    await check(page)
    await found(page, "stun", "OK", "answered")
    for relay in RELAYS:
        await found(page, relay, "OK", r"data took (\d+|less than 1) ms")
    await expect(page.locator("html")).to_have_attribute("data-phase", "live")


@needs_turnserver
async def test_wrong_credentials(tmp_path: Path, pages: Pages) -> None:
    """If a relay refuses the password, the line says so and who can fix it; STUN still works."""
    async with running_coturn(tmp_path / "coturn") as coturn:
        user = credentials_for(coturn, "someone").username
        config = static(
            tmp_path,
            {"urls": list(coturn.urls), "username": user, "credential": "not-the-password"},
        )
        async with running_server(config, tmp_path / "state") as server:
            page = await pages.receiver(server)
            await phase(page, "idle")
            await check(page)
            for relay in RELAYS:
                await found(page, relay, "Not OK", r"refused the user name.*\(401\).*config\.yaml")
            await found(page, "stun", "OK", "answered")
            await expect(page.locator(".check-summary")).to_have_text(
                "Done. Look at: Relay over UDP, Relay over TCP."
            )
            report = await copied(page)
            assert "not-the-password" not in report
            assert user not in report
            await pages.close()


async def test_a_relay_that_nobody_runs(tmp_path: Path, pages: Pages) -> None:
    """The line says within the time limit that nothing answered, and the likely causes."""
    with closed_port() as port:
        urls = [f"turn:127.0.0.1:{port}?transport={transport}" for transport in ("udp", "tcp")]
        urls.append(f"turns:127.0.0.1:{port}?transport=tcp")
        config = static(tmp_path, {"urls": urls, "username": "u", "credential": "c"})
        async with running_server(config, tmp_path / "state") as server:
            page = await pages.receiver(server)
            await phase(page, "idle")
            await check(page)
            for relay in (*RELAYS, "relay-tls"):
                await found(page, relay, "Not OK", "did not answer.*not running.*firewall")
            await found(page, "stun", "Not OK", "did not answer.*firewall blocks UDP")
            await pages.close()


@needs_turnserver
async def test_one_of_two_relays(tmp_path: Path, pages: Pages) -> None:
    """One that works is enough; the line says that another does not."""
    async with running_coturn(tmp_path / "coturn") as coturn:
        credentials = credentials_for(coturn, "someone")
        with closed_port() as port:
            config = static(
                tmp_path,
                *(
                    {
                        "urls": f"turn:127.0.0.1:{number}?transport=tcp",
                        "username": credentials.username,
                        "credential": credentials.password,
                    }
                    for number in (port, coturn.port)
                ),
            )
            async with running_server(config, tmp_path / "state") as server:
                page = await pages.receiver(server)
                await phase(page, "idle")
                await check(page)
                await found(page, "relay-tcp", "OK", r"data took .*\(1 of 2 servers\)")
                await pages.close()


async def test_no_turn_is_no_error(tmp_path: Path, pages: Pages) -> None:
    """Without STUN and TURN, the lines say what that means, and none is a problem."""
    config = dataclasses.replace(Config(), turn=Turn(mode="none"))
    async with running_server(config, tmp_path) as server:
        page = await pages.receiver(server)
        await phase(page, "idle")
        await check(page)
        await found(page, "stun", "Not set up", "No STUN server is set up.*same network")
        await found(page, "relay-udp", "Not set up", "No such relay is set up.*directly")
        await found(page, "relay-tcp", "Not set up", "No such relay is set up.*blocks UDP")
        await expect(page.locator(".check-summary")).to_have_text("Done. No problems found.")
        await pages.close()


async def test_a_page_that_was_not_let_in(server: SignalingServer, pages: Pages) -> None:
    """With a bad link, the line has the server's own sentence, and no relay is blamed."""
    page = await pages.phone(f"http://127.0.0.1:{server.local_port}/sender#abc.no-such-key")
    await phase(page, "error")
    await check(page)
    await found(page, "socket", "Not OK", "does not let this page in: .+ scan the QR code")
    for name in ("stun", *RELAYS):
        await found(page, name, "Not checked", "only to a page that is connected")
    assert "no-such-key" not in await copied(page)


async def test_while_the_server_is_away(tmp_path: Path, pages: Pages) -> None:
    """While the pages reconnect, the check works, and says that the server does not answer."""
    async with running_server(Config(), tmp_path) as server:
        receiver = await pages.receiver(server)
        sender = await pages.sender(server)
        await phase(receiver, "live")
        await phase(sender, "live")
        await sender.wait_for_function(LOADED)
    for page in (receiver, sender):
        await phase(page, "reconnecting")
    await sender.locator("#settings").click()
    for page in (receiver, sender):
        await check(page)
        await found(page, "socket", "Not OK", "no longer answers.*still running")
    # While the server is away, each attempt of a page writes an error to its console.
    await pages.close()
    pages.complaints[:] = [c for c in pages.complaints if "ERR_" not in c]


async def test_a_websocket_that_never_opens(server: SignalingServer, pages: Pages) -> None:
    """If HTTP fails too, as with a refused certificate, the page links to /trust, in a new tab."""
    blocked = """window.WebSocket = window.EventSource = class {
        constructor() { throw new DOMException("", "SecurityError"); }
    };"""
    page = await pages.phone(
        server.sender_link, allowed=False, script=blocked, ignore_https_errors=True
    )
    await expect(page.locator("#blocked")).to_be_visible()
    assert await page.locator("#blocked a").get_attribute("target") == "_blank"
    await check(page)
    await found(page, "socket", "Not OK", "no WebSocket could be opened.*iPhone")
    link = row(page, "socket").locator("a")
    assert await link.get_attribute("href") == "/trust"
    assert await link.get_attribute("target") == "_blank"


async def test_a_camera_that_is_not_allowed(server: SignalingServer, pages: Pages) -> None:
    """On the screen of a refused camera, the check says so, and what to do."""
    refused = (
        "navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('', 'NotAllowedError'));"
    )
    page = await pages.sender(server, script=refused)
    await phase(page, "error")
    await check(page)
    await found(page, "camera", "Not OK", "does not allow this page to use the camera.*Allow")


async def test_by_keyboard(server: SignalingServer, pages: Pages) -> None:
    """Enter opens it and runs it again; Escape closes it and gives the focus back."""
    page = await pages.receiver(server)
    await phase(page, "idle")
    opener = page.locator("#waiting .check-open:visible")
    await opener.press("Enter")
    await done(page)
    again = page.locator("#check").get_by_role("button", name="Run again")
    await again.press("Enter")
    await done(page)
    await page.keyboard.press("Escape")
    await expect(page.locator("#check")).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_without_a_clipboard(server: SignalingServer, pages: Pages) -> None:
    """If the browser refuses the clipboard, the report is shown and selected."""
    page = await pages.receiver(server)
    await phase(page, "idle")
    await check(page)
    await page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    await page.locator("#check").get_by_role("button", name="Copy result").click()
    box = page.locator(".check-text")
    await expect(box).to_be_visible()
    await expect(box).to_have_value(re.compile("^Lenscast connection check, receiver page"))
    assert "Server (WebSocket): OK" in await page.evaluate("getSelection().toString()")


async def test_the_icon_is_served(server: SignalingServer, pages: Pages) -> None:
    """The pages' icon is an SVG document that their own policy allows."""
    page = await pages.receiver(server)
    source = await page.locator('link[rel="icon"]').get_attribute("href")
    assert source
    assert source.endswith("/pages/lib/page/icon.svg")
    size = await page.evaluate(
        """(source) => new Promise((resolve, reject) => {
            const image = new Image();
            image.onload = () => resolve(image.naturalWidth);
            image.onerror = () => reject(new Error("not loaded"));
            image.src = source;
        })""",
        source,
    )
    assert size > 0
