"""The pages' connection to one peer: which servers it uses, and from when on."""

import dataclasses
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from signaling.config import Config, CoturnSettings
from signaling.config import Turn as TurnSettings
from signaling.server import SignalingServer
from tests.browser.pages import KEEPS_CONNECTIONS, Pages, phase, picture_moves
from tests.browser.test_quality import CONTROL
from tests.running_server import running_server

# Two peers in one page, connected; `done` waits for a negotiation of the side that offers.
PAIR = """async () => {
    const { OfferingPeer } = await import("/pages/lib/media/offering-peer.js");
    const { AnsweringPeer } = await import("/pages/lib/media/answering-peer.js");
    window.servers = (username) =>
        [{ urls: "turn:127.0.0.1:3478?transport=udp", username, credential: "secret" }];
    const ends = {};
    const peer = (Peer, id, other) => new Peer({
        id,
        iceServers: servers("old"),
        limits: { maxBitrate: 300_000, maxFramerate: 15 },
        send: (message) => ends[other].receive(message),
        change: () => {},
    });
    ends.phone = peer(OfferingPeer, "laptop", "laptop");
    ends.laptop = peer(AnsweringPeer, "phone", "phone");
    const { phone, laptop } = ends;
    phone.start();
    window.done = (work) => new Promise((resolve) => {
        const pc = phone.connection;
        pc.addEventListener("signalingstatechange", () => {
            if (pc.signalingState === "stable") {
                resolve();
            }
        });
        work();
    });
    const fragment = (description) => /^a=ice-ufrag:(.*)$/m.exec(description.sdp)[1].trim();
    window.fragments = () =>
        [phone.connection.localDescription, laptop.connection.remoteDescription].map(fragment);
    window.used = () => phone.connection.getConfiguration().iceServers[0].username;
    Object.assign(window, { phone, laptop });
}"""


@pytest_asyncio.fixture
async def pair(server: SignalingServer, pages: Pages) -> Page:
    """A page with `PAIR`, connected."""
    page = await pages.receiver(server)
    await page.evaluate(PAIR)
    await page.wait_for_function("() => phone.connection?.connectionState === 'connected'")
    return page


async def test_a_camera_goes_one_way(pair: Page) -> None:
    """One video and one sound are offered to be received only, whatever the other side has."""
    sections = "({ sdp }) => sdp.match(/^(m=[a-z]+|a=(sendrecv|sendonly|recvonly|inactive)$)/gm)"
    offered = await pair.evaluate(f"({sections})(phone.connection.localDescription)")
    answered = await pair.evaluate(f"({sections})(phone.connection.remoteDescription)")
    assert offered == ["m=video", "a=sendonly", "m=audio", "a=sendonly", "m=application"]
    assert answered == [line.replace("send", "recv") for line in offered]


@pytest.mark.parametrize("work", ["phone.probe()", "phone.setCodec('vp9')"])
async def test_other_servers_restart_nothing_by_themselves(pair: Page, work: str) -> None:
    """An offer for a probe or a codec stays on the path in use, as both sides know it."""
    before = await pair.evaluate("fragments()")
    await pair.evaluate(f"phone.setIceServers(servers('new')); done(() => {work})")
    assert await pair.evaluate("fragments()") == before
    assert before[0] == before[1]


async def test_a_restart_uses_the_newest_servers(pair: Page) -> None:
    """Servers that came since the connection was made are asked when ICE is restarted."""
    before = await pair.evaluate("fragments()")
    await pair.evaluate("phone.setIceServers(servers('new')); done(() => phone.restart())")
    mine, theirs = await pair.evaluate("fragments()")
    assert mine == theirs
    assert mine != before[0]
    assert await pair.evaluate("used()") == "new"


HEARS = (
    KEEPS_CONNECTIONS
    + """
    window.heard = [];
    window.WebSocket = class extends WebSocket {
        constructor(...options) {
            super(...options);
            this.addEventListener("message", ({ data }) => heard.push(JSON.parse(data)));
        }
    };
    window.used = () => connections.at(-1).getConfiguration().iceServers[0].username;
"""
)


async def test_fresh_credentials_reach_the_pages(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both pages use those of `turn-config`: the phone from the next restart on."""
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.05)
    now = [1_000_000.0]
    coturn = CoturnSettings(urls=["turn:127.0.0.1:3478?transport=udp"], secret="hush")
    settings = dataclasses.replace(Config(), turn=TurnSettings(mode="coturn", coturn=coturn))
    async with running_server(settings, tmp_path) as server:
        for part in (server.hub._rooms, server.hub._rooms._welcome):
            monkeypatch.setattr(part, "_unix_time", lambda: now[0])
        receiver = await pages.receiver(server, script=HEARS + CONTROL)
        sender = await pages.sender(server, script=HEARS)
        await phase(receiver, "live")
        await phase(sender, "live")
        for page in (receiver, sender):
            assert (await page.evaluate("used()")).startswith("1003600:")
        now[0] += 1800
        for page in (receiver, sender):
            await page.wait_for_function("() => heard.some(({ type }) => type === 'turn-config')")
        await uses(receiver, "1005400:")
        await receiver.evaluate("control({ restart: true })")
        await uses(sender, "1005400:")
        await picture_moves(receiver)
        await pages.close()


async def uses(page: Page, name: str) -> None:
    """Wait until a page's connection has servers with this user name, or with its beginning."""
    await page.wait_for_function("(name) => used().startsWith(name)", arg=name)
