"""The statistics panel: its two views, what it exports, the buffer, and what the phone says."""

import csv
import io
import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import CAN_BE_HIDDEN, LAPTOP, PHONE, Pages, figure, phase, picture_moves

TARGETS = """(() => {
    window.targets = [];
    const name = "jitterBufferTarget";
    const { get, set } = Object.getOwnPropertyDescriptor(RTCRtpReceiver.prototype, name);
    Object.defineProperty(RTCRtpReceiver.prototype, name, {
        configurable: true,
        get,
        set(value) {
            window.targets.push([this.track.kind, value]);
            set.call(this, value);
        },
    });
})();"""

# When a line was drawn, which fills its element again; `drawn` is called right after.
DRAWINGS = """() => {
    window.drawings = [];
    new MutationObserver(() => {
        drawings.push(performance.now());
        window.drawn?.();
    }).observe(document.querySelector('[data-line="loss"]'), { childList: true });
}"""
# Longer than between two readings: 45 frames of 30 a second.
FRAMES_LATER = """() => new Promise((resolve) => {
    const video = document.querySelector("video");
    let left = 45;
    const seen = () => (--left ? video.requestVideoFrameCallback(seen) : resolve());
    video.requestVideoFrameCallback(seen);
})"""


async def live(server: SignalingServer, pages: Pages, **options: Any) -> tuple[Page, Page]:
    """Both pages, with the picture there."""
    receiver = await pages.receiver(server, **options)
    sender = await pages.sender(server)
    await phase(receiver, "live")
    await picture_moves(receiver)
    return sender, receiver


async def set_buffer(receiver: Page, value: int) -> None:
    """Move the slider, as a hand does."""
    await receiver.locator(".stats-buffer input").fill(str(value))


async def test_the_full_view_has_everything(server: SignalingServer, pages: Pages) -> None:
    """More shows causes and lines; Less and Shift + s hide them again."""
    _sender, receiver = await live(server, pages)
    freezes = receiver.locator('[data-stat="freezes"]')
    await expect(freezes).to_be_hidden()
    await receiver.locator(".stats-detail").click()
    await expect(freezes).to_be_visible()
    await figure(receiver, "freezes", r"^\d+")
    await figure(receiver, "decode", r"^[\d.]+ ms$")
    await figure(receiver, "buffer", r"^(< )?\d+ ms$")
    await figure(receiver, "repeats", r"^\d+ / \d+$")
    await figure(receiver, "local", r"^\w+, UDP$")
    await figure(receiver, "remote", r"^\w+, UDP$")
    for name in ("bitrate", "frameRate", "loss", "roundTrip"):
        line = receiver.locator(f'[data-line="{name}"] polyline').first
        await expect(line).to_have_attribute("points", re.compile(r"^[\d.]+,[\d.]+ "))
    await receiver.keyboard.press("Shift+S")
    await expect(freezes).to_be_hidden()
    await expect(receiver.locator('[data-stat="bitrate"]')).to_be_visible()


async def test_the_phone_tells_how_sending_goes(server: SignalingServer, pages: Pages) -> None:
    """The panel shows why the phone sends less, and how long encoding takes."""
    _sender, receiver = await live(server, pages)
    await figure(receiver, "limitation", "^(none|network|processor|other)$")
    await figure(receiver, "encode", r"^[\d.]+ ms$")


async def test_nothing_is_read_or_drawn_while_hidden(server: SignalingServer, pages: Pages) -> None:
    """While the panel is off, no statistics are read; when it is on again, they are."""
    _sender, receiver = await live(server, pages)
    await figure(receiver, "bitrate", "bit/s$")
    await receiver.keyboard.press("s")
    await expect(receiver.locator(".stats")).to_be_hidden()
    await receiver.evaluate(
        """() => {
            window.readings = 0;
            const original = RTCPeerConnection.prototype.getStats;
            RTCPeerConnection.prototype.getStats = function (...all) {
                window.readings += 1;
                return original.apply(this, all);
            };
        }"""
    )
    await receiver.evaluate(FRAMES_LATER)
    assert await receiver.evaluate("() => window.readings") == 0
    await receiver.keyboard.press("s")
    await receiver.wait_for_function("() => window.readings > 0")


async def test_a_hidden_page_draws_nothing(server: SignalingServer, pages: Pages) -> None:
    """While the page is hidden, no line is drawn; when it is visible again, they are."""
    _sender, receiver = await live(server, pages, script=CAN_BE_HIDDEN)
    await receiver.locator(".stats-detail").click()
    await receiver.evaluate(DRAWINGS)
    # Right after a drawing, so that none is under way.
    await receiver.evaluate(
        """() => {
            window.drawn = () => {
                window.drawn = null;
                setHidden(true);
            };
        }"""
    )
    await receiver.wait_for_function("() => window.drawn === null")
    before = await receiver.evaluate("drawings.length")
    await receiver.evaluate(FRAMES_LATER)
    assert await receiver.evaluate("drawings.length") == before
    await receiver.evaluate("setHidden(false)")
    await receiver.wait_for_function("(before) => drawings.length > before", arg=before)


async def test_lines_are_drawn_once_a_second(server: SignalingServer, pages: Pages) -> None:
    """At most sixty times a minute, whatever else changes on the page."""
    _sender, receiver = await live(server, pages)
    await receiver.locator(".stats-detail").click()
    await receiver.evaluate(DRAWINGS)
    for count in range(1, 7):
        await receiver.wait_for_function("(count) => drawings.length >= count", arg=count)
        await receiver.keyboard.press("m")
    drawings = await receiver.evaluate("drawings")
    seconds = (drawings[-1] - drawings[0]) / 1000
    # The first stands for the second that it begins; one more may be late or early.
    assert len(drawings) - 1 <= seconds + 1


async def test_the_figures_are_copied_as_json(server: SignalingServer, pages: Pages) -> None:
    """The clipboard has the figures: numbers, and null for what is not known."""
    _sender, receiver = await live(server, pages, permissions=["clipboard-read", "clipboard-write"])
    await figure(receiver, "bitrate", "bit/s$")
    await receiver.locator(".stats-detail").click()
    await receiver.locator(".stats-copy").click()
    await expect(receiver.locator(".stats-copy")).to_have_text("Copied")
    copied = json.loads(await receiver.evaluate("() => navigator.clipboard.readText()"))
    assert copied["camera"]
    last = copied["rows"][-1]
    assert (last["width"], last["height"], last["path"]) == (640, 360, "direct")
    assert last["bitrate"] > 0
    assert "captureToDisplay" in last
    await expect(receiver.locator(".stats-copy")).to_have_text("Copy JSON")


async def test_the_figures_are_saved_as_csv(server: SignalingServer, pages: Pages) -> None:
    """A table with a row for each second."""
    _sender, receiver = await live(server, pages)
    await figure(receiver, "bitrate", "bit/s$")
    await receiver.locator(".stats-detail").click()
    async with receiver.expect_download() as saving:
        await receiver.locator(".stats-csv").click()
    saved = await saving.value
    assert saved.suggested_filename == "lenscast-statistics.csv"
    text = (await saved.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert float(rows[-1]["bitrate"]) > 0
    assert rows[-1]["codec"]


async def test_media_does_not_wait_unless_told_to(server: SignalingServer, pages: Pages) -> None:
    """Sound and picture begin without a buffer; the slider changes both while live."""
    _sender, receiver = await live(server, pages, script=TARGETS)
    targets = await receiver.evaluate("() => window.targets")
    assert sorted(targets) == [["audio", 0], ["video", 0]]
    await receiver.locator(".stats-detail").click()
    await set_buffer(receiver, 400)
    await expect(receiver.locator(".stats-buffer output")).to_have_text("400 ms")
    targets = await receiver.evaluate("() => window.targets.slice(-2)")
    assert sorted(targets) == [["audio", 400], ["video", 400]]
    # It is not just a number: frames do wait.
    await figure(receiver, "buffer", r"^(2[5-9]\d|3\d\d|4\d\d) ms$")


async def test_the_buffer_is_remembered(server: SignalingServer, pages: Pages) -> None:
    """The next visit begins with the buffer that was chosen."""
    _sender, receiver = await live(server, pages, script=TARGETS)
    await receiver.locator(".stats-detail").click()
    await set_buffer(receiver, 250)
    await receiver.reload()
    await phase(receiver, "live")
    targets = await receiver.evaluate("() => window.targets")
    assert sorted(targets) == [["audio", 250], ["video", 250]]


async def test_blocked_storage_does_no_harm(server: SignalingServer, pages: Pages) -> None:
    """If the browser refuses storage, there is no buffer at first, and the slider still works."""
    blocked = """Object.defineProperty(window, "localStorage", {
        get() { throw new DOMException("blocked", "SecurityError"); },
    });"""
    _sender, receiver = await live(server, pages, script=TARGETS + blocked)
    await receiver.locator(".stats-detail").click()
    await set_buffer(receiver, 100)
    targets = await receiver.evaluate("() => window.targets")
    assert ["video", 0] in targets
    assert targets[-1][1] == 100


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
async def test_the_full_view_fits(
    server: SignalingServer, pages: Pages, size: dict[str, int]
) -> None:
    """The panel is inside the window, covers no button, and scrolls."""
    _sender, receiver = await live(server, pages, viewport=size)
    await receiver.locator(".stats-detail").click()
    box = await receiver.locator(".stats").bounding_box()
    toolbar = await receiver.locator(".tool-group").first.bounding_box()
    assert box
    assert toolbar
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= toolbar["y"]
    await receiver.locator(".stats-csv").scroll_into_view_if_needed()
    await expect(receiver.locator(".stats-csv")).to_be_in_viewport()


async def test_what_the_phone_says_stands_on_its_picture(
    server: SignalingServer, pages: Pages
) -> None:
    """A notice in the state is shown as text, and disappears with it."""
    script = """
        window.sockets = [];
        window.WebSocket = class extends WebSocket {
            constructor(...all) { super(...all); window.sockets.push(this); }
        };"""
    _sender, receiver = await live(server, pages, script=script)
    # From now on, the phone's own messages are ignored: it may have news at any time.
    say = """(notice) => {
        window.hear ??= window.sockets[0].onmessage;
        window.sockets[0].onmessage = null;
        const from = document.querySelector(".tile").dataset.peer;
        const state = { status: "live", notice, presets: [] };
        const data = JSON.stringify({ type: "state", state, from });
        window.hear(new MessageEvent("message", { data }));
    }"""
    notice = receiver.locator(".tile-notice")
    await receiver.evaluate(say, "The phone is busy: <b>24</b> frames a second for now.")
    await expect(notice).to_have_text("The phone is busy: <b>24</b> frames a second for now.")
    await expect(notice).to_be_visible()
    await receiver.evaluate(say, "")
    await expect(notice).to_be_hidden()


async def test_the_laptop_asks_for_sharp_or_smooth(server: SignalingServer, pages: Pages) -> None:
    """The laptop chooses a priority, and shows the one that the phone uses."""
    _sender, receiver = await live(server, pages)
    choice = receiver.locator("#priority")
    await expect(choice).to_be_visible()
    other = "sharp" if await choice.input_value() == "smooth" else "smooth"
    await choice.select_option(other)
    await expect(choice).to_have_value(other)
