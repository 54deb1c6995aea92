"""The phone's controls while live: each changes what the receiver gets."""

import re

import pytest
from playwright.async_api import Page, expect

from signaling.room.links import read_link
from signaling.server import SignalingServer
from tests.browser.pages import Pages, click_tool, figure, phase, picture_moves, promised
from tests.signaling.transport.client import client

pytestmark = pytest.mark.full_size


async def live(server: SignalingServer, pages: Pages) -> tuple[Page, Page]:
    """Both pages, with the picture there."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server)
    await phase(receiver, "live")
    await phase(sender, "live")
    await picture_moves(receiver)
    return sender, receiver


async def open_settings(sender: Page) -> None:
    """Open the settings sheet."""
    await sender.locator("#settings").click()
    await expect(sender.locator("#sheet")).to_be_visible()


async def choose_preset(sender: Page, name: str) -> None:
    """Choose one of the four qualities."""
    await sender.locator(f"label:has(#preset-{name})").click()


async def received_frames_are(receiver: Page, width: int, height: int) -> None:
    """Wait until the video element shows this size."""
    await receiver.wait_for_function(
        "([w, h]) => { const v = document.querySelector('video');"
        " return v.videoWidth === w && v.videoHeight === h; }",
        arg=[width, height],
    )


async def test_a_preset_changes_size_rate_and_bitrate(
    server: SignalingServer, pages: Pages
) -> None:
    """Low is 640x480 at 15 frames and no more than 300 kbit/s; High brings 720p back."""
    sender, receiver = await live(server, pages)
    await open_settings(sender)
    await choose_preset(sender, "low")
    await received_frames_are(receiver, 640, 480)
    await figure(receiver, "resolution", "^640 × 480$")
    await figure(receiver, "framerate", "^1[3-6] fps$")
    await expect(sender.locator("html")).to_have_attribute("data-settings", "640x480@15")
    # The cap is on the encoder: what arrives may be over it for a moment, not by half again.
    await figure(receiver, "bitrate", r"^([1-9]\d?|[1-3]\d\d|4[0-4]\d) kbit/s$")
    await choose_preset(sender, "high")
    await received_frames_are(receiver, 1280, 720)


async def test_the_bitrate_cap_is_a_real_one(server: SignalingServer, pages: Pages) -> None:
    """The encoder is given each preset's maxBitrate and frame rate."""
    sender, _receiver = await live(server, pages)
    caps = await sender.evaluate(
        "() => JSON.parse(document.querySelector('meta[name=\"lenscast:video\"]').content).presets"
    )
    assert {name: preset["maxBitrate"] for name, preset in caps.items()} == {
        "low": 300_000,
        "medium": 1_000_000,
        "high": 1_500_000,
        "hd": 4_000_000,
    }
    await sender.evaluate(
        """() => {
            const original = RTCRtpSender.prototype.setParameters;
            window.applied = [];
            RTCRtpSender.prototype.setParameters = function (parameters) {
                window.applied.push(parameters.encodings[0]);
                return original.call(this, parameters);
            };
        }"""
    )
    await open_settings(sender)
    for name in ("low", "medium", "hd", "high"):
        await choose_preset(sender, name)
        await sender.wait_for_function(
            "([bitrate, rate]) => { const last = window.applied.at(-1);"
            " return last?.maxBitrate === bitrate && last?.maxFramerate === rate; }",
            arg=[caps[name]["maxBitrate"], caps[name]["frameRate"]],
        )


async def test_resolution_and_rate_change_without_renegotiation(
    server: SignalingServer, pages: Pages
) -> None:
    """Size and frame rate are chosen one by one: the picture follows, without a new offer."""
    sender, receiver = await live(server, pages)
    await sender.evaluate(
        """() => {
            const original = WebSocket.prototype.send;
            window.sent = [];
            WebSocket.prototype.send = function (text) {
                window.sent.push(JSON.parse(text).type);
                return original.call(this, text);
            };
        }"""
    )
    await open_settings(sender)
    await sender.locator("#resolution").select_option("640x480")
    await received_frames_are(receiver, 640, 480)
    await sender.locator("#framerate").select_option("15")
    await figure(receiver, "framerate", "^1[3-6] fps$")
    await expect(sender.locator("#custom")).to_be_visible()
    assert "offer" not in await sender.evaluate("window.sent")


async def test_the_camera_switches_while_live(server: SignalingServer, pages: Pages) -> None:
    """The receiver is told the name of the new camera, and the picture goes on."""
    sender, receiver = await live(server, pages)
    await open_settings(sender)
    options = sender.locator("#camera option")
    await expect(options).to_have_count(3)
    await sender.locator("#camera").select_option(index=2)
    await expect(receiver.locator(".tile")).to_contain_text(await options.nth(2).inner_text())
    await picture_moves(receiver)


async def test_one_tap_goes_to_the_next_camera(server: SignalingServer, pages: Pages) -> None:
    """The flip button goes to the next camera each time, and the picture goes on."""
    sender, receiver = await live(server, pages)
    for number in (1, 2):
        await sender.locator("#flip").click()
        await expect(receiver.locator(".tile")).to_contain_text(f"fake_device_{number}")
    await picture_moves(receiver)


# Before the page's own scripts: as many cameras as the test says.
PLUGS = """
    window.plugged = 1;
    window.listings = 0;
    const enumerate = MediaDevices.prototype.enumerateDevices;
    MediaDevices.prototype.enumerateDevices = async function () {
        window.listings += 1;
        const devices = await enumerate.call(this);
        const cameras = devices.filter(({ kind }) => kind === "videoinput");
        return cameras.slice(0, window.plugged);
    };
    window.plug = (count) => {
        window.plugged = count;
        navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    };
"""


async def test_a_camera_plugged_in_later_can_be_chosen(
    server: SignalingServer, pages: Pages
) -> None:
    """The list and the flip button follow what is plugged in, until the page stops."""
    sender = await pages.sender(server, script=PLUGS)
    await expect(sender.locator("#flip")).to_be_disabled()
    await expect(sender.locator("#camera option")).to_have_count(1)
    await sender.evaluate("plug(2)")
    await expect(sender.locator("#flip")).to_be_enabled()
    await expect(sender.locator("#camera option")).to_have_count(2)
    await sender.evaluate("plug(1)")
    await expect(sender.locator("#flip")).to_be_disabled()
    await sender.locator("#stop").click()
    await phase(sender, "ended")
    assert await sender.evaluate("() => { const before = listings; plug(2); return before; }") == (
        await sender.evaluate("listings")
    )


async def test_a_camera_that_does_not_start_gives_the_old_one_back(
    server: SignalingServer, pages: Pages
) -> None:
    """When the new camera fails, the old one is restored and the page says so."""
    sender, receiver = await live(server, pages)
    # A second camera that is in use elsewhere cannot be had from the made ones.
    await sender.evaluate(
        """() => {
            const original = navigator.mediaDevices.getUserMedia;
            let left = 1;
            navigator.mediaDevices.getUserMedia = function (constraints) {
                if (constraints.video && left-- > 0) {
                    return Promise.reject(new DOMException("in use", "NotReadableError"));
                }
                return original.call(this, constraints);
            };
        }"""
    )
    await sender.locator("#flip").click()
    await expect(sender.locator("#notice")).to_be_visible()
    await phase(sender, "live")
    await picture_moves(receiver)


async def test_the_microphone_is_off_until_it_is_switched_on(
    server: SignalingServer, pages: Pages
) -> None:
    """Off: no sound arrives. On: sound arrives, muted until unmuted. Off again: none."""
    sender, receiver = await live(server, pages)
    switch = sender.locator("#microphone")
    await expect(switch).to_have_attribute("aria-checked", "false")
    await sound(receiver, arrives=False)
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    await sound(receiver, arrives=True)
    assert await receiver.evaluate("document.querySelector('video').muted") is True
    await click_tool(receiver.locator("#unmute"))
    assert await receiver.evaluate("document.querySelector('video').muted") is False
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "false")
    await sound(receiver, arrives=False)


# The loudest of half a second, as the page would play it.
LEVEL = """async () => {
    const stream = document.querySelector('video').srcObject;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let loudest = 0;
    for (let i = 0; i < 30; i++) {
        await new Promise((resolve) => setTimeout(resolve, 40));
        analyser.getFloatTimeDomainData(samples);
        loudest = Math.max(loudest, ...samples.map(Math.abs));
    }
    await context.close();
    return loudest;
}"""


async def sound(receiver: Page, *, arrives: bool) -> None:
    """Wait until sound arrives, or until none does for more than a second."""
    await promised(receiver, f"async () => (await ({LEVEL})() > 0.001) === {str(arrives).lower()}")


async def test_the_laptop_asks_for_another_quality(server: SignalingServer, pages: Pages) -> None:
    """Quality chosen on the receiver page works like a tap on the phone."""
    _sender, receiver = await live(server, pages)
    await receiver.locator("#quality").select_option("low")
    await received_frames_are(receiver, 640, 480)


# The made cameras do not say which way they look; a phone's do.
FACING = """(facing) => {
    const original = MediaStreamTrack.prototype.getSettings;
    MediaStreamTrack.prototype.getSettings = function () {
        return { ...original.call(this), facingMode: facing };
    };
}"""


@pytest.mark.parametrize(("facing", "mirrored"), [("user", True), ("environment", False)])
async def test_the_local_picture_is_mirrored_for_a_front_camera_only(
    server: SignalingServer, pages: Pages, facing: str, mirrored: bool
) -> None:
    """People see themselves as in a mirror; the picture of a back camera is not mirrored."""
    sender = await pages.sender(server, script=f"({FACING})('{facing}')")
    await phase(sender, "connecting", "live")
    preview = sender.locator("#preview")
    turned = re.compile(r"^matrix\(-1")
    if mirrored:
        await expect(preview).to_have_css("transform", turned)
    else:
        await expect(preview).not_to_have_css("transform", turned)
    await expect(preview).to_be_visible()


async def test_nothing_shines_through_the_settings(server: SignalingServer, pages: Pages) -> None:
    """The sheet lies over the controls of the page, so it is opaque."""
    sender, _receiver = await live(server, pages)
    await open_settings(sender)
    await expect(sender.locator("#sheet > div")).to_have_css(
        "background-color", re.compile(r"^rgb\(")
    )


async def ask(server: SignalingServer) -> None:
    """Another receiver asks for the front camera, whatever its page would let it do."""
    link = read_link(server.receiver_link)
    async with client(server.receiver_link) as rogue:
        await rogue.register("receiver", room=link.room, key=link.key)
        await rogue.receive_type("peer-connected")
        await rogue.send(type="control", settings={"facing": "user", "preset": "low"})
        # The phone answers whatever it does.
        for _ in range(2):
            await rogue.receive_type("state")


async def test_the_phone_says_who_did_what_and_the_person_can_refuse(
    server: SignalingServer, pages: Pages
) -> None:
    """What a laptop does is written on the phone. Refused, it changes nothing, whatever the laptop
    sends; its page says so. The choice is remembered."""
    sender, receiver = await live(server, pages)
    await receiver.locator("#quality").select_option("medium")
    await expect(sender.locator("#deeds-text")).to_contain_text("Laptop 1 set the quality to")
    await ask(server)
    await expect(sender.locator("#deeds-text")).to_contain_text(
        "Laptop 2 switched to the front camera and set the quality to Low."
    )
    await received_frames_are(receiver, 640, 480)
    await sender.locator("#deeds-refuse").click()
    await expect(sender.locator("#deeds")).to_be_hidden()
    for control in ("#quality", "#priority", "#flip-camera"):
        await expect(receiver.locator(control)).to_be_disabled()
    await expect(receiver.locator("#control-refused")).to_be_visible()
    await open_settings(sender)
    await choose_preset(sender, "high")
    await expect(sender.locator("#control")).not_to_be_checked()
    await received_frames_are(receiver, 1280, 720)
    settings = await sender.locator("html").get_attribute("data-settings")
    await ask(server)
    await expect(sender.locator("#deeds")).to_be_hidden()
    assert await sender.locator("html").get_attribute("data-settings") == settings
    await sender.reload()
    await phase(receiver, "live")
    await expect(receiver.locator("#control-refused")).to_be_visible()
    await open_settings(sender)
    await sender.locator("#control").click()
    await expect(receiver.locator("#control-refused")).to_be_hidden()
    await expect(receiver.locator("#quality")).to_be_enabled()


async def test_a_receiver_hands_out_the_link_of_a_viewer(
    server: SignalingServer, pages: Pages
) -> None:
    """Beside the phone's, with a code of its own; whoever opens it watches."""
    receiver = await pages.receiver(server)
    await phase(receiver, "idle")
    link, code = receiver.locator("#link"), receiver.locator("#qr")
    await expect(code).to_be_visible()
    phone = await link.inner_text(), await code.get_attribute("src")
    await receiver.get_by_role("radio", name="View only").check()
    await expect(link).to_contain_text("/viewer#")
    await expect(receiver.locator("#waiting-title")).to_have_text("Let somebody watch")
    assert await link.inner_text() == server.viewer_link
    await expect(code).to_be_visible()
    assert await code.get_attribute("src") != phone[1]
    await receiver.get_by_role("radio", name="Phone camera").check()
    assert (await link.inner_text(), await code.get_attribute("src")) == phone
