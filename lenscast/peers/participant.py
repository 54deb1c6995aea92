"""A peer that lives in Python and both sends and receives, as in a meeting."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from aiortc.mediastreams import MediaStreamTrack

from lenscast.peers.feed import BoundedTrack, Feed, frames
from lenscast.peers.member import Member
from lenscast.peers.negotiation import BITRATE, Media
from lenscast.peers.signaling import SignalingClient
from lenscast.peers.transport import Transport
from signaling.room.messages import ClientMessage, PeerConnected, ServerMessage

Kind = Literal["audio", "video"]


def _ignore(*_told: object) -> None:
    pass


class Participant(Member):
    """Publishes up to two tracks to everyone it meets and takes theirs, as an async context
    manager.

    Entering joins the room; then others come and go by themselves, each with a connection of its
    own. Sound and picture are negotiated from the start, in both directions, so that tracks may
    come, change and go on either side without another offer. Leaving ends all connections within
    a second, stops the tracks that it publishes, and raises what ended it early unless `wait` has
    raised it.

    Parameters
    ----------
    link: the link of a room.
    audio, video: what to publish to begin with; None for nothing. They and their frames belong to
        the participant until they are replaced.
    on_track: called with a peer's id and a track when one of its tracks is there, also again
        after a new connection. The track gives frames by `recv`: every picture of which no newer
        one has come, or sound in order; it ends with the connection. What nobody takes is
        dropped.
    on_message: called with each message that is not about connections: what others say and show,
        what they ask for, documents, and what the server refuses.
    name: what others are told, at most 64 characters.
    bitrate: the most video that each of the others is sent, in bit/s.
    relay_only: connect through a TURN relay only.
    ssl_context: for https links whose certificate the system does not trust.
    transport: what carries the messages to the server; None for a WebSocket.
    role, room_type: the role to ask for and the kind of room; None for those of the link's page,
        in a camera room.

    Raises
    ------
    ValueError: it is not a link, or a track is not of its kind.
    """

    def __init__(
        self,
        link: str,
        *,
        audio: MediaStreamTrack | None = None,
        video: MediaStreamTrack | None = None,
        on_track: Callable[[str, BoundedTrack], None] = _ignore,
        on_message: Callable[[ServerMessage], None] = _ignore,
        name: str | None = None,
        bitrate: int = BITRATE,
        relay_only: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        transport: Transport | None = None,
        role: str | None = None,
        room_type: str | None = None,
    ) -> None:
        self._feeds: dict[Kind, Feed] = {"audio": Feed("audio"), "video": Feed("video")}
        self._tracks: dict[Kind, MediaStreamTrack | None] = {}
        self._reading: dict[Kind, asyncio.Task[None]] = {}
        self._on_track = on_track
        self._tell = on_message
        client = SignalingClient(
            link,
            name=name,
            ssl_context=ssl_context,
            transport=transport,
            role=role,
            room_type=room_type,
        )
        super().__init__(
            client,
            audio=Media(self._feeds["audio"].view, self._take_track),
            video=Media(self._feeds["video"].view, self._take_track, bitrate),
            relay_only=relay_only,
        )
        self._joined = False
        self.replace("audio", audio)
        self.replace("video", video)

    @property
    def peers(self) -> Mapping[str, PeerConnected]:
        """Who is in the room apart from this one, by id: `peer` is the role, `name` the name."""
        return MappingProxyType(self._met)

    def replace(self, kind: Kind, track: MediaStreamTrack | None) -> None:
        """Publish another track from now on. It may have another size, rate or format.

        Parameters
        ----------
        kind: which of the two to replace.
        track: a track of that kind, which belongs to the participant from here on; None to
            publish nothing. The one that it replaces is not stopped, and the caller's again.

        Raises
        ------
        ValueError: the track is of the other kind.
        """
        if track is not None and track.kind != kind:
            raise ValueError(f"A track of {track.kind} cannot be published as {kind}.")
        self._tracks[kind] = track
        if kind in self._reading:
            self._reading.pop(kind).cancel()
        if self._joined and track is not None:
            self._reading[kind] = self._tasks.start(self._publish(kind, track), f"own {kind}")

    async def send(self, message: ClientMessage) -> None:
        """Send a message to the server, such as State or Control.

        Raises
        ------
        ConnectionEnded: the connection to the server is over.
        """
        await self._client.send(message)

    def _start(self) -> None:
        self._joined = True
        for kind, track in self._tracks.items():
            self.replace(kind, track)

    def _release(self) -> None:
        self._joined = False
        for track in self._tracks.values():
            if track is not None:
                track.stop()

    def _on_message(self, message: ServerMessage) -> None:
        self._tell(message)

    async def _publish(self, kind: Kind, track: MediaStreamTrack) -> None:
        async for _frame in self._feeds[kind].read(track):
            pass

    async def _take_track(self, peer_id: str, track: MediaStreamTrack) -> None:
        taken = BoundedTrack(track.kind)
        self._on_track(peer_id, taken)
        try:
            async for frame in frames(track):
                taken.put(frame)
        finally:
            taken.stop()
