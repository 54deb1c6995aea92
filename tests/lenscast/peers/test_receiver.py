"""A receiver in Python: pictures of real senders, over a real server."""

import asyncio
import logging
import re
from itertools import pairwise
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection

from lenscast.peers.picture import VideoFile
from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from lenscast.peers.signaling import ConnectionEnded, SignalingClient
from signaling.config import Config
from signaling.room.messages import (
    Answer,
    Control,
    Error,
    IceCandidate,
    Offer,
    PeerConnected,
    State,
)
from signaling.room.refusal import Refusal
from tests.lenscast.numbered_picture import MadePicture, bars_difference, read_number, write_video
from tests.running_server import local_sender_link, running_server

SECONDS = 20.0
MOST_DIFFERENCE = 4.0
"""Of the colour bars, in levels of 255: what compression at these sizes costs is below 2."""


def small(rate: float = 15) -> MadePicture:
    return MadePicture(320, 240, rate)


async def take(receiver: Receiver, count: int, sender: str | None = None) -> list[int]:
    """The numbers of the next frames, which look as they were made. One that lost a packet on a
    busy machine cannot be read, and does not count."""
    numbers: list[int] = []
    async with asyncio.timeout(SECONDS):
        async for frame in receiver.frames(sender):
            assert (frame.width, frame.height) == (320, 240)
            number = read_number(frame)
            if number is not None and bars_difference(frame) < MOST_DIFFERENCE:
                numbers.append(number)
            if len(numbers) == count:
                break
    return numbers


def rising(numbers: list[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


async def met(receiver: Receiver, count: int) -> list[str]:
    """The ids of the senders, once there are so many."""
    async with asyncio.timeout(SECONDS):
        while len(receiver.senders) != count:
            await asyncio.sleep(0.01)
    return list(receiver.senders)


@pytest.mark.parametrize("first", ["receiver", "sender"])
async def test_pictures_arrive_whichever_side_comes_first(tmp_path: Path, first: str) -> None:
    """They come in order and once each, and look as they were made."""
    async with running_server(Config(), tmp_path) as server:
        sender = Sender(local_sender_link(server), small())
        receiver = Receiver(server.receiver_link)
        order = (receiver, sender) if first == "receiver" else (sender, receiver)
        async with order[0], order[1]:
            numbers = await take(receiver, 15)
            assert rising(numbers)
            count = receiver.senders[sender.id]
            assert count.frames >= 15
            assert (count.width, count.height) == (320, 240)
            assert count.state["width"] == 320


async def test_720p_arrives_in_full(tmp_path: Path) -> None:
    """A large picture arrives in its own size from its first frame."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        Sender(local_sender_link(server), MadePicture(1280, 720, 15)),
    ):
        async with asyncio.timeout(SECONDS):
            frame = await receiver.frame()
            assert (frame.width, frame.height) == (1280, 720)
            assert read_number(frame) is not None
            assert bars_difference(frame) < MOST_DIFFERENCE


async def test_a_sender_may_leave_and_come_back(tmp_path: Path) -> None:
    """The receiver forgets the sender that left, and gets the pictures of the one that comes."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
    ):
        ids = []
        for _ in range(2):
            async with Sender(local_sender_link(server), small()) as sender:
                assert rising(await take(receiver, 5))
                assert await met(receiver, 1) == [sender.id]
                ids.append(sender.id)
            await met(receiver, 0)
        assert ids[0] != ids[1]


async def test_a_receiver_may_leave_and_come_back(tmp_path: Path) -> None:
    """The sender goes on sending to whoever comes."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()),
    ):
        for _ in range(2):
            async with Receiver(server.receiver_link) as receiver:
                assert rising(await take(receiver, 5))


async def test_two_receivers_watch_one_sender(tmp_path: Path) -> None:
    """Both get its pictures, and one leaving does not disturb the other."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()),
        Receiver(server.receiver_link) as stays,
    ):
        async with Receiver(server.receiver_link) as leaves:
            for numbers in await asyncio.gather(take(stays, 10), take(leaves, 10)):
                assert rising(numbers)
        assert rising(await take(stays, 10))


async def test_two_senders_fill_one_receiver(tmp_path: Path) -> None:
    """Pictures can be asked for by the sender's id; without an id the senders take turns."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        Sender(local_sender_link(server), small(30)) as fast,
        Sender(local_sender_link(server), small(5)) as slow,
    ):
        await met(receiver, 2)
        both = await asyncio.gather(take(receiver, 12, fast.id), take(receiver, 4, slow.id))
        assert all(rising(numbers) for numbers in both)
        # The slow one's numbers grow by 5 a second, so they are far behind the fast one's.
        mixed = await take(receiver, 20)
        assert not rising(mixed)
        assert receiver.senders[fast.id].frames > receiver.senders[slow.id].frames


async def test_frames_of_a_sender_end_when_it_leaves(tmp_path: Path) -> None:
    """The iterator of one sender stops; asking for it by name after that is an error."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
    ):
        async with Sender(local_sender_link(server), small()) as sender:
            await take(receiver, 1)
            taking = asyncio.ensure_future(take(receiver, 10_000, sender.id))
            await take(receiver, 3)
        assert rising(await asyncio.wait_for(taking, SECONDS))
        with pytest.raises(LookupError):
            await receiver.frame(sender.id)
        with pytest.raises(LookupError):
            await anext(receiver.frames(sender.id))


async def test_a_slow_consumer_gets_the_newest_frame(tmp_path: Path) -> None:
    """After a pause the next frame is the newest one, not the one that waited longest."""
    rate = 30
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        Sender(local_sender_link(server), small(rate)) as sender,
    ):
        before = (await take(receiver, 1))[0]
        seen = receiver.senders[sender.id].frames
        async with asyncio.timeout(SECONDS):
            while receiver.senders[sender.id].frames < seen + rate:
                await asyncio.sleep(0.01)
        after = (await take(receiver, 1))[0]
        # The one that waited longest would be the next number.
        assert after >= before + rate
        assert len(receiver._untaken) <= 1


async def test_a_video_file_arrives(tmp_path: Path) -> None:
    """A file's pictures arrive like any others, and go on after its end."""
    picture = await VideoFile.open(write_video(tmp_path / "a.mp4", 10, rate=15))
    async with (
        running_server(Config(), tmp_path / "state") as server,
        Receiver(server.receiver_link) as receiver,
        Sender(local_sender_link(server), picture),
    ):
        numbers = await take(receiver, 25)
        assert set(numbers) <= set(range(10))
        assert not rising(numbers)
        assert len(set(numbers)) > 5


async def test_a_bad_key_raises_its_code(tmp_path: Path) -> None:
    """A receiver that is not let in is told why."""
    async with running_server(Config(), tmp_path) as server:
        with pytest.raises(Refusal) as refused:
            async with Receiver(server.receiver_link[:-3]):
                pass
    assert refused.value.code == "bad-key"


def test_a_link_of_a_sender_makes_no_receiver() -> None:
    """The role is the link's, and it is checked before anything is connected."""
    with pytest.raises(ValueError, match="not the link of a receiver"):
        Receiver("http://127.0.0.1:1/sender#room.key")


async def test_a_stopping_server_ends_a_receiver_with_1001(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a frame is told, and so is whoever asks after that."""
    monkeypatch.setattr("lenscast.peers.signaling.COME_BACK_SECONDS", 0)
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
    ):
        waiting = asyncio.ensure_future(receiver.frame())
        await asyncio.sleep(0)
        await server.stop()
        for work in (waiting, receiver.frame(), anext(receiver.frames())):
            with pytest.raises(ConnectionEnded) as ended:
                await asyncio.wait_for(work, SECONDS)
            assert ended.value.code == 1001


async def test_whoever_waits_when_it_is_closed_is_told(tmp_path: Path) -> None:
    """Closing a receiver does not leave anyone waiting for ever."""
    async with running_server(Config(), tmp_path) as server:
        async with Receiver(server.receiver_link) as receiver:
            waiting = asyncio.ensure_future(receiver.frame())
            await asyncio.sleep(0)
        with pytest.raises(ConnectionEnded) as ended:
            await asyncio.wait_for(waiting, SECONDS)
        assert ended.value.code == 1000


async def test_waiting_for_a_frame_can_be_cancelled(tmp_path: Path) -> None:
    """A time limit on a frame leaves the receiver as it was."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receiver.frame(), 0.05)
        async with Sender(local_sender_link(server), small()):
            await take(receiver, 1)


async def test_a_sender_that_makes_no_sense_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An offer that cannot be used ends that connection, and another sender is still seen."""
    caplog.set_level(logging.WARNING, "lenscast")
    offers = ("", "no sdp", "v=0\r\nm=video", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n")
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as bad,
    ):
        for offer in offers:
            await bad.send(Offer(offer))
            await bad.send(IceCandidate({"candidate": "rubbish"}))
        await bad.send(State({"status": "live"}))
        async with Sender(local_sender_link(server), small()) as good:
            await met(receiver, 2)
            assert rising(await take(receiver, 3, good.id))
    assert "its offer is unusable" in caplog.text
    assert "no sdp" not in caplog.text


async def test_the_microphone_of_a_sender_is_declined(tmp_path: Path) -> None:
    """Nobody would take the sound, so the answer says that none is to be sent."""
    connection = RTCPeerConnection()
    connection.addTransceiver("audio", direction="sendonly")
    connection.addTransceiver("video", direction="sendonly")
    try:
        await connection.setLocalDescription()
        async with (
            running_server(Config(), tmp_path) as server,
            Receiver(server.receiver_link),
            SignalingClient(local_sender_link(server)) as sender,
        ):
            assert isinstance(await sender.receive(), PeerConnected)
            await sender.send(Offer(connection.localDescription.sdp))
            answer = await asyncio.wait_for(sender.receive(), SECONDS)
            assert not isinstance(answer, Error)
            assert isinstance(answer, Answer)
            audio, video = answer.sdp.split("m=")[1:]
            assert "a=inactive" in audio
            assert "a=recvonly" in video
    finally:
        await connection.close()


async def test_leaving_takes_less_than_a_second(tmp_path: Path) -> None:
    """In the middle of the pictures of two senders."""
    loop = asyncio.get_running_loop()
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()) as one,
        Sender(local_sender_link(server), small()) as two,
    ):
        async with Receiver(server.receiver_link) as receiver:
            await met(receiver, 2)
            await asyncio.gather(take(receiver, 1, one.id), take(receiver, 1, two.id))
            begun = loop.time()
        assert loop.time() - begun < 1


async def test_leaving_at_any_moment_is_clean(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is left open and no exception is lost, however early a receiver leaves."""
    async with (
        running_server(Config(), tmp_path) as server,
        Sender(local_sender_link(server), small()) as sender,
    ):
        for moment in range(8):
            async with Receiver(server.receiver_link):
                await asyncio.sleep(moment * 0.02)
        assert not sender._tasks.over
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def offer_with(changes: dict[str, str]) -> str:
    """The offer of a connection with a picture and a data channel; in it something is replaced."""
    connection = RTCPeerConnection()
    connection.addTransceiver("video", direction="sendonly")
    connection.createDataChannel("data")
    try:
        await connection.setLocalDescription()
        sdp = connection.localDescription.sdp
    finally:
        await connection.close()
    for old, new in changes.items():
        assert old in sdp
        sdp = sdp.replace(old, new)
    return sdp


HARMLESS = {"a=rtpmap:97": "a=nothing:97", "a=group:BUNDLE 0 1": "a=group:BUNDLE nowhere 0 1"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a=rtpmap:": "a=nothing:"}, "OperationError"),
        ({"a=mid:1": "a=mid:0"}, "two of its sections have the same mid"),
        ({"a=setup:actpass": "a=setup:holdconn"}, "no usable a=setup"),
    ],
)
async def test_an_offer_that_cannot_be_used_ends_that_connection_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, str], reason: str
) -> None:
    """The log says why, and the receiver goes on with other senders."""
    caplog.set_level(logging.INFO, "lenscast")
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as bad,
    ):
        await bad.send(Offer(await offer_with(changes)))
        async with Sender(local_sender_link(server), small()) as good:
            await met(receiver, 2)
            assert rising(await take(receiver, 3, good.id))
        assert bad.registered.id not in receiver._sessions
    assert reason in caplog.text


@pytest.mark.parametrize(
    ("sections", "codecs", "feedback", "reason"),
    [
        (250, 1, [], "it has 250 sections"),
        (8, 70, ["nack", "nack pli", "goog-remb"], "longer than a server forwards"),
    ],
)
async def test_an_offer_whose_answer_would_be_too_long_ends_that_connection_only(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    sections: int,
    codecs: int,
    feedback: list[str],
    reason: str,
) -> None:
    """The server takes the offer, but would close a receiver that answers it."""
    lines = (await offer_with({})).split("m=")[1].split("\r\n")
    offer = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    offer += [one for one in lines if one.startswith(("a=ice-", "a=fingerprint", "a=setup"))]
    for mid in range(sections):
        offer += ["m=video 9 UDP/TLS/RTP/SAVPF 127", "a=sendonly", "a=rtcp-mux", f"a=mid:{mid}"]
        offer += [f"a=rtpmap:{127 - number} VP8/90000" for number in range(codecs)]
        offer += [f"a=rtcp-fb:* {kind}" for kind in feedback]
    caplog.set_level(logging.WARNING, "lenscast")
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as bad,
    ):
        await bad.send(Offer("\r\n".join([*offer, ""])))
        async with asyncio.timeout(SECONDS):
            while reason not in caplog.text:
                await asyncio.sleep(0.01)
        async with Sender(local_sender_link(server), small()) as good:
            await met(receiver, 2)
            assert rising(await take(receiver, 3, good.id))


async def test_data_channels_and_what_is_malformed_are_left_out_of_an_answer(
    tmp_path: Path,
) -> None:
    """A format that nothing describes, a group of sections that are not there: the rest of such
    an offer is answered. The section of the data channels is refused, at its place."""
    offer = await offer_with(HARMLESS)
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link),
        SignalingClient(local_sender_link(server)) as sender,
    ):
        assert isinstance(await sender.receive(), PeerConnected)
        await sender.send(Offer(offer))
        answer = await asyncio.wait_for(sender.receive(), SECONDS)
        assert isinstance(answer, Answer)
        above, video, data = answer.sdp.split("m=")
        assert "a=group:BUNDLE 0\r\n" in above
        assert video.startswith("video ")
        assert data.startswith("application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n")
        assert "a=mid:1\r\n" in data


async def test_a_sender_that_connects_again_is_seen_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender in Python makes another connection where a restart is asked for."""
    monkeypatch.setattr("lenscast.peers.session.RENEWAL_SECONDS", 0)
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        Sender(local_sender_link(server), small()) as sender,
    ):
        await take(receiver, 1)
        before, _ = receiver._sessions._sessions[sender.id]
        await receiver._client.send(Control({"restart": True}))
        async with asyncio.timeout(SECONDS):
            while receiver._sessions._sessions[sender.id][0] is before:
                await receiver.frame()
        assert rising(await take(receiver, 5))


async def test_offers_for_other_connections_wait_for_each_other(tmp_path: Path) -> None:
    """Of thirty at once the first and the last are answered, with what came after the last."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link) as receiver,
        SignalingClient(local_sender_link(server)) as sender,
    ):
        assert isinstance(await sender.receive(), PeerConnected)
        connection = RTCPeerConnection()
        try:
            connection.addTransceiver("video", direction="sendonly")
            await connection.setLocalDescription()
            sdp = connection.localDescription.sdp
            for number in range(30):
                await sender.send(Offer(re.sub("a=ice-ufrag:.*", f"a=ice-ufrag:n{number:03}", sdp)))
            await sender.send(IceCandidate(None))
            for answered in ("n000", "n029"):
                answer = await asyncio.wait_for(sender.receive(), SECONDS)
                assert isinstance(answer, Answer)
                session, _task = receiver._sessions._sessions[sender.registered.id]
                assert f"ice-ufrag:{answered}" in session.connection.remoteDescription.sdp
        finally:
            await connection.close()


async def test_an_offer_tells_whether_it_is_for_another_connection(tmp_path: Path) -> None:
    """The same one, sent again, is answered by the same connection; one of other certificates, or
    that restarts ICE, by another one: aiortc has no ICE restart."""
    async with (
        running_server(Config(), tmp_path) as server,
        Receiver(server.receiver_link),
        SignalingClient(local_sender_link(server)) as sender,
    ):
        assert isinstance(await sender.receive(), PeerConnected)
        connections = [RTCPeerConnection(), RTCPeerConnection()]
        try:
            offers = []
            for connection in connections:
                connection.addTransceiver("video", direction="sendonly")
                await connection.setLocalDescription()
                offers.append(connection.localDescription.sdp)
            restart = re.sub("a=ice-ufrag:.*", "a=ice-ufrag:other", offers[1])
            answered = []
            for offer in (offers[0], offers[0], offers[1], restart):
                await sender.send(Offer(offer))
                answer = await asyncio.wait_for(sender.receive(), SECONDS)
                assert isinstance(answer, Answer)
                answered.append(re.findall("a=fingerprint:sha-256 .*", answer.sdp))
            assert answered[0] == answered[1]
            assert answered[1] != answered[2] != answered[3]
        finally:
            for connection in connections:
                await connection.close()
