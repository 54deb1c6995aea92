"""Offer and answer (RFC 8829) on one peer connection: the one place that makes either.

Who offers is decided before: offers never cross, for aiortc cannot take one back.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from aiortc.mediastreams import MediaStreamTrack

from lenscast.peers.encoder import send_vp8
from lenscast.peers.feed import frames
from lenscast.peers.session import Session
from signaling.room.messages import Answer, IceCandidate, Offer

log = logging.getLogger(__name__)

BITRATE = 2_500_000

Sink = Callable[[str, MediaStreamTrack], Coroutine[Any, Any, None]]
"""Takes the frames of a remote track from the peer with an id, until the track ends."""

_DIRECTIONS = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}


@dataclass(frozen=True)
class Media:
    """What a peer does with one kind of media, on every connection.

    Attributes
    ----------
    source: makes the track that goes out by a connection; None: nothing goes out.
    sink: takes what comes in; None: nothing is to come.
    bitrate: the most that each connection is sent of video, in bit/s.
    """

    source: Callable[[], MediaStreamTrack] | None = None
    sink: Sink | None = None
    bitrate: int = BITRATE

    @property
    def direction(self) -> str:
        """The direction to negotiate (RFC 8829 4.2.1)."""
        return _DIRECTIONS[self.source is not None, self.sink is not None]


class Negotiation:
    """Negotiates the media of one session.

    Parameters
    ----------
    session: whose connection it is.
    media: what goes out and comes in, for "audio" and for "video".
    send: sends a message to the server.
    """

    def __init__(
        self,
        session: Session,
        media: Mapping[str, Media],
        send: Callable[[Offer | Answer], Awaitable[None]],
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._media = media
        self._send = send
        self._own: set[object] = set()
        self._taken: set[MediaStreamTrack] = set()

    async def offer(self) -> None:
        """Send the offer that begins the session.

        Raises
        ------
        SessionFailed: none can be made.
        """
        for kind, media in self._media.items():
            if media.direction != "inactive":
                self._add(kind)
        await self._send(Offer(await self._session.describe(), to=self._session.peer_id))

    async def take(self, message: Offer | Answer | IceCandidate) -> None:
        """Take a message of the remote peer.

        Raises
        ------
        SessionFailed: it cannot be used.
        """
        match message:
            case IceCandidate():
                await self._session.add(message)
            case Offer() if not self._session.offers:
                await self._answer(message)
            case Answer() if self._connection.signalingState == "have-local-offer":
                await self._session.apply(message)
                self._take_tracks()
            case _:
                log.info("passed over an %s of %s", message.type, self._session.peer_id)

    async def _answer(self, offer: Offer) -> None:
        there = {transceiver.kind for transceiver in self._connection.getTransceivers()}
        for kind in self._media:
            # Only what is offered: aiortc would wait for the path of a section that is not.
            if kind not in there and f"\nm={kind} " in offer.sdp:
                self._add(kind)
        await self._session.apply(offer)
        for transceiver in self._connection.getTransceivers():
            if transceiver not in self._own:
                wanted = self._media[transceiver.kind].sink is not None
                transceiver.direction = _DIRECTIONS[False, wanted]
        self._take_tracks()
        await self._send(Answer(await self._session.describe(), to=self._session.peer_id))

    def _add(self, kind: str) -> None:
        """Add a section that sends and receives as this peer does."""
        media = self._media[kind]
        track = media.source() if media.source else None
        transceiver = self._connection.addTransceiver(track or kind, media.direction)
        self._own.add(transceiver)
        if track is None:
            return
        track.on("ended", self._on_source_ended)
        if kind == "video":
            send_vp8(transceiver, media.bitrate)

    def _on_source_ended(self) -> None:
        # aiortc logs what goes wrong while it encodes or sends, and only stops the track.
        if self._connection.signalingState != "closed":
            self._session.drop("what goes out by it could not be sent")

    def _take_tracks(self) -> None:
        """Take the frames of each track at once, also of one that nobody asked for: aiortc's queue
        has no limit, so what waited there would be late for ever."""
        for transceiver in self._connection.getTransceivers():
            track = transceiver.receiver.track
            if track is not None and track not in self._taken:
                self._taken.add(track)
                sink = self._media[transceiver.kind].sink or _discard
                work = sink(self._session.peer_id, track)
                self._session.start(work, f"{transceiver.kind} of {self._session.peer_id}")


async def _discard(_peer_id: str, track: MediaStreamTrack) -> None:
    async for _frame in frames(track):
        pass
