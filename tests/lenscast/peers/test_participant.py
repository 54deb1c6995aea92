"""A peer that sends and receives: two of them in one room, over either transport."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from lenscast.peers.feed import BoundedTrack
from lenscast.peers.participant import Participant
from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from lenscast.peers.session import Session
from lenscast.peers.signaling import ConnectionEnded
from signaling.room.messages import Control, DocumentVersion, ServerMessage, State
from signaling.server import SignalingServer
from tests.lenscast.failing import fail
from tests.lenscast.numbered_picture import MadePicture, bars_difference, read_number
from tests.lenscast.peers import meeting
from tests.lenscast.peers.transports import TRANSPORTS
from tests.lenscast.tone import Tone, pitch
from tests.running_server import local_sender_link

SECONDS = 20.0
MOST_DIFFERENCE = 4.0


class Guest:
    """A participant, and the newest tracks that came to it."""

    def __init__(self, link: str, server: SignalingServer, transport: str, **options: Any) -> None:
        self.tracks: dict[tuple[str, str], BoundedTrack] = {}
        self.told: asyncio.Queue[ServerMessage] = asyncio.Queue()
        self._came = asyncio.Event()
        self.participant = Participant(
            link,
            on_track=self._on_track,
            on_message=self._on_message,
            transport=TRANSPORTS[transport](server),
            **options,
        )

    @property
    def id(self) -> str:
        return self.participant.id

    def _on_message(self, message: ServerMessage) -> None:
        if not isinstance(message, DocumentVersion):
            self.told.put_nowait(message)

    def _on_track(self, peer_id: str, track: BoundedTrack) -> None:
        self.tracks[peer_id, track.kind] = track
        self._came.set()

    async def track(self, peer_id: str, kind: str, other_than: Any = None) -> BoundedTrack:
        """The newest track of a peer, as soon as it is another one than that."""
        async with asyncio.timeout(SECONDS):
            while self.tracks.get((peer_id, kind)) in (None, other_than):
                self._came.clear()
                await self._came.wait()
        return self.tracks[peer_id, kind]

    async def sees(self, other: "Guest", size: tuple[int, int] = (320, 240)) -> None:
        """Wait for pictures of the other of this size: they come in order, as they were made. One
        that lost a packet on a busy machine cannot be read, and does not count."""
        track = await self.track(other.id, "video")
        numbers: list[int] = []
        async with asyncio.timeout(SECONDS):
            while len(numbers) < 8:
                frame = await track.recv()
                if (frame.width, frame.height) != size:
                    assert not numbers
                    continue
                number = read_number(frame)
                if number is not None and bars_difference(frame) < MOST_DIFFERENCE:
                    numbers.append(number)
        assert all(a < b for a, b in pairwise(numbers))

    async def hears(self, other: "Guest", frequency: float) -> None:
        """Wait for half a second of the other's sound at this pitch."""
        track = await self.track(other.id, "audio")
        async with asyncio.timeout(SECONDS):
            while pitch([await track.recv() for _ in range(25)]) != pytest.approx(
                frequency, rel=0.02
            ):
                pass

    def session(self, other: "Guest") -> Session:
        return self.participant._sessions._sessions[other.id][0]


def guest(server: SignalingServer, transport: str = "local", **options: Any) -> Guest:
    kind = {"role": meeting.GUEST, "room_type": meeting.KIND.name}
    return Guest(meeting.guest_link(server), server, transport, **kind, **options)


def small() -> MadePicture:
    return MadePicture(320, 240, 15)


def other() -> MadePicture:
    """A picture of another size, so that it is told from the one before."""
    return MadePicture(640, 480, 15)


@pytest.mark.parametrize("transports", [("local", "local"), ("websocket", "local")])
async def test_two_participants_see_and_hear_each_other(
    tmp_path: Path, transports: tuple[str, str]
) -> None:
    """Pictures arrive in order and whole, sound at its pitch, both ways by one connection."""
    async with meeting.server(tmp_path) as server:
        one = guest(server, transports[0], video=small(), audio=Tone(440), name="One")
        two = guest(server, transports[1], video=small(), audio=Tone(1000))
        async with one.participant, two.participant:
            await asyncio.gather(one.sees(two), two.sees(one))
            await asyncio.gather(one.hears(two, 1000), two.hears(one, 440))
            assert two.participant.peers[one.id].name == "One"
            # One of the two has offered, once.
            assert {one.session(two).offers, two.session(one).offers} == {True, False}


async def test_three_participants_see_each_other(tmp_path: Path) -> None:
    """Each pair has a connection of its own, and one that leaves takes only its own with it."""
    async with meeting.server(tmp_path) as server:
        one, two, three = (guest(server, video=small()) for _ in range(3))
        async with one.participant, two.participant:
            async with three.participant:
                pairs = [(a, b) for a in (one, two, three) for b in (one, two, three) if a is not b]
                await asyncio.gather(*(a.sees(b) for a, b in pairs))
                gone = await one.track(three.id, "video")
            with pytest.raises(MediaStreamError):
                await asyncio.wait_for(until_the_end(gone), SECONDS)
            assert list(one.participant.peers) == [two.id]
            await asyncio.gather(one.sees(two), two.sees(one))


async def until_the_end(track: MediaStreamTrack) -> None:
    while True:
        await track.recv()


async def test_a_picture_is_replaced_without_another_offer(tmp_path: Path) -> None:
    """Another track may have another size; to those who watch its time goes on."""
    async with meeting.server(tmp_path) as server:
        first = small()
        one, two = guest(server, video=first), guest(server, video=small())
        async with one.participant, two.participant:
            await two.sees(one)
            session = two.session(one)
            track = await two.track(one.id, "video")
            before = await track.recv()
            one.participant.replace("video", other())
            async with asyncio.timeout(SECONDS):
                while (after := await track.recv()).width != 640:
                    assert after.pts > before.pts
                    before = after
            # In steps of 1/15 s, and what the change itself took.
            assert 0 < after.time - before.time < SECONDS
            await two.sees(one, (640, 480))
            assert two.session(one) is session
            assert first.readyState == "live"
            first.stop()


async def test_tracks_come_and_go_without_another_offer(tmp_path: Path) -> None:
    """Who publishes nothing may begin at any time, and stop, whichever side it is."""
    async with meeting.server(tmp_path) as server:
        one, two = guest(server), guest(server)
        async with one.participant, two.participant:
            sessions = []
            for me, watching in ((one, two), (two, one)):
                track = await watching.track(me.id, "video")
                sessions.append(watching.session(me))
                me.participant.replace("video", small())
                await watching.sees(me)
                me.participant.replace("video", None)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await until_the_end(track)
                me.participant.replace("video", other())
                await watching.sees(me, (640, 480))
            assert [two.session(one), one.session(two)] == sessions


async def test_sound_is_replaced_by_sound_of_another_format(tmp_path: Path) -> None:
    """Another rate and another pitch, after silence: what is sent stays one stream."""
    async with meeting.server(tmp_path) as server:
        one, two = guest(server, audio=Tone(440)), guest(server)
        async with one.participant, two.participant:
            await two.hears(one, 440)
            one.participant.replace("audio", None)
            one.participant.replace("audio", Tone(700, rate=16_000))
            await two.hears(one, 700)


async def test_a_track_is_published_as_what_it_is() -> None:
    """A picture is not sent as sound."""
    link = "http://127.0.0.1:1/sender#room.key"
    with pytest.raises(ValueError, match="track of video cannot be published as audio"):
        Participant(link, audio=small())


async def test_a_track_that_fails_ends_the_participant_with_its_error(tmp_path: Path) -> None:
    """What goes wrong in a track is raised by `wait`, and the track that is left is stopped."""

    class Broken(MadePicture):
        async def recv(self) -> av.VideoFrame:
            raise OSError("The camera is gone.")

    tone = Tone(440)
    async with meeting.server(tmp_path) as server:
        one = guest(server, audio=tone, video=Broken(320, 240))
        async with one.participant:
            with pytest.raises(OSError, match="camera is gone"):
                await asyncio.wait_for(one.participant.wait(), SECONDS)
    assert tone.readyState == "ended"


async def test_a_track_that_ends_ends_nothing_else(tmp_path: Path) -> None:
    """The sound goes on when the picture is over, and another picture may follow."""
    async with meeting.server(tmp_path) as server:
        picture = small()
        one, two = guest(server, audio=Tone(440), video=picture), guest(server)
        async with one.participant, two.participant:
            await two.sees(one)
            picture.stop()
            await two.hears(one, 440)
            one.participant.replace("video", other())
            await two.sees(one, (640, 480))


async def test_what_is_not_about_connections_is_handed_on(tmp_path: Path) -> None:
    """What others show and ask for reaches whoever uses the participant."""
    async with meeting.server(tmp_path) as server:
        one, two = guest(server), guest(server)
        async with one.participant, two.participant:
            await two.track(one.id, "audio")
            await one.participant.send(State({"muted": True}))
            assert await asyncio.wait_for(two.told.get(), SECONDS) == State(
                {"muted": True}, from_=one.id
            )
            await two.participant.send(Control({"hand": 1}, to=one.id))
            assert await asyncio.wait_for(one.told.get(), SECONDS) == Control(
                {"hand": 1}, from_=two.id
            )


@pytest.mark.parametrize("offers", [True, False])
async def test_a_connection_that_fails_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers: bool
) -> None:
    """Whichever side notices; where it is the one that answers, it asks the other."""
    monkeypatch.setattr("lenscast.peers.session.RENEWAL_SECONDS", 0)
    async with meeting.server(tmp_path) as server:
        one, two = guest(server, video=small()), guest(server, video=small())
        async with one.participant, two.participant:
            await asyncio.gather(one.sees(two), two.sees(one))
            me, them = (one, two) if one.session(two).offers is offers else (two, one)
            mine, theirs = me.session(them), them.session(me)
            seen = await me.track(them.id, "video"), await them.track(me.id, "video")
            fail(mine)
            await me.track(them.id, "video", other_than=seen[0])
            await them.track(me.id, "video", other_than=seen[1])
            await asyncio.gather(one.sees(two), two.sees(one))
            assert me.session(them) is not mine
            assert them.session(me) is not theirs
            assert me.session(them).offers is offers


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_who_is_put_out_is_seen_no_more(tmp_path: Path, transport: str) -> None:
    """After close code 4003 a participant is over, and nothing of it goes out any longer."""
    async with meeting.server(tmp_path) as server:
        one, two = guest(server, video=small()), guest(server, transport, video=small())
        async with one.participant, two.participant:
            await asyncio.gather(one.sees(two), two.sees(one))
            seen = await two.track(one.id, "video")
            server.hub._connections[two.id].outbox.end(4003, "removed")
            with pytest.raises(ConnectionEnded) as ended:
                await asyncio.wait_for(two.participant.wait(), SECONDS)
            assert (ended.value.code, ended.value.reason) == (4003, "removed")
            with pytest.raises(MediaStreamError):
                await asyncio.wait_for(until_the_end(seen), SECONDS)
            assert not two.participant._sessions


async def test_leaving_takes_less_than_a_second(tmp_path: Path) -> None:
    """With sound and picture both ways; the tracks are stopped."""
    tone, picture = Tone(440), small()
    loop = asyncio.get_running_loop()
    async with meeting.server(tmp_path) as server:
        one, two = guest(server, video=small()), guest(server, audio=tone, video=picture)
        async with one.participant:
            async with two.participant:
                await asyncio.gather(one.sees(two), two.sees(one))
                begun = loop.time()
            assert loop.time() - begun < 1
    assert (tone.readyState, picture.readyState) == ("ended", "ended")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_participant_sends_as_a_camera_does(tmp_path: Path, transport: str) -> None:
    """In a camera room it may be the sender: a receiver takes its picture and declines the rest."""
    async with meeting.server(tmp_path) as server:
        one = Guest(local_sender_link(server), server, transport, audio=Tone(440), video=small())
        async with (
            one.participant,
            Receiver(server.receiver_link, transport=TRANSPORTS[transport](server)) as receiver,
        ):
            frame = await asyncio.wait_for(receiver.frame(), SECONDS)
            assert read_number(frame) is not None
            assert one.tracks == {}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_participant_watches_a_camera(tmp_path: Path, transport: str) -> None:
    """In a camera room it may be the receiver, which publishes nothing."""
    async with meeting.server(tmp_path) as server:
        one = Guest(server.receiver_link, server, transport)
        carried = TRANSPORTS[transport](server)
        async with (
            one.participant,
            Sender(local_sender_link(server), small(), transport=carried) as sender,
        ):
            track = await one.track(sender.id, "video")
            frame = await asyncio.wait_for(track.recv(), SECONDS)
            assert read_number(frame) is not None
            assert {kind for _peer, kind in one.tracks} == {"video"}
