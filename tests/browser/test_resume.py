"""The stream that does not die: whatever breaks around it is repaired, and it goes on."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from signaling.server import SignalingServer
from tests.browser.pages import (
    CAN_BE_HIDDEN,
    KEEPS_CONNECTIONS,
    SECONDS,
    Pages,
    phase,
    picture_moves,
)
from tests.browser.wire import wire
from tests.ports import free_port

START_SECONDS = 20
PAUSE_MILLISECONDS = 1000
"""A picture that stands still for longer counts as stopped. It has 30 frames a second; the rest is
for a busy machine."""

# Both pages: what they hear from the server, and the connections of the media.
SPY = (
    KEEPS_CONNECTIONS
    + """
    window.heard = [];
    window.WebSocket = class extends WebSocket {
        constructor(...options) {
            super(...options);
            this.addEventListener("message", ({ data }) => heard.push(JSON.parse(data)));
        }
    };
"""
)
WATCH = """() => {
    const video = document.querySelector("video");
    window.longest = 0;
    let last = performance.now();
    const painted = (now) => {
        longest = Math.max(longest, now - last);
        last = now;
        video.requestVideoFrameCallback(painted);
    };
    video.requestVideoFrameCallback(painted);
    window.pause = () => Math.max(longest, performance.now() - last);
}"""
USER_FRAGMENT = "connections.at(-1).remoteDescription.sdp.match(/^a=ice-ufrag:.*/m)[0]"
"""What an ICE restart changes (RFC 8839, 4.4.3), as the receiver has it of the sender."""
# The sender's page, all its connections kept, sends no picture any more.
SILENCE = """async () => {
    const sender = connections[0].getSenders().find(({ track }) => track?.kind === "video");
    await sender.replaceTrack(null);
}"""
REGISTERED = "() => heard.filter(({ type }) => type === 'registered')"


@dataclass
class Command:
    """`lenscast` as a process of its own, which can be killed and started again."""

    folder: Path
    ports: tuple[int, int]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
        """Start it; give the process and what its line of JSON says."""
        port, local_port = self.ports
        options = ["--json", "--no-open", "--port", str(port), "--local-port", str(local_port)]
        with (self.folder / "server.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "lenscast", *options],
                env={**os.environ, "XDG_STATE_HOME": str(self.folder)},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            assert process.stdout
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
            assert line, (self.folder / "server.log").read_text()
            yield process, json.loads(line)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def sender_link(said: dict[str, Any]) -> str:
    """The sender's link, on the port that speaks plain HTTP on the loopback address."""
    origin = said["receiver"].partition("/receiver")[0]
    return f"{origin}/sender#{said['sender'].partition('#')[2]}"


async def registered_again(page: Page) -> list[dict[str, Any]]:
    """Wait until a page is registered a second time; give what it was told each time."""
    await page.wait_for_function(f"() => ({REGISTERED})().length > 1", timeout=SECONDS)
    told: list[dict[str, Any]] = await page.evaluate(REGISTERED)
    return told


async def loaded(page: Page, name: str) -> None:
    """Wait until a page has fetched a module."""
    await page.wait_for_function(
        "(name) => performance.getEntriesByType('resource').some((e) => e.name.includes(name))",
        arg=name,
        timeout=SECONDS,
    )


async def longest_pause(page: Page) -> float:
    """The longest time without a new frame since `WATCH`, in milliseconds."""
    pause: float = await page.evaluate("() => window.pause()")
    return pause


async def test_a_server_that_is_killed_and_started_again(tmp_path: Path, pages: Pages) -> None:
    """The picture never stops, and both pages are back as who they were, on the same connection."""
    command = Command(tmp_path, (free_port(), free_port()))
    async with command.running() as (process, said):
        receiver = await pages.laptop(said["receiver"], script=SPY)
        sender = await pages.phone(sender_link(said), script=SPY)
        await phase(receiver, "live")
        await phase(sender, "live")
        await picture_moves(receiver)
        await receiver.evaluate(WATCH)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await phase(receiver, "reconnecting")
        await phase(sender, "reconnecting")
    async with command.running():
        for page in (receiver, sender):
            first, second = await registered_again(page)
            assert second["resumed"] is True
            assert second["id"] == first["id"]
            await phase(page, "live")
        # The one that was back first has been told of the other by now.
        arrived = "() => heard.filter(({ type }) => type === 'peer-connected').length > 1"
        await receiver.wait_for_function(arrived, timeout=SECONDS)
        await sender.wait_for_function(arrived, timeout=SECONDS)
        await picture_moves(receiver)
        assert await longest_pause(receiver) < PAUSE_MILLISECONDS
        for page in (receiver, sender):
            assert await page.evaluate("connections.length") == 1
        # Nobody listened for a while: a page that tries again writes that to its console.
        pages.complaints[:] = [c for c in pages.complaints if "ERR_" not in c]
        await pages.close()


async def test_a_connection_to_the_server_that_breaks(
    server: SignalingServer, pages: Pages
) -> None:
    """Every connection to the server is cut in mid-stream: both pages are back, unnoticed."""
    async with wire(server.local_port) as between:
        receiver = await pages.laptop(between.link("receiver", server), script=SPY)
        sender = await pages.phone(between.link("sender", server), script=SPY)
        await phase(receiver, "live")
        await phase(sender, "live")
        await picture_moves(receiver)
        await receiver.evaluate(WATCH)
        between.cut()
        for page in (sender, receiver):
            first, second = await registered_again(page)
            assert second["resumed"] is True
            assert second["id"] == first["id"]
            await phase(page, "live")
        await picture_moves(receiver)
        assert await longest_pause(receiver) < PAUSE_MILLISECONDS
        assert await receiver.evaluate("connections.length") == 1
        await pages.close()


async def test_the_browser_says_that_the_network_is_back(
    server: SignalingServer, pages: Pages
) -> None:
    """Each page takes another connection to the server, and the media another way; it plays on."""
    receiver = await pages.receiver(server, script=SPY)
    sender = await pages.sender(server, script=SPY)
    await phase(receiver, "live")
    await picture_moves(receiver)
    await loaded(sender, "sender/watch")
    await receiver.evaluate(WATCH)
    for page in (receiver, sender):
        before = await receiver.evaluate(USER_FRAGMENT)
        await page.evaluate("() => dispatchEvent(new Event('online'))")
        first, second = await registered_again(page)
        assert second["resumed"] is True
        assert second["id"] == first["id"]
        await receiver.wait_for_function(
            f"(before) => {USER_FRAGMENT} !== before", arg=before, timeout=SECONDS
        )
    await picture_moves(receiver)
    assert await longest_pause(receiver) < PAUSE_MILLISECONDS
    assert await receiver.evaluate("connections.length") == 1


async def test_frames_that_stop_while_connected(server: SignalingServer, pages: Pages) -> None:
    """An encoder that sends nothing any more, though all is connected, is replaced."""
    receiver = await pages.receiver(server, script=SPY)
    sender = await pages.sender(server, script=SPY)
    await phase(receiver, "live")
    await phase(sender, "live")
    await picture_moves(receiver)
    await sender.evaluate(SILENCE)
    # Only another connection helps here, after the restart that is tried first.
    await sender.wait_for_function("() => connections.length === 2", timeout=SECONDS)
    await receiver.wait_for_function("() => connections.length === 2", timeout=SECONDS)
    await picture_moves(receiver)
    await phase(receiver, "live")


async def test_frames_that_stop_in_the_small_window(server: SignalingServer, pages: Pages) -> None:
    """A picture that a hidden page shows in Picture in Picture is watched over like any other."""
    receiver = await pages.receiver(server, script=SPY + CAN_BE_HIDDEN)
    sender = await pages.sender(server, script=SPY)
    await phase(receiver, "live")
    await phase(sender, "live")
    await picture_moves(receiver)
    await receiver.keyboard.press("p")
    await receiver.wait_for_function("() => document.pictureInPictureElement")
    await receiver.evaluate("setHidden(true)")
    await sender.evaluate(SILENCE)
    await sender.wait_for_function("() => connections.length === 2", timeout=SECONDS)
    await receiver.wait_for_function("() => connections.length === 2", timeout=SECONDS)
    await picture_moves(receiver)
    assert await receiver.evaluate("document.pictureInPictureElement !== null")


async def test_a_page_whose_place_is_taken(server: SignalingServer, pages: Pages) -> None:
    """A newer connection takes a page's place: it does not fight for it."""
    receiver = await pages.receiver(server, script=SPY)
    await phase(receiver, "idle")
    (told,) = await receiver.evaluate(REGISTERED)
    room, _, key = server.receiver_link.partition("#")[2].partition(".")
    register = {"type": "register", "role": "receiver", "room": room, "key": key}
    await receiver.evaluate(
        """(register) => new Promise((resolve) => {
            const socket = new WebSocket(`ws://${location.host}/ws`);
            socket.onopen = () => socket.send(JSON.stringify(register));
            socket.onmessage = resolve;
            window.newer = socket;
        })""",
        {**register, "resume": told["resume"]},
    )
    await phase(receiver, "error")
    assert await receiver.evaluate("newer.readyState") == 1
