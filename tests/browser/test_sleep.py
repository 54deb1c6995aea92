"""The phone sleeps, or loses its camera: the receiver is told why, and the video comes back."""

from typing import Any

from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import CAN_BE_HIDDEN, Pages, phase, picture_moves
from tests.browser.wire import wire

# No device is taken in a test: `taken` does as if.
HOOKS = (
    CAN_BE_HIDDEN
    + """
    window.opened = [];
    window.asked = [];
    window.taken = null;
    const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
        asked.push(performance.now());
        if (window.taken) {
            throw new DOMException("taken", window.taken);
        }
        const stream = await (window.source?.(constraints) ?? original(constraints));
        opened.push(...stream.getTracks());
        return stream;
    };
    window.end = (track) => {
        track.stop();
        track.dispatchEvent(new Event("ended"));
    };
    window.mute = (track, muted) => {
        Object.defineProperty(track, "muted", { configurable: true, get: () => muted });
        track.dispatchEvent(new Event(muted ? "mute" : "unmute"));
    };
"""
)


async def live(server: SignalingServer, pages: Pages, more: str = "") -> tuple[Page, Page]:
    """Both pages with the picture there; the sender page has the hooks."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server, script=HOOKS + more)
    await phase(receiver, "live")
    await phase(sender, "live")
    await picture_moves(receiver)
    return sender, receiver


async def back(sender: Page, receiver: Page, opened: int) -> None:
    """Wait until the picture goes on; so many cameras have been opened by then."""
    await phase(sender, "live")
    await phase(receiver, "live")
    await picture_moves(receiver)
    assert await sender.evaluate("opened.length") == opened


async def paused(receiver: Page, title: str) -> None:
    """Wait until the last picture is dimmed, with the reason on it."""
    await phase(receiver, "paused")
    await expect(receiver.locator(".tile-note-title")).to_have_text(title)
    await expect(receiver.locator(".tile")).to_have_attribute("data-dimmed", "")
    assert await receiver.evaluate("document.querySelector('video').videoWidth") > 0


async def test_a_hidden_page_is_paused_and_sends_nothing(
    server: SignalingServer, pages: Pages
) -> None:
    """The receiver says so and gets no picture; when visible again, the same camera goes on."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("setHidden(true)")
    await phase(sender, "paused")
    await paused(receiver, "Paused")
    await expect(receiver.locator(".tile-note-text")).to_contain_text("locked")
    # What was under way arrives within a second; from then on nothing does.
    came = await receiver.evaluate(
        """async () => {
            const video = document.querySelector("video");
            const count = () => video.getVideoPlaybackQuality().totalVideoFrames;
            const rest = () => new Promise((resolve) => setTimeout(resolve, 1000));
            await rest();
            const before = count();
            await rest();
            return count() - before;
        }"""
    )
    assert came == 0
    await sender.evaluate("setHidden(false)")
    await back(sender, receiver, opened=1)


# What the page tells of its camera while `lossy` goes to the socket, and nowhere from there.
LOSSY = """
    window.lossy = false;
    window.lost = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        if (window.lossy && JSON.parse(text).type === "state") {
            lost.push(JSON.parse(text).state.status);
        } else {
            send.call(this, text);
        }
    };
"""


async def test_a_state_that_was_lost_is_told_again(server: SignalingServer, pages: Pages) -> None:
    """A state that was lost with a dying connection is sent again after the resume."""
    async with wire(server.local_port) as between:
        receiver = await pages.receiver(server)
        sender = await pages.phone(between.link("sender", server), script=HOOKS + LOSSY)
        await phase(receiver, "live")
        await phase(sender, "live")
        await sender.evaluate("setHidden(true)")
        await paused(receiver, "Paused")
        await sender.evaluate("lossy = true; setHidden(false)")
        await sender.wait_for_function("() => lost.includes('live')")
        await sender.evaluate("lossy = false")
        between.cut()
        await back(sender, receiver, opened=1)
        await pages.close()


async def test_a_camera_that_ended_while_hidden_is_opened_when_shown(
    server: SignalingServer, pages: Pages
) -> None:
    """A hidden page asks for no camera; when visible again, it opens one and sends the picture."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("setHidden(true); end(opened[0])")
    await paused(receiver, "Paused")
    assert await sender.evaluate("asked.length") == 1
    await sender.evaluate("setHidden(false)")
    await back(sender, receiver, opened=2)


async def test_a_camera_that_ended_without_an_event_is_noticed_when_shown(
    server: SignalingServer, pages: Pages
) -> None:
    """A page that slept may have missed the event, so it checks the track itself."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("setHidden(true); opened[0].stop()")
    await paused(receiver, "Paused")
    await sender.evaluate("setHidden(false)")
    await back(sender, receiver, opened=2)


async def test_a_track_that_stands_still_is_replaced(server: SignalingServer, pages: Pages) -> None:
    """A live track without new frames, as after a call on iOS: the camera is opened again."""
    # The first camera is a canvas, which stands still as soon as nobody draws on it.
    canvas = """
        window.source = () => {
            window.source = null;
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [1280, 720];
            const context = canvas.getContext("2d");
            const draw = () => {
                context.fillStyle = `hsl(${performance.now() % 360} 50% 50%)`;
                context.fillRect(0, 0, 1280, 720);
            };
            window.drawing = setInterval(draw, 40);
            return canvas.captureStream();
        };
    """
    sender, receiver = await live(server, pages, canvas)
    await sender.evaluate("clearInterval(drawing); setHidden(true)")
    await paused(receiver, "Paused")
    await sender.evaluate("setHidden(false)")
    await sender.wait_for_function("() => opened.length === 2")
    await back(sender, receiver, opened=2)
    assert await sender.evaluate("opened[0].readyState") == "ended"


async def test_a_camera_taken_away_comes_back(server: SignalingServer, pages: Pages) -> None:
    """When another app takes it, the receiver is told, and the page tries until it is back."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("taken = 'NotReadableError'; end(opened[0])")
    await paused(receiver, "Camera interrupted")
    await phase(sender, "paused")
    await expect(sender.locator("#status")).to_have_text("Camera interrupted")
    await sender.wait_for_function("() => asked.length === 5")
    pauses = await sender.evaluate(
        "asked.slice(1).map((time, index) => time - asked[index]).slice(1)"
    )
    for pause, least in zip(pauses, (500, 1000, 2000), strict=True):
        assert pause >= least - 5
    await sender.evaluate("taken = null")
    await back(sender, receiver, opened=2)


async def test_a_long_interruption_has_a_button(server: SignalingServer, pages: Pages) -> None:
    """After some failed attempts the page says what to do, and its button tries at once."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("taken = 'NotReadableError'; end(opened[0])")
    await expect(sender.locator("#outage")).to_be_visible()
    delay = await asked_after(sender, "document.querySelector('#retry-camera').click()")
    assert delay < 1000
    await back(sender, receiver, opened=2)
    await expect(sender.locator("#outage")).to_be_hidden()


async def test_a_device_that_appears_is_tried_at_once(
    server: SignalingServer, pages: Pages
) -> None:
    """`devicechange` ends the pause, which has grown to seconds."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("taken = 'NotFoundError'; end(opened[0])")
    await expect(sender.locator("#outage")).to_be_visible()
    delay = await asked_after(
        sender, "navigator.mediaDevices.dispatchEvent(new Event('devicechange'))"
    )
    assert delay < 1000
    await back(sender, receiver, opened=2)


async def asked_after(sender: Page, action: str) -> float:
    """Free the camera and do something: how long until the page asks for it, in milliseconds."""
    delay: Any = await sender.evaluate(
        f"""async () => {{
            taken = null;
            const known = asked.length;
            const start = performance.now();
            {action};
            while (asked.length === known) {{
                await new Promise((resolve) => setTimeout(resolve, 10));
            }}
            return asked[known] - start;
        }}"""
    )
    return float(delay)


async def test_a_muted_camera_is_opened_again(server: SignalingServer, pages: Pages) -> None:
    """When a call mutes the camera, the receiver is told, and another track is sent."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("taken = 'NotReadableError'; mute(opened[0], true)")
    await paused(receiver, "Camera interrupted")
    await sender.evaluate("taken = null")
    await back(sender, receiver, opened=2)


async def test_a_camera_muted_for_a_moment_is_kept(server: SignalingServer, pages: Pages) -> None:
    """If the system unmutes it soon after, the same track goes on."""
    sender, receiver = await live(server, pages)
    # In one go: soon after is within a second.
    await sender.evaluate(
        """async () => {
            mute(opened[0], true);
            while (document.documentElement.dataset.phase !== "paused") {
                await new Promise((resolve) => setTimeout(resolve, 10));
            }
            mute(opened[0], false);
        }"""
    )
    await back(sender, receiver, opened=1)


async def test_a_permission_taken_back_ends_it(server: SignalingServer, pages: Pages) -> None:
    """When a person withdraws the permission, the page says so, and stops asking."""
    sender, _receiver = await live(server, pages)
    await sender.evaluate(
        """() => {
            navigator.permissions.query = async () => ({ state: "denied" });
            taken = "NotAllowedError";
            end(opened[0]);
        }"""
    )
    await expect(sender.locator("html")).to_have_attribute("data-error", "camera-refused")
    await phase(sender, "error")


async def test_a_choice_during_an_interruption_counts(
    server: SignalingServer, pages: Pages
) -> None:
    """If another camera is chosen during the interruption, that one is opened."""
    sender, receiver = await live(server, pages)
    await sender.evaluate("taken = 'NotReadableError'; end(opened[0])")
    await phase(sender, "paused")
    await sender.locator("#settings").click()
    await sender.locator("#camera").select_option(index=2)
    await sender.evaluate("taken = null")
    await back(sender, receiver, opened=2)
    await expect(receiver.locator(".tile-name")).to_contain_text("fake_device_2")


async def test_the_microphone_comes_back(server: SignalingServer, pages: Pages) -> None:
    """A microphone that ended stays switched on, and is sent again later."""
    sender, receiver = await live(server, pages)
    switch = sender.locator("#microphone")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    await sender.evaluate("taken = 'NotReadableError'; end(opened[1])")
    await expect(sender.locator("#notice")).to_contain_text("microphone")
    await expect(switch).to_have_attribute("aria-checked", "true")
    await sender.evaluate("taken = null")
    await sender.wait_for_function("() => opened.length === 3")
    await expect(sender.locator("#notice")).to_be_hidden()
    await picture_moves(receiver)
    sent = await sender.evaluate("[opened[2].kind, opened[2].readyState]")
    assert sent == ["audio", "live"]


# Like the system's: `dropLock` releases as it does to save power; a hidden page loses its lock.
LOCKS = """
    window.locks = [];
    const request = async () => {
        const lock = new EventTarget();
        lock.released = false;
        lock.release = async () => {
            if (!lock.released) {
                lock.released = true;
                lock.dispatchEvent(new Event("release"));
            }
        };
        locks.push(lock);
        return lock;
    };
    Object.defineProperty(Navigator.prototype, "wakeLock", { get: () => ({ request }) });
    window.held = () => locks.filter((lock) => !lock.released).length;
"""


async def test_the_wake_lock_is_taken_again(server: SignalingServer, pages: Pages) -> None:
    """It is lost with a hidden page and taken when visible, never twice; after Stop, not at all."""
    sender, _receiver = await live(server, pages, LOCKS)
    await sender.wait_for_function("() => locks.length === 1 && held() === 1")
    await sender.evaluate("setHidden(true); locks[0].release()")
    assert await sender.evaluate("held()") == 0
    # At once: the lock that is asked for is there as soon as what waits has run.
    held = await sender.evaluate(
        "setHidden(false); new Promise((resolve) => setTimeout(() => resolve(held())))"
    )
    assert held == 1
    await sender.evaluate("setHidden(true); setHidden(false)")
    await picture_moves(sender)
    assert await sender.evaluate("[locks.length, held()]") == [2, 1]
    await sender.locator("#stop").click()
    await sender.wait_for_function("() => held() === 0")


async def test_a_wake_lock_released_by_the_system_is_noticed(
    server: SignalingServer, pages: Pages
) -> None:
    """If the system releases it while the page is visible, the page asks again."""
    sender, _receiver = await live(server, pages, LOCKS)
    await sender.wait_for_function("() => held() === 1")
    await sender.evaluate("locks[0].release()")
    await sender.wait_for_function("() => locks.length === 2 && held() === 1")
