"""Both pages forced to relay: through the relay of this process, and through a real coturn."""

from pathlib import Path

import pytest

from signaling.config import load
from signaling.server import SignalingServer
from tests.browser.pages import Pages, figure, phase, picture_moves
from tests.running_server import running_server
from tests.turn.coturn_server import needs_turnserver, running_coturn

pytestmark = pytest.mark.full_size

STILL_MILLISECONDS = 1000
"""A new connection would take longer; the rest is for a busy machine."""


async def test_the_picture_arrives_through_the_embedded_relay(
    server: SignalingServer, pages: Pages
) -> None:
    """With no TURN server configured anywhere, `?relay=1` on both ends shows HD video."""
    receiver = await pages.receiver(server, "relay=1")
    await pages.sender(server, "relay=1")
    await phase(receiver, "live")
    await picture_moves(receiver)
    await figure(receiver, "path", "^relay, UDP$")
    await figure(receiver, "resolution", "^1280 × 720$")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_embedded_relay_carries_each_transport_by_itself(
    server: SignalingServer, pages: Pages, transport: str
) -> None:
    """Where only one of the two gets through, the picture comes by that one."""
    receiver = await pages.receiver(server, "relay=1", script=ONLY % transport)
    await pages.sender(server, "relay=1", script=ONLY % transport)
    await phase(receiver, "live")
    await picture_moves(receiver)
    await figure(receiver, "path", f"^relay, {transport.upper()}$")


# A network that blocks the other transport is in the matrix of tests/network; here it is enough
# that the page does not know of it.
ONLY = """
    const Original = RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
        setConfiguration(configuration) {
            for (const server of configuration.iceServers) {
                server.urls = [].concat(server.urls).filter((url) => url.endsWith("%s"));
            }
            const servers = configuration.iceServers.filter((server) => server.urls.length);
            super.setConfiguration({ ...configuration, iceServers: servers });
        }
    };
"""


# As on a busy machine, where the browser gives up on UDP before it has been tried.
TCP_AT_FIRST = """
    const Original = RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
        setConfiguration(configuration) {
            const { iceServers } = configuration;
            const servers = iceServers.map((server) => ({
                ...server,
                urls: [].concat(server.urls).filter((url) => this.again || url.endsWith("tcp")),
            }));
            this.again ||= servers.length > 0;
            const some = servers.filter((server) => server.urls.length);
            super.setConfiguration({ ...configuration, iceServers: some });
        }
    };
"""
LONGEST_STILL = """() => {
    const video = document.querySelector("video");
    let last = performance.now();
    window.longest = 0;
    const painted = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        video.requestVideoFrameCallback(painted);
    };
    video.requestVideoFrameCallback(painted);
}"""


async def test_a_relay_over_tcp_is_left_where_udp_works(
    server: SignalingServer, pages: Pages
) -> None:
    """A few seconds into the stream, and the picture goes on meanwhile."""
    receiver = await pages.receiver(server, "relay=1")
    await pages.sender(server, "relay=1", script=TCP_AT_FIRST)
    await phase(receiver, "live")
    await receiver.evaluate(LONGEST_STILL)
    await figure(receiver, "path", "^relay, UDP$")
    await picture_moves(receiver)
    assert await receiver.evaluate("longest") < STILL_MILLISECONDS


@needs_turnserver
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_picture_arrives_through_coturn(
    tmp_path: Path, pages: Pages, transport: str
) -> None:
    """`?relay=1` on both pages: the picture comes, and the panel says relay and by what."""
    async with running_coturn(tmp_path / "coturn") as coturn:
        file = tmp_path / "config.yaml"
        file.write_text("\n".join(coturn.config_lines()))
        settings = load(file)
        urls = settings.turn.coturn.urls
        urls[:] = [url for url in urls if url.endswith(transport)]
        async with running_server(settings, tmp_path / "state") as server:
            receiver = await pages.receiver(server, "relay=1")
            sender = await pages.sender(server, "relay=1")
            await phase(sender, "live")
            await phase(receiver, "live")
            await picture_moves(receiver)
            await figure(receiver, "path", f"^relay, {transport.upper()}$")
            await pages.close()
