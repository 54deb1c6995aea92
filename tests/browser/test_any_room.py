"""A page and a peer in Python in a room of any kind, both of which publish."""

import asyncio

import pytest
from playwright.async_api import Page

from lenscast.peers.participant import Participant
from signaling.server import SignalingServer
from tests.browser.pages import Pages, phase
from tests.lenscast.numbered_picture import MadePicture
from tests.lenscast.peers import meeting
from tests.lenscast.tone import Tone

SECONDS = 30.0

# Joins the room as a page of that kind would: with the library's signaling and connections alone.
MEMBER = """async ([roomType, room]) => {
    const { Signaling } = await import("/pages/lib/signaling/signaling.js");
    const { OfferingPeer } = await import("/pages/lib/media/offering-peer.js");
    const { AnsweringPeer } = await import("/pages/lib/media/answering-peer.js");
    const camera = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    const video = document.body.appendChild(document.createElement("video"));
    Object.assign(video, { autoplay: true, muted: true, srcObject: new MediaStream() });
    const peers = new Map();
    window.offered = null;
    window.said = [];
    let iceServers = [];
    const connect = ({ id, offers }) => {
        const Kind = offers ? OfferingPeer : AnsweringPeer;
        const peer = new Kind({
            id,
            twoWay: true,
            iceServers,
            send: (message) => signaling.send(message),
            track: ({ track }) => video.srcObject.addTrack(track),
            change: (state) => (document.documentElement.dataset.connection = state),
        });
        peers.set(id, peer);
        window.offered = offers === true;
        peer.setTrack("video", camera.getVideoTracks()[0]);
        peer.setTrack("audio", camera.getAudioTracks()[0]);
        if (offers) {
            peer.start();
        }
    };
    const signaling = new Signaling({ role: "member", roomType, room }, {
        registered: (welcome) => { iceServers = welcome.turnConfig.iceServers; },
        message: (message) => {
            if (message.type === "peer-connected") {
                connect(message);
            } else if (message.type === "say") {
                window.said.push(message.body);
            } else {
                peers.get(message.from)?.receive(message);
            }
        },
        refused: (code) => { throw new Error(code); },
        reconnecting: () => {},
    });
    window.signaling = signaling;
    signaling.open();
}"""


async def idle_page(server: SignalingServer, pages: Pages) -> Page:
    """A page of the server that does nothing: its link opens no room."""
    page = await pages.laptop(
        f"http://127.0.0.1:{server.local_port}/receiver#abc.wrong",
        permissions=["camera", "microphone"],
    )
    await phase(page, "error")
    return page


async def is_seen(page: Page) -> None:
    """Wait until the page paints three frames of the other's picture."""
    await page.wait_for_function("() => document.querySelector('video')?.videoWidth === 320")
    await page.evaluate(
        """() => new Promise((resolve) => {
            const video = document.querySelector("video");
            let left = 3;
            const seen = () => (--left ? video.requestVideoFrameCallback(seen) : resolve());
            video.requestVideoFrameCallback(seen);
        })"""
    )


@pytest.mark.parametrize("page_first", [True, False])
async def test_a_page_and_a_peer_in_python_see_each_other(
    pages: Pages, tmp_path_factory: pytest.TempPathFactory, page_first: bool
) -> None:
    """Whoever comes first and whoever offers, both send and both receive, by one connection."""
    async with meeting.server(tmp_path_factory.mktemp("state")) as server:
        pictures: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        page = await idle_page(server, pages)
        if page_first:
            await page.evaluate(MEMBER, [meeting.KIND.name, meeting.ROOM])
        async with participant(server, pictures):
            if not page_first:
                await page.evaluate(MEMBER, [meeting.KIND.name, meeting.ROOM])
            await is_seen(page)
            async with asyncio.timeout(SECONDS):
                while (await pictures.get())[0] <= 320:
                    pass


def participant(server: SignalingServer, pictures: "asyncio.Queue[tuple[int, int]]") -> Participant:
    """A peer in Python that notes how large the pictures are that come to it."""

    async def read(track: object) -> None:
        while True:
            frame = await track.recv()  # type: ignore[attr-defined]
            pictures.put_nowait((frame.width, frame.height))

    readers: list[asyncio.Task[None]] = []

    def on_track(_peer: str, track: object) -> None:
        if getattr(track, "kind", "") == "video":
            readers.append(asyncio.create_task(read(track)))
            readers[-1].add_done_callback(lambda task: task.cancelled() or task.exception())

    return Participant(
        meeting.guest_link(server),
        role=meeting.GUEST,
        room_type=meeting.KIND.name,
        video=MadePicture(320, 240, 15),
        audio=Tone(440),
        on_track=on_track,
    )
