"""If something on the way blocks WebSockets, the pages talk to the server over HTTP."""

import dataclasses
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from signaling.config import Config, Limits
from signaling.server import SignalingServer
from tests.browser.pages import KEEPS_CONNECTIONS, SECONDS, Pages, phase, picture_moves
from tests.browser.wire import wire
from tests.running_server import running_server

# Records what both pages receive, over a WebSocket or HTTP.
SPY = (
    KEEPS_CONNECTIONS
    + """
    window.heard = [];
    window.sockets = [];
    window.blocked = false;
    const Original = window.WebSocket;
    window.WebSocket = class extends Original {
        constructor(...options) {
            if (window.blocked) {
                window.refused ??= performance.now();
                throw new DOMException("blocked", "SecurityError");
            }
            super(...options);
            sockets.push(this);
            this.addEventListener("message", ({ data }) => heard.push(JSON.parse(data)));
        }
    };
    window.EventSource = class extends EventSource {
        constructor(...options) {
            super(...options);
            this.addEventListener("message", ({ data }) => heard.push(JSON.parse(data)));
        }
    };
"""
)
# What happens to a WebSocket: the browser refuses it, the network does, nothing happens, or it
# opens and nothing gets through.
REFUSED = SPY + "window.blocked = true;"
FAILING = """
    window.WebSocket = class extends EventTarget {
        constructor() {
            super();
            setTimeout(() => this.onclose?.({ code: 1006 }), 20);
        }
        close() {}
    };
"""
SILENT = """
    window.WebSocket = class extends EventTarget {
        close() {}
    };
"""
SWALLOWING = """
    window.WebSocket = class extends EventTarget {
        constructor() {
            super();
            setTimeout(() => this.onopen?.(), 20);
        }
        send() {}
        close() {}
    };
"""
OPEN_TIMEOUT = 3_000  # What signaling.js gives a WebSocket to open, in milliseconds.
REGISTERED = "() => heard.filter(({ type }) => type === 'registered')"


async def requests(page: Page) -> int:
    """How many messages a page has sent over HTTP."""
    count: int = await page.evaluate(
        "() => performance.getEntriesByType('resource')"
        ".filter(({ name }) => name.endsWith('/send')).length"
    )
    return count


@pytest.mark.parametrize(
    "script",
    [REFUSED, FAILING, SILENT, SWALLOWING],
    ids=["refused", "failing", "silent", "swallowing"],
)
async def test_no_websocket_from_the_start(
    server: SignalingServer, pages: Pages, script: str
) -> None:
    """The picture arrives anyway, and both pages say goodbye when they are closed."""
    receiver = await pages.receiver(server, script=script)
    await phase(receiver, "idle")
    sender = await pages.sender(server, script=script)
    await phase(sender, "live")
    await phase(receiver, "live")
    await picture_moves(receiver)
    assert await requests(sender) > 0
    assert await requests(receiver) > 0
    await sender.goto("about:blank")
    # At once: for a sender that is only cut off, the page would wait.
    await phase(receiver, "idle")
    await expect(receiver.locator("#grid .tile")).to_have_count(0)


async def test_a_refusal_is_not_waited_for(server: SignalingServer, pages: Pages) -> None:
    """If the browser refuses the WebSocket, the page does not wait for it to open."""
    receiver = await pages.receiver(server, script=REFUSED)
    await phase(receiver, "idle")
    waited = await receiver.evaluate(
        "() => performance.getEntriesByType('resource')"
        ".find(({ name }) => name.endsWith('/send')).startTime - refused"
    )
    assert waited < OPEN_TIMEOUT


async def test_websockets_that_are_blocked_in_mid_stream(
    server: SignalingServer, pages: Pages
) -> None:
    """Both pages continue over HTTP with the same ids, and the picture keeps playing."""
    async with wire(server.local_port) as between:
        receiver = await pages.laptop(between.link("receiver", server), script=SPY)
        sender = await pages.phone(between.link("sender", server), script=SPY)
        await phase(receiver, "live")
        await phase(sender, "live")
        await picture_moves(receiver)
        for page in (sender, receiver):
            await page.evaluate("() => { blocked = true; }")
        between.cut()
        for page in (sender, receiver):
            await page.wait_for_function(f"() => ({REGISTERED})().length > 1", timeout=SECONDS)
            first, second = await page.evaluate(REGISTERED)
            assert second["resumed"] is True
            assert second["id"] == first["id"]
            await phase(page, "live")
            assert await page.evaluate("connections.length") == 1
        await picture_moves(receiver)
        # Requests to the camera go over HTTP now.
        await receiver.locator("#quality").select_option("low")
        await receiver.wait_for_function(
            "() => document.querySelector('video').videoWidth === 640", timeout=SECONDS
        )
        await pages.close()
    pages.complaints[:] = [c for c in pages.complaints if "ERR_" not in c]


# Nothing more comes from the stream that is `deaf`, not even its end.
DEAF = (
    REFUSED
    + """
    window.EventSource = class extends EventSource {
        constructor(...options) {
            super(...options);
            window.stream = this;
        }
        addEventListener(name, listener) {
            super.addEventListener(name, (event) => this === window.deaf || listener(event));
        }
    };
"""
)


async def test_a_stream_that_dies_without_a_word(tmp_path: Path, pages: Pages) -> None:
    """A page that receives nothing more, not even a heartbeat, reconnects with the same id."""
    settings = dataclasses.replace(Config(), limits=dataclasses.replace(Limits(), ping_seconds=1))
    async with running_server(settings, tmp_path) as server:
        receiver = await pages.receiver(server, script=DEAF)
        await receiver.wait_for_function(f"() => ({REGISTERED})().length > 0", timeout=SECONDS)
        await receiver.evaluate("() => { deaf = stream; }")
        await receiver.wait_for_function(f"() => ({REGISTERED})().length > 1", timeout=SECONDS)
        first, second = (await receiver.evaluate(REGISTERED))[:2]
        assert second["resumed"] is True
        assert second["id"] == first["id"]
        await pages.close()


# A stream that the test controls, and the module that reads it; `ended` holds the close codes.
STREAM = """async () => {
    const { HttpTransport } = await import("/pages/lib/signaling/http.js");
    window.EventSource = class extends EventTarget {
        constructor() {
            super();
            window.stream = this;
        }
        close() {}
    };
    window.say = (event, data) => stream.dispatchEvent(new MessageEvent(event, { data }));
    window.ended = [];
    const nothing = () => {};
    const closed = (code) => ended.push(code);
    new HttpTransport().open({ opened: nothing, message: nothing, closed });
    say("open", '{"session": "", "ping": 15}');
}"""


@pytest.mark.parametrize(("event", "data"), [("ping", "{}"), ("message", "{}")])
async def test_whatever_comes_keeps_a_stream(
    server: SignalingServer, pages: Pages, event: str, data: str
) -> None:
    """After three missed heartbeats, counted from the last event of any kind, it is given up."""
    page = await pages.receiver(server)
    await page.clock.install()
    await page.evaluate(STREAM)
    for _ in range(3):
        await page.clock.fast_forward(30_000)
        assert await page.evaluate("ended") == []
        await page.evaluate("([event, data]) => say(event, data)", [event, data])
    await page.clock.fast_forward(45_000)
    assert await page.evaluate("ended") == [1006]
