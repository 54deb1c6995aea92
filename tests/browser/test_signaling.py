"""The pages' connection to the server: the limits it keeps to, and when it does not come back."""

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from signaling.server import SignalingServer
from tests.browser.pages import Pages

# A server of the test's own behind `Signaling`: `sockets` are the connections that the page opened,
# `sent` what it sent through the last one, `events` what the page was told.
SERVER = """
    window.sockets = [];
    window.sent = [];
    window.WebSocket = class {
        constructor() {
            sockets.push(this);
            sent.length = 0;
            setTimeout(() => this.onopen?.());
        }
        send(text) {
            sent.push(JSON.parse(text));
        }
        close() {}
    };
    window.say = (message) => sockets.at(-1).onmessage({ data: JSON.stringify(message) });
    window.end = (code, reason) => sockets.at(-1).onclose({ code, reason });
"""
OPEN = """async (options) => {
    const { Signaling } = await import("/pages/lib/signaling/signaling.js");
    window.events = [];
    window.signaling = new Signaling(options, {
        registered: (message) => events.push(message),
        message: (message) => events.push(message),
        refused: (code, _sentence, final) => events.push({ code, final }),
        reconnecting: (attempt) => events.push({ attempt }),
    });
    sockets.length = 0;
    signaling.open();
}"""
REGISTERED: dict[str, Any] = {
    "type": "registered",
    "role": "receiver",
    "id": "me",
    "resume": "token",
    "turnConfig": {"iceServers": []},
}
LONG = 60_000
"""Longer than any delay before a page tries again, in milliseconds."""


@pytest_asyncio.fixture
async def page(server: SignalingServer, pages: Pages) -> Page:
    """An empty page of the server, whose clock stands still."""
    opened = await pages.laptop("about:blank", script=SERVER)
    address = f"http://127.0.0.1:{server.local_port}/empty"
    await opened.route(address, lambda route: route.fulfill(body="", content_type="text/html"))
    await opened.clock.install()
    await opened.goto(address)
    await opened.clock.pause_at(4_000_000_000)
    return opened


async def register(page: Page, *, told: dict[str, Any] = REGISTERED, **options: Any) -> Any:
    """Open a connection and have it registered; give the page's `register`."""
    await page.evaluate(OPEN, {"role": "receiver"} | options)
    return await answer(page, told)


async def answer(page: Page, told: dict[str, Any] = REGISTERED) -> Any:
    """Answer the page's `register`, and give it."""
    await page.clock.run_for(1)
    message = await page.evaluate("sent[0]")
    await page.evaluate("(told) => say(told)", told)
    return message


@pytest.mark.parametrize("reason", ["removed", "ended"])
async def test_a_page_that_is_put_out_does_not_come_back(page: Page, reason: str) -> None:
    """Close code 4003 is final: the page hears the reason as a refusal, and tries no more."""
    await register(page)
    await page.evaluate("(reason) => end(4003, reason)", reason)
    await page.clock.run_for(LONG)
    assert await page.evaluate("events.slice(1)") == [{"code": reason, "final": True}]
    assert await page.evaluate("sockets.length") == 1


async def test_a_page_is_put_out_while_it_registers(page: Page) -> None:
    """4003 is final before `registered` too."""
    await page.evaluate(OPEN, {"role": "receiver"})
    await page.evaluate("end(4003, 'removed')")
    await page.clock.run_for(LONG)
    assert await page.evaluate("events") == [{"code": "removed", "final": True}]
    assert await page.evaluate("sockets.length") == 1


async def test_a_connection_that_is_lost_comes_back(page: Page) -> None:
    """Any other end is followed by another attempt, with the token of the last registration."""
    await register(page)
    await page.evaluate("end(1006, '')")
    await page.clock.run_for(1000)
    again = await answer(page, REGISTERED | {"resumed": True})
    assert again == {"type": "register", "role": "receiver", "resume": "token"}
    assert await page.evaluate("events.at(-1).resumed") is True


async def test_a_room_type_is_named(page: Page) -> None:
    """`register` carries the room type that a page gives, and nothing that it does not."""
    message = await register(page, roomType="meeting", name="Ada")
    assert message == {
        "type": "register",
        "role": "receiver",
        "roomType": "meeting",
        "name": "Ada",
    }


async def test_what_was_heard_is_told_when_a_page_comes_back(page: Page) -> None:
    """The server then sends only what the page has missed."""
    await register(page)
    words = {"type": "say", "kind": "chat", "body": "Hello", "from": "you", "at": 1, "n": 7}
    await page.evaluate("(words) => say(words)", words)
    await page.evaluate("end(1006, '')")
    await page.clock.run_for(1000)
    assert (await answer(page))["heard"] == 7


CANDIDATES = """(count) => {
    for (let n = 0; n < count; n++) {
        signaling.send({ type: "ice-candidate", candidate: null, to: String(n) });
    }
}"""


@pytest.mark.parametrize(
    ("limits", "at_once", "in_a_second"),
    [({}, 50, 18), ({"limits": {"resume": 45, "rate": 100, "burst": 12}}, 10, 90)],
    ids=["not told", "told"],
)
async def test_a_page_stays_below_the_limits_of_the_server(
    page: Page, limits: dict[str, Any], at_once: int, in_a_second: int
) -> None:
    """It sends a little less than the server takes, at once and in a second, and in order."""
    await register(page, told=REGISTERED | limits)
    await page.evaluate(CANDIDATES, 400)
    assert await page.evaluate("sent.length") == at_once
    await page.clock.run_for(2000)
    more = await page.evaluate("sent.length") - at_once
    assert 2 * in_a_second - 3 <= more <= 2 * in_a_second
    assert await page.evaluate("sent.slice(1).every(({ to }, n) => Number(to) === n)")


async def test_pages_know_how_long_a_place_is_kept(page: Page) -> None:
    """What the server does not tell of its limits is what older ones had."""
    await register(page, told=REGISTERED | {"limits": {"resume": 7}})
    assert await page.evaluate("events[0].limits") == {"resume": 7, "rate": 20, "burst": 60}
