"""The pages and the relay in real Firefox, with itself and with Chromium."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from signaling.server import SignalingServer
from tests.browser import pages as chromium
from tests.browser.firefox import FIREFOX, Firefox, Page, firefox
from tests.browser.pages import Pages, with_query
from tests.browser.test_relay import ONLY

pytestmark = [
    pytest.mark.full_size,
    pytest.mark.skipif(
        shutil.which(FIREFOX) is None, reason="Firefox is missing: apt-get install firefox-esr"
    ),
]


@pytest_asyncio.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    """One headless Firefox with a made camera and a made microphone."""
    async with firefox(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


@pytest_asyncio.fixture
async def fox(running: Firefox) -> AsyncIterator[Firefox]:
    """Opens pages, closes them at the end, and fails where a console showed an error."""
    yield running
    assert await running.close_pages() == []


async def open_sender(
    fox: Firefox, server: SignalingServer, query: str = "", script: str = ""
) -> Page:
    """The sender page as a phone opens it: over HTTPS, with the server's own certificate."""
    return await fox.open(with_query(server.sender_link, query), script=script)


async def open_receiver(
    fox: Firefox, server: SignalingServer, query: str = "", script: str = ""
) -> Page:
    """The receiver page of a server's room."""
    return await fox.open(with_query(server.receiver_link, query), script=script)


async def phase(page: Page, wanted: str) -> None:
    """Wait until a page is in this phase."""
    await page.wait_for("(p) => document.documentElement.dataset.phase === p", wanted)


async def figure(page: Page, name: str, pattern: str) -> None:
    """Wait until a figure of the statistics panel matches."""
    await page.wait_for(
        "(name, pattern) => RegExp(pattern).test("
        "document.querySelector(`[data-stat=${name}]`)?.textContent)",
        name,
        pattern,
    )


async def picture_moves(page: Page) -> None:
    """Wait until the first video of a page has painted three more frames."""
    await page.evaluate(
        """() => new Promise((resolve, reject) => {
            const video = document.querySelector("video");
            let left = 3;
            const seen = () => (--left ? video.requestVideoFrameCallback(seen) : resolve());
            video.requestVideoFrameCallback(seen);
            setTimeout(() => reject(new Error("the picture stands still")), 15_000);
        })"""
    )


async def live(
    server: SignalingServer, fox: Firefox, *, of_sender: str = "", of_receiver: str = ""
) -> tuple[Page, Page]:
    """Both pages, with the picture there; each may have a script to run before its own."""
    receiver = await open_receiver(fox, server, script=of_receiver)
    sender = await open_sender(fox, server, script=of_sender)
    await phase(sender, "live")
    await phase(receiver, "live")
    await picture_moves(receiver)
    return sender, receiver


async def test_firefox_shows_the_picture_of_firefox(server: SignalingServer, fox: Firefox) -> None:
    """The picture comes directly, and Firefox has every figure of the panel."""
    _sender, receiver = await live(server, fox)
    await figure(receiver, "path", "^direct, UDP$")
    await figure(receiver, "resolution", r"^\d+ × \d+$")
    await figure(receiver, "framerate", r"^[1-9]\d* fps$")
    await figure(receiver, "bitrate", r"^[1-9][\d.]* [kM]bit/s$")
    await figure(receiver, "loss", r"^\d+\.\d %$")
    await figure(receiver, "latency", r"^(< )?\d+ ms$")
    await figure(receiver, "jitter", r"^(< )?\d+ ms$")
    await figure(receiver, "codec", "^(VP8|VP9|H264|AV1)$")
    await figure(receiver, "dropped", r"^\d+$")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_embedded_relay_carries_firefox_by_each_transport(
    server: SignalingServer, fox: Firefox, transport: str
) -> None:
    """Both ends relayed, knowing one transport only: the picture comes by that one."""
    receiver = await open_receiver(fox, server, "relay=1", ONLY % transport)
    await open_sender(fox, server, "relay=1", ONLY % transport)
    await phase(receiver, "live")
    await picture_moves(receiver)
    await figure(receiver, "path", f"^relay, {transport.upper()}$")


async def test_firefox_shows_the_picture_of_chromium(
    server: SignalingServer, fox: Firefox, pages: Pages
) -> None:
    """A Chromium sender and a Firefox receiver understand each other, both relayed."""
    receiver = await open_receiver(fox, server, "relay=1")
    await pages.sender(server, "relay=1")
    await phase(receiver, "live")
    await picture_moves(receiver)
    await figure(receiver, "path", "^relay, UDP$")


async def test_chromium_shows_the_picture_of_firefox(
    server: SignalingServer, fox: Firefox, pages: Pages
) -> None:
    """A Firefox sender and a Chromium receiver understand each other, both relayed."""
    receiver = await pages.receiver(server, "relay=1")
    await open_sender(fox, server, "relay=1")
    await chromium.phase(receiver, "live")
    await chromium.picture_moves(receiver)
    # Chromium ends its gathering once it is connected, on a busy machine before it has both.
    await chromium.figure(receiver, "path", "^relay, (UDP|TCP)$")


# Firefox's made camera takes any applyConstraints and changes nothing. Here it refuses instead, as
# a camera may, and the page opens it again with the wanted size.
REFUSES_CHANGES = """
    MediaStreamTrack.prototype.applyConstraints = () =>
        Promise.reject(new DOMException("made camera", "OverconstrainedError"));
"""


async def test_a_preset_changes_firefox_s_picture_while_live(
    server: SignalingServer, fox: Firefox
) -> None:
    """Low is 640x480 at 15 frames, High brings 1280x720 back: other sides, the picture goes on."""
    sender, receiver = await live(server, fox, of_sender=REFUSES_CHANGES)
    await sender.click("#settings")
    await sender.click("label:has(#preset-low)")
    await settings_are(sender, "640x480@15")
    await sides_are(receiver, 4, 3)
    await figure(receiver, "framerate", r"^(\d|1[0-6]) fps$")
    await sender.click("label:has(#preset-high)")
    await settings_are(sender, "1280x720@30")
    await sides_are(receiver, 16, 9)
    await picture_moves(receiver)


async def settings_are(sender: Page, wanted: str) -> None:
    """Wait until the camera really gives this."""
    await sender.wait_for("(s) => document.documentElement.dataset.settings === s", wanted)


async def sides_are(receiver: Page, width: int, height: int) -> None:
    """Wait until the picture has this ratio; its size depends on how busy the encoder's host is."""
    await receiver.wait_for(
        "(w, h) => { const v = document.querySelector('video');"
        " return v.videoWidth > 0 && v.videoWidth * h === v.videoHeight * w; }",
        width,
        height,
    )


async def test_firefox_s_microphone_is_off_until_it_is_switched_on(
    server: SignalingServer, fox: Firefox
) -> None:
    """Off: no sound arrives. On: sound arrives, muted until unmuted. Off again: none."""
    sender, receiver = await live(server, fox, of_receiver=KEEPS_CONNECTION)
    await microphone_is(sender, on=False)
    await sound(receiver, arrives=False)
    await sender.click("#microphone")
    await microphone_is(sender, on=True)
    await sound(receiver, arrives=True)
    assert await receiver.evaluate("() => document.querySelector('video').muted") is True
    await receiver.click("#unmute")
    await receiver.wait_for("() => !document.querySelector('video').muted")
    await sender.click("#microphone")
    await microphone_is(sender, on=False)
    await sound(receiver, arrives=False)


async def microphone_is(sender: Page, *, on: bool) -> None:
    """Wait until the switch shows this."""
    shown = "(on) => document.querySelector('#microphone').ariaChecked === String(on)"
    await sender.wait_for(shown, on)


# On a host that has no sound card Firefox leaves every AudioContext suspended, so the sound cannot
# be listened to; but the decoder says how loud it is.
KEEPS_CONNECTION = """
    const Original = RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
        constructor(configuration) {
            super(configuration);
            window.connection = this;
        }
    };
"""

LOUDNESS = """async () => {
    const energy = async () => {
        const stats = [...(await window.connection.getStats()).values()];
        const sound = stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
        return sound?.totalAudioEnergy ?? 0;
    };
    const before = await energy();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return (await energy()) - before;
}"""


async def sound(receiver: Page, *, arrives: bool) -> None:
    """Wait until sound arrives, or until none does for a second."""
    await receiver.wait_for(f"async (on) => (await ({LOUDNESS})() > 0.001) === on", arrives)
