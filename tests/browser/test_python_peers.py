"""Chromium and the peers in Python understand each other."""

from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves
from tests.lenscast.numbered_picture import MadePicture, read_number
from tests.running_server import local_sender_link


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
