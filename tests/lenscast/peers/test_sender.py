"""A sender in Python, seen by a receiver that is a signaling client alone."""

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from lenscast.peers.picture import VideoTrack
from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from lenscast.peers.signaling import ConnectionEnded, SignalingClient
from signaling.config import Config, CoturnSettings, Turn
from signaling.room.messages import (
    Answer,
    Control,
    IceCandidate,
    Offer,
    PeerConnected,
    PeerDisconnected,
    ServerMessage,
    State,
)
from signaling.room.refusal import Refusal
from signaling.server import SignalingServer
from tests.lenscast.numbered_picture import MadePicture
from tests.running_server import local_sender_link, running_server
from tests.turn.coturn_server import needs_turnserver, running_coturn

SECONDS = 20.0


async def next_of(client: SignalingClient, kind: type[ServerMessage]) -> ServerMessage:
    """The next message of a type; others are passed over."""
    async with asyncio.timeout(SECONDS):
        while True:
            message = await client.receive()
            if isinstance(message, kind):
                return message


async def offer_and_state(client: SignalingClient) -> tuple[Offer, State]:
    """The next offer and the next state, whichever comes first."""
    seen: dict[type, ServerMessage] = {}
    async with asyncio.timeout(SECONDS):
        while not {Offer, State} <= seen.keys():
            message = await client.receive()
            seen.setdefault(type(message), message)
    offer, state = seen[Offer], seen[State]
    assert isinstance(offer, Offer)
    assert isinstance(state, State)
    return offer, state


def small(rate: float = 15) -> MadePicture:
    return MadePicture(320, 240, rate)


class Broken(VideoTrack):
    """A track that gives some pictures, then something else."""

    frame_rate = 15

    def __init__(self, ends: Sequence[BaseException | av.AudioFrame]) -> None:
        super().__init__()
        self._made = small()
        self._ends = list(ends)
        self._left = 3

    async def recv(self) -> av.VideoFrame:
        if self._left:
            self._left -= 1
            return await self._made.recv()
        end = self._ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end  # type: ignore[return-value]


async def test_a_receiver_gets_an_offer_and_the_state(tmp_path: Path) -> None:
    """The offer is complete, sends video and nothing else; the state tells what it shows."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as receiver,
        Sender(local_sender_link(server), small(), name="Test picture") as sender,
    ):
        met = await next_of(receiver, PeerConnected)
        assert met == PeerConnected("sender", sender.id, "Test picture")
        offer, state = await offer_and_state(receiver)
        assert offer.from_ == sender.id
        assert "a=sendonly" in offer.sdp
        assert "a=end-of-candidates" in offer.sdp
        assert offer.sdp.count("m=") == 1
        assert state.state == {
            "status": "live",
            "width": 320,
            "height": 240,
            "frameRate": 15,
            "presets": [],
            "control": False,
        }


async def test_a_sender_that_takes_control_is_told_who_asks_for_what(tmp_path: Path) -> None:
    """And receivers are told that they may ask. Restarts are no part of it."""
    asked: list[tuple[PeerConnected, Mapping[str, Any]]] = []
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link, name="Laptop") as receiver,
        Sender(
            local_sender_link(server), small(), on_control=lambda *one: asked.append(one)
        ) as sender,
    ):
        _, state = await offer_and_state(receiver)
        assert state.state["control"] is True
        await receiver.send(Control({"restart": True}))
        await receiver.send(Control({"facing": "user"}))
        async with asyncio.timeout(SECONDS):
            while not asked:
                await asyncio.sleep(0.01)
        ((who, settings),) = asked
        assert (who.id, who.name) == (receiver.registered.id, "Laptop")
        assert settings == {"facing": "user"}
        assert not sender._tasks.over


async def test_a_later_receiver_is_told_the_state_too(tmp_path: Path) -> None:
    """Whoever comes when the picture is running gets an offer and the state."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()),
        Receiver(server.receiver_link) as first,
    ):
        await asyncio.wait_for(first.frame(), SECONDS)
        async with SignalingClient(server.receiver_link) as second:
            await offer_and_state(second)


async def test_a_change_of_size_is_told(tmp_path: Path) -> None:
    """The state follows the picture: its size may change while it is sent."""

    class Growing(MadePicture):
        grow = asyncio.Event()

        async def recv(self) -> av.VideoFrame:
            frame = await super().recv()
            if not self.grow.is_set():
                return frame
            larger = frame.reformat(width=640, height=480)
            larger.pts, larger.time_base = frame.pts, frame.time_base
            return larger

    picture = Growing(320, 240, 15)
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), picture),
        SignalingClient(server.receiver_link) as receiver,
    ):
        sizes = []
        for _ in range(2):
            state = await next_of(receiver, State)
            assert isinstance(state, State)
            sizes.append((state.state["width"], state.state["height"]))
            picture.grow.set()
        assert sizes == [(320, 240), (640, 480)]


async def test_what_a_receiver_sends_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bad candidates, bad answers and controls do not disturb other receivers."""
    caplog.set_level(logging.WARNING, "lenscast")
    candidates = (
        {"candidate": "candidate:1 1 udp", "sdpMid": "0", "sdpMLineIndex": 0},
        {"candidate": "candidate:1 x y z 192.0.2.1 9 typ host", "sdpMid": "0"},
        {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"},
        {"candidate": "", "sdpMid": "0"},
        None,
    )
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()) as sender,
        SignalingClient(server.receiver_link) as bad,
    ):
        await next_of(bad, Offer)
        await bad.send(Control({"preset": "hd"}))
        for candidate in candidates:
            await bad.send(IceCandidate(candidate))
        await bad.send(Answer("v=0\r\nm=no sdp"))
        async with Receiver(server.receiver_link) as good:
            await asyncio.wait_for(good.frame(sender.id), SECONDS)
    assert "its answer is unusable" in caplog.text
    assert "no sdp" not in caplog.text


async def test_a_second_answer_is_passed_over(tmp_path: Path) -> None:
    """Whoever answers twice keeps its connection."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()) as sender,
        Receiver(server.receiver_link) as receiver,
    ):
        await asyncio.wait_for(receiver.frame(), SECONDS)
        session, _ = receiver._sessions._sessions[sender.id]
        answer = session.connection.localDescription.sdp
        await receiver._client.send(Answer(answer, to=sender.id))
        seen = receiver.senders[sender.id].frames
        async with asyncio.timeout(SECONDS):
            while receiver.senders[sender.id].frames < seen + 10:
                await receiver.frame()
        assert receiver._sessions._sessions[sender.id][0] is session


@pytest.mark.parametrize("restart", [True, "anew"])
async def test_a_receiver_that_asks_for_a_restart_gets_another_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restart: bool | str
) -> None:
    """Whichever restart it asks for, and also after its connection has failed."""
    monkeypatch.setattr("lenscast.peers.session.RENEWAL_SECONDS", 0)
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()) as sender,
        SignalingClient(server.receiver_link) as receiver,
    ):
        offers = [await next_of(receiver, Offer)]
        await receiver.send(Control({"restart": restart}))
        offers.append(await next_of(receiver, Offer))
        sender._sessions.end(receiver.registered.id)
        await receiver.send(Control({"restart": restart}))
        offers.append(await next_of(receiver, Offer))
        # aiortc makes a certificate for each.
        certificates = {
            line
            for offer in offers
            if isinstance(offer, Offer)
            for line in offer.sdp.splitlines()
            if line.startswith("a=fingerprint:sha-256 ")
        }
        assert len(certificates) == 3


async def test_a_receiver_that_asks_too_often_keeps_its_connection(tmp_path: Path) -> None:
    """A session that has only just begun is not replaced."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()) as sender,
        SignalingClient(server.receiver_link) as receiver,
    ):
        await next_of(receiver, Offer)
        session, _ = sender._sessions._sessions[receiver.registered.id]
        session.begun = asyncio.get_running_loop().time() + SECONDS
        for _ in range(3):
            await receiver.send(Control({"restart": True}))
        async with Receiver(server.receiver_link) as other:
            await asyncio.wait_for(other.frame(), SECONDS)
        assert sender._sessions._sessions[receiver.registered.id][0] is session


async def test_a_flood_of_candidates_ends_that_connection_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a receiver may send is limited; past that its connection ends, not the sender."""
    caplog.set_level(logging.WARNING, "lenscast")
    config = Config()
    async with (
        running_server(config, tmp_path) as server,
        Sender(local_sender_link(server), small()) as sender,
        SignalingClient(server.receiver_link) as bad,
        Receiver(server.receiver_link) as good,
    ):
        await next_of(bad, Offer)
        session, _ = sender._sessions._sessions[bad.registered.id]
        for _ in range(70):
            session.hand(IceCandidate(None))
        await asyncio.wait_for(good.frame(), SECONDS)
        assert bad.registered.id not in sender._sessions
    assert "faster than they can be dealt with" in caplog.text


async def test_a_link_of_a_receiver_makes_no_sender() -> None:
    """The role is the link's, and it is checked before anything is connected."""
    with pytest.raises(ValueError, match="not the link of a sender"):
        Sender("http://127.0.0.1:1/receiver#room.key", small())


async def test_a_bad_key_raises_its_code_and_stops_the_track(tmp_path: Path) -> None:
    """A sender that is not let in leaves nothing running."""
    picture = small()
    async with running_server(Config(), tmp_path) as server:
        with pytest.raises(Refusal) as refused:
            async with Sender(local_sender_link(server) + "x", picture):
                pass
    assert refused.value.code == "bad-key"
    assert picture.readyState == "ended"


async def test_a_stopping_server_ends_a_sender_with_1001(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wait` raises it; leaving does not raise it again."""
    monkeypatch.setattr("lenscast.peers.signaling.COME_BACK_SECONDS", 0)
    async with running_server(Config(), tmp_path) as server:
        async with Sender(local_sender_link(server), small()) as sender:
            await server.stop()
            with pytest.raises(ConnectionEnded) as ended:
                await asyncio.wait_for(sender.wait(), SECONDS)
        assert ended.value.code == 1001


async def test_leaving_raises_an_error_that_nobody_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody waited for is not lost."""
    monkeypatch.setattr("lenscast.peers.signaling.COME_BACK_SECONDS", 0)

    async def send_until_it_is_over(server: SignalingServer) -> None:
        async with Sender(local_sender_link(server), small()) as sender:
            await server.stop()
            async with asyncio.timeout(SECONDS):
                while not sender._tasks.over:
                    await asyncio.sleep(0.01)

    async with running_server(Config(), tmp_path) as server:
        with pytest.raises(ConnectionEnded):
            await send_until_it_is_over(server)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (OSError("The disk is gone."), OSError),
        (av.AudioFrame(format="s16", layout="mono", samples=1), TypeError),
    ],
)
async def test_a_track_that_fails_ends_the_sender_with_its_error(
    tmp_path: Path, end: BaseException | av.AudioFrame, error: type[Exception]
) -> None:
    """What goes wrong in the track is raised by `wait`."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), Broken([end])) as sender,
    ):
        with pytest.raises(error):
            await asyncio.wait_for(sender.wait(), SECONDS)


async def test_a_track_that_ends_ends_the_wait(tmp_path: Path) -> None:
    """The end of a track is no error."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), Broken([MediaStreamError()])) as sender,
    ):
        await asyncio.wait_for(sender.wait(), SECONDS)


async def test_leaving_takes_less_than_a_second_and_stops_the_track(tmp_path: Path) -> None:
    """With connections that are open and one that is being made."""
    picture = small()
    loop = asyncio.get_running_loop()
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as first,
        SignalingClient(server.receiver_link) as second,
    ):
        async with Sender(local_sender_link(server), picture) as sender:
            await asyncio.wait_for(first.frame(), SECONDS)
            await next_of(second, Offer)
            begun = loop.time()
        assert loop.time() - begun < 1
        gone = await next_of(second, PeerDisconnected)
        assert gone == PeerDisconnected("sender", sender.id, "left")
    assert picture.readyState == "ended"


async def test_leaving_does_not_wait_for_a_dead_turn_server(tmp_path: Path) -> None:
    """Not even while candidates are gathered from a TURN server that does not answer."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        entry = {
            "urls": f"turn:127.0.0.1:{silent.getsockname()[1]}",
            "username": "user",
            "credential": "password",
        }
        turn = Turn(mode="static", ice_servers=[entry])
        async with (
            running_server(Config(turn=turn), tmp_path) as server,
            SignalingClient(server.receiver_link) as receiver,
        ):
            async with Sender(local_sender_link(server), small()):
                await next_of(receiver, PeerConnected)
                await loop.sock_recv(silent, 1)
                begun = loop.time()
            assert loop.time() - begun < 1


async def test_leaving_at_any_moment_is_clean(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is left open and no exception is lost, however early a sender leaves."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
    ):
        for moment in range(8):
            async with Sender(local_sender_link(server), small()):
                await asyncio.sleep(moment * 0.02)
        assert not receiver._tasks.over
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@needs_turnserver
async def test_relay_only_offers_relayed_candidates_and_works(tmp_path: Path) -> None:
    """With `relay_only` every candidate is a relayed one, and the picture goes through coturn."""
    (tmp_path / "turn").mkdir()
    async with running_coturn(tmp_path / "turn") as coturn:
        udp = [url for url in coturn.urls if "udp" in url][:1]
        turn = Turn(mode="coturn", coturn=CoturnSettings(urls=udp, secret=coturn.secret))
        async with (
            running_server(Config(turn=turn), tmp_path / "state") as server,
            Sender(local_sender_link(server), small(), relay_only=True) as sender,
            SignalingClient(server.receiver_link) as watching,
        ):
            offer = await next_of(watching, Offer)
            assert isinstance(offer, Offer)
            lines = [line for line in offer.sdp.splitlines() if line.startswith("a=candidate")]
            assert lines
            assert all(" typ relay" in line for line in lines)
            async with Receiver(server.receiver_link, relay_only=True) as receiver:
                await asyncio.wait_for(receiver.frame(sender.id), SECONDS)
