"""Chromium and the peers in Python understand each other."""

import asyncio

from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from signaling.room.messages import Control
from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves
from tests.lenscast.failing import fail
from tests.lenscast.numbered_picture import MadePicture, read_number
from tests.running_server import local_sender_link

SECONDS = 30.0


async def test_a_picture_from_python_plays_in_chromium(
    server: SignalingServer, pages: Pages
) -> None:
    """The aiortc sender's picture is shown by the receiver page, with its figures."""
    receiver = await pages.receiver(server)
    await phase(receiver, "idle")
    async with Sender(local_sender_link(server), MadePicture(640, 480, 15), name="Python"):
        await phase(receiver, "live")
        await picture_moves(receiver)
        await figure(receiver, "resolution", "^640 × 480$")
        await figure(receiver, "codec", "^VP8$")
    await phase(receiver, "idle")


async def test_a_picture_from_chromium_arrives_in_python(
    server: SignalingServer, pages: Pages
) -> None:
    """The sender page's frames come out of the aiortc receiver, one newer than the other."""
    async with Receiver(server.receiver_link) as receiver:
        sender = await pages.sender(server)
        first = await receiver.frame()
        await phase(sender, "live")
        assert first.width / first.height == 1280 / 720
        assert first.pts is not None
        for _ in range(5):
            frame = await receiver.frame()
            assert frame.pts is not None
            assert frame.pts > first.pts
            first = frame
        assert read_number(first) is None


async def test_a_phone_that_restarts_its_connection_is_seen_again(
    server: SignalingServer, pages: Pages
) -> None:
    """aiortc cannot restart ICE: it takes another connection, and so does the page."""
    async with Receiver(server.receiver_link) as receiver:
        sender = await pages.sender(server)
        await receiver.frame()
        await phase(sender, "live")
        (phone,) = receiver.senders
        before, _ = receiver._sessions._sessions[phone]
        await receiver._client.send(Control({"restart": True}))
        async with asyncio.timeout(SECONDS):
            while (await receiver.frame()) and receiver._sessions._sessions[phone][0] is before:
                pass
            seen = receiver.senders[phone].frames
            while receiver.senders[phone].frames < seen + 10:
                await receiver.frame()
        await phase(sender, "live")


async def test_a_connection_that_fails_is_made_again_with_a_phone(
    server: SignalingServer, pages: Pages
) -> None:
    """The receiver in Python asks the sender page for another connection, and gets it."""
    async with Receiver(server.receiver_link) as receiver:
        sender = await pages.sender(server)
        await receiver.frame()
        await phase(sender, "live")
        (phone,) = receiver.senders
        before, _ = receiver._sessions._sessions[phone]
        fail(before)
        seen = receiver.senders[phone].frames
        async with asyncio.timeout(SECONDS):
            while receiver.senders[phone].frames < seen + 10:
                await receiver.frame()
        assert receiver._sessions._sessions[phone][0] is not before
