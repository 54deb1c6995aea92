"""The main job in real browsers: the phone's page to the laptop's page."""

from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves


async def test_the_picture_arrives_directly(server: SignalingServer, pages: Pages) -> None:
    """Permission given, nothing tapped: the sender's picture plays on the receiver, path direct."""
    receiver = await pages.receiver(server)
    await phase(receiver, "idle", "connecting")
    sender = await pages.sender(server)
    await phase(sender, "live")
    await phase(receiver, "live")
    await picture_moves(receiver)
    await figure(receiver, "path", "^direct, UDP$")
    await figure(receiver, "resolution", "^1280 × 720$")
    await figure(receiver, "codec", r"^(VP8|VP9|H264|AV1)$")
    await figure(receiver, "bitrate", r"^\d[\d.]* (k|M)bit/s$")
    await figure(receiver, "loss", r"^\d+\.\d %$")
    await figure(receiver, "latency", r"ms$")
    await figure(receiver, "jitter", r"ms$")
