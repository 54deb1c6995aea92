"""The picture: its first frame, its codec, what is kept, and what a busy phone does."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves
from tests.browser.test_controls import open_settings

pytestmark = pytest.mark.full_size

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/130.0.0.0 Mobile Safari/537.36"
)

# Runs before the page's scripts: records what the encoder is told and what the server is sent.
LISTEN = """
    window.applied = [];
    window.sent = [];
    const setParameters = RTCRtpSender.prototype.setParameters;
    RTCRtpSender.prototype.setParameters = function (parameters) {
        window.applied.push({
            ...parameters.encodings[0],
            preference: parameters.degradationPreference,
            hint: this.track?.contentHint,
        });
        return setParameters.call(this, parameters);
    };
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        window.sent.push(JSON.parse(text));
        return send.call(this, text);
    };
"""

# Runs before the page's scripts: records the size of the first frame that is painted.
FIRST_FRAME = """
    const srcObject = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
    Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
        ...srcObject,
        set(stream) {
            srcObject.set.call(this, stream);
            this.requestVideoFrameCallback?.((now, frame) => {
                window.firstFrame ??= `${frame.width}x${frame.height}`;
            });
        },
    });
"""


async def listening(server: SignalingServer, pages: Pages, **options: Any) -> tuple[Page, Page]:
    """Open both pages and wait for the picture; the sender records what it applies and sends."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server, script=LISTEN, **options)
    await phase(receiver, "live")
    await phase(sender, "live")
    await picture_moves(receiver)
    return sender, receiver


async def wait_for_applied(sender: Page, condition: str) -> None:
    """Wait until the last parameters applied to the encoder (`p`) fulfil a condition."""
    await sender.wait_for_function(
        f"() => {{ const p = window.applied.at(-1); return p && ({condition}); }}"
    )


async def wait_for_sent(sender: Page, condition: str) -> None:
    """Wait until the last `state` message sent (`s`) fulfils a condition."""
    await sender.wait_for_function(
        "() => { const s = window.sent.findLast((m) => m.type === 'state')?.state;"
        f" return s && ({condition}); }}"
    )


async def control(receiver: Page, settings: dict[str, Any]) -> None:
    """Send a `control` message as the receiver page does; the page was opened with `CONTROL`."""
    await receiver.evaluate("(s) => window.control(s)", settings)


# Runs before the page's scripts: `control` sends over the page's own socket.
CONTROL = """
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        window.control = (settings) =>
            send.call(this, JSON.stringify({ type: "control", settings }));
        return send.call(this, text);
    };
"""


async def test_the_first_frame_has_the_resolution_that_was_chosen(
    server: SignalingServer, pages: Pages
) -> None:
    """The first frame that the receiver paints is 1280x720, not a smaller one that grows."""
    receiver = await pages.receiver(server, script=FIRST_FRAME)
    await pages.sender(server)
    await receiver.wait_for_function("() => window.firstFrame")
    assert await receiver.evaluate("window.firstFrame") == "1280x720"


async def test_the_resolution_is_kept_until_the_bandwidth_is_known(
    server: SignalingServer, pages: Pages
) -> None:
    """At first every setParameters keeps the resolution; later it keeps what the person chose."""
    sender, _receiver = await listening(server, pages)
    await wait_for_applied(sender, "p.preference === 'maintain-framerate'")
    preferences = await sender.evaluate("window.applied.map((p) => p.preference)")
    assert preferences[0] == "maintain-resolution"
    assert preferences == sorted(preferences, reverse=True)


async def test_sharp_or_smooth_is_what_the_encoder_is_told(
    server: SignalingServer, pages: Pages
) -> None:
    """Smooth keeps the frame rate and hints at motion, sharp the resolution and detail."""
    sender, _receiver = await listening(server, pages)
    await wait_for_applied(sender, "p.preference === 'maintain-framerate' && p.hint === 'motion'")
    await wait_for_sent(sender, "s.priority === 'smooth'")
    await open_settings(sender)
    await expect(sender.locator("#priority-smooth")).to_be_checked()
    await sender.locator("label:has(#priority-sharp)").click()
    await wait_for_applied(sender, "p.preference === 'maintain-resolution' && p.hint === 'detail'")
    await wait_for_sent(sender, "s.priority === 'sharp'")


async def test_the_laptop_asks_for_sharp_and_for_a_codec(
    server: SignalingServer, pages: Pages
) -> None:
    """`control` with `priority` and `codec` has the same effect as choosing on the phone."""
    receiver = await pages.receiver(server, script=CONTROL)
    sender = await pages.sender(server, script=LISTEN)
    await phase(receiver, "live")
    await phase(sender, "live")
    await control(receiver, {"priority": "sharp", "codec": "vp9"})
    await wait_for_sent(sender, "s.priority === 'sharp' && s.codec === 'vp9'")
    await figure(receiver, "codec", "^VP9")
    await control(receiver, {"priority": "wide", "codec": "mpeg2"})
    await control(receiver, {"preset": "low"})
    await wait_for_sent(sender, "s.preset === 'low'")
    await wait_for_sent(sender, "s.priority === 'sharp' && s.codec === 'vp9'")


async def test_another_codec_comes_without_the_picture_stopping(
    server: SignalingServer, pages: Pages
) -> None:
    """The receiver's panel names each chosen codec, and the connection stays the same."""
    sender, receiver = await listening(server, pages)
    await figure(receiver, "codec", "^VP8")
    await receiver.evaluate(
        """() => {
            const video = document.querySelector("video");
            let last = performance.now();
            window.gap = 0;
            const seen = (now) => {
                window.gap = Math.max(window.gap, now - last);
                last = now;
                video.requestVideoFrameCallback(seen);
            };
            video.requestVideoFrameCallback(seen);
        }"""
    )
    await open_settings(sender)
    for value, name in (("h264", "H264"), ("vp9", "VP9"), ("auto", "VP8")):
        await sender.locator("#codec").select_option(value)
        await figure(receiver, "codec", f"^{name}")
        await picture_moves(receiver)
    # A new connection would have shown another stream, after a second or more.
    assert await receiver.evaluate("window.gap") < 2000
    sessions = await sender.evaluate(
        "window.sent.filter((m) => m.type === 'offer').map((m) => /^o=\\S+ (\\S+)/m.exec(m.sdp)[1])"
    )
    assert len(sessions) >= 4
    assert len(set(sessions)) == 1


OFFERED = """window.sent.filter((m) => m.type === "offer").map((m) => {
    const section = m.sdp.split(/^(?=m=)/m).find((s) => s.startsWith("m=video"));
    const names = new Map(
        [...section.matchAll(/^a=rtpmap:(\\d+) ([^\\/]+)/gm)].map(([, type, name]) => [type, name]),
    );
    return section.split("\\r\\n")[0].split(" ").slice(3).map((type) => names.get(type));
})"""


async def test_vp8_is_always_offered(server: SignalingServer, pages: Pages) -> None:
    """The preferred codec comes first in every offer, and VP8 is always there."""
    sender, _receiver = await listening(server, pages)
    choices = await sender.locator("#codec option").evaluate_all("(all) => all.map((o) => o.value)")
    assert choices[0] == "auto"
    assert "vp8" in choices
    await open_settings(sender)
    for choice in choices[1:]:
        await sender.locator("#codec").select_option(choice)
        await sender.wait_for_function(
            f"(choice) => {OFFERED}.at(-1)[0].toLowerCase() === choice", arg=choice
        )
    assert all("VP8" in offered for offered in await sender.evaluate(OFFERED))


async def test_phones_prefer_what_they_encode_in_hardware(
    server: SignalingServer, pages: Pages
) -> None:
    """In a phone's browser "automatic" offers H.264 first and VP8 after it."""
    sender, receiver = await listening(server, pages, user_agent=ANDROID)
    offered = (await sender.evaluate(OFFERED))[0]
    assert offered[0] == "H264"
    assert "VP8" in offered
    await figure(receiver, "codec", "^H264")


# Runs before the page's scripts: the encoder reports what the test wants.
BUSY = """
    window.reason = "cpu";
    const getStats = RTCRtpSender.prototype.getStats;
    RTCRtpSender.prototype.getStats = async function () {
        const report = new Map(await getStats.call(this));
        for (const [id, entry] of report) {
            if (entry.type === "outbound-rtp") {
                report.set(id, { ...entry, qualityLimitationReason: window.reason });
            }
        }
        return report;
    };
"""


async def test_a_busy_phone_sends_less_and_says_so(server: SignalingServer, pages: Pages) -> None:
    """After ten seconds at the processor's limit it sends less and says so; the choice stays."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server, script=LISTEN + BUSY)
    await phase(receiver, "live")
    await wait_for_applied(sender, "p.scaleResolutionDownBy === 1.5 && p.maxFramerate === 30")
    await expect(sender.locator("#notice")).to_contain_text("853×480")
    await wait_for_sent(sender, "s.notice.includes('853×480') && s.preset === 'high'")
    await receiver.wait_for_function("() => document.querySelector('video').videoHeight === 480")
    await open_settings(sender)
    await expect(sender.locator("#preset-high")).to_be_checked()
    # A person who chooses again gets what they chose.
    await sender.evaluate("window.reason = 'none'")
    await sender.locator("label:has(#preset-medium)").click()
    await wait_for_applied(sender, "p.maxBitrate === 1000000 && p.scaleResolutionDownBy < 1.5")
    await expect(sender.locator("#notice")).to_be_hidden()
    await wait_for_sent(sender, "s.notice === '' && s.preset === 'medium'")


async def test_a_busy_phone_says_so_beside_an_older_notice(
    server: SignalingServer, pages: Pages
) -> None:
    """The notice that less is sent also appears beside a notice that is already there."""
    receiver = await pages.receiver(server, script=CONTROL)
    sender = await pages.sender(server, script=BUSY)
    await phase(receiver, "live")
    await phase(sender, "live")
    await control(receiver, {"microphone": True})
    notice = sender.locator("#notice")
    await expect(notice).to_contain_text("microphone")
    await expect(notice).to_contain_text("853×480")
    await expect(notice).to_contain_text("microphone")


# Runs before the page's scripts: keeps the data channels that the page opens.
CHANNELS = """
    window.channels = [];
    const create = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (...options) {
        const channel = create.apply(this, options);
        window.channels.push(channel);
        return channel;
    };
"""


async def test_a_data_channel_opens_between_the_pages(
    server: SignalingServer, pages: Pages
) -> None:
    """Text that one page sends arrives at the other."""
    receiver = await pages.receiver(server, script=CHANNELS)
    sender = await pages.sender(server, script=CHANNELS)
    opened = "() => window.channels.at(-1)?.readyState === 'open'"
    await sender.wait_for_function(opened)
    await receiver.wait_for_function(opened)
    await sender.evaluate(
        """window.channels.at(-1).addEventListener("message", ({ data }) => {
            window.heard ||= data === "good evening";
        })"""
    )
    # This channel repeats nothing that is lost.
    await receiver.evaluate("setInterval(() => window.channels.at(-1).send('good evening'), 100)")
    await sender.wait_for_function("() => window.heard")


async def test_the_check_does_not_keep_the_camera_waiting(
    server: SignalingServer, pages: Pages
) -> None:
    """The page loads its modules once the camera is open, not before."""
    sender = await pages.sender(server, allowed=False)
    await phase(sender, "idle")
    loaded = "performance.getEntriesByType('resource').map((r) => r.name)"
    assert not [
        name
        for name in await sender.evaluate(loaded)
        if "/lib/check/" in name and name.endswith(".js")
    ]
    await sender.locator("#start").click()
    await sender.wait_for_function(
        f"() => {loaded}.some((name) => name.endsWith('/pages/lib/check/check.js'))"
    )
