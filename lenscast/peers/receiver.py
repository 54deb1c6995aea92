"""A receiver that lives in Python: the newest picture of every sender of a room.

Owns what has come and was not taken yet: one picture for each sender. Imports `lenscast.peers`
(signaling, session, tasks) and `signaling.room.messages`.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Self

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from lenscast.peers.session import Session, Sessions
from lenscast.peers.signaling import NORMAL, ConnectionEnded, SignalingClient
from lenscast.peers.tasks import Tasks
from signaling.room.messages import (
    Answer,
    Error,
    IceCandidate,
    Offer,
    PeerConnected,
    PeerDisconnected,
    TurnConfig,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """What has come from one sender.

    Attributes
    ----------
    frames: how many pictures, taken or not.
    width, height: of the newest one, in pixels; 0 before the first.
    """

    frames: int = 0
    width: int = 0
    height: int = 0


class Receiver:
    """Receives the pictures of every sender of a room, as an async context manager.

    Entering joins the room; then senders come and go by themselves, each with a connection of
    its own. Of each sender the newest picture is kept until it is taken: who takes them slowly
    gets fewer pictures, never old ones. Leaving ends all connections within a second, and raises
    what ended the receiver early unless `frame` or `frames` has raised it.

    Parameters
    ----------
    link: the room's link for receivers.
    name: what senders are told, at most 64 characters.
    relay_only: connect through a TURN relay only.
    ssl_context: for https links whose certificate the system does not trust.

    Raises
    ------
    ValueError: it is not a receiver's link.
    """

    def __init__(
        self,
        link: str,
        *,
        name: str | None = None,
        relay_only: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._client = SignalingClient(link, name=name, ssl_context=ssl_context)
        if self._client.link.role != "receiver":
            raise ValueError("This is not the link of a receiver.")
        self._relay_only = relay_only
        self._news = asyncio.Event()
        self._tasks = Tasks(on_end=self._news.set)
        self._sessions: Sessions
        self._senders: dict[str, Received] = {}
        self._untaken: dict[str, av.VideoFrame] = {}

    @property
    def id(self) -> str:
        """This receiver's id in the room."""
        return self._client.registered.id

    @property
    def senders(self) -> Mapping[str, Received]:
        """Who is in the room, by id, and what has come from each."""
        return MappingProxyType(self._senders)

    async def __aenter__(self) -> Self:
        """Join the room.

        Raises
        ------
        Refusal: the server does not let this receiver in; with its code and sentence.
        ConnectionError: the server cannot be reached, or does not answer in time.
        """
        await self._client.__aenter__()
        self._sessions = Sessions(
            self._tasks,
            self._serve,
            self._client.registered.ice_servers,
            relay_only=self._relay_only,
        )
        self._tasks.start(self._read(), "signaling of a receiver")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the room, and end all connections."""
        try:
            await self._tasks.close()
        finally:
            await self._client.close()
        if error is None:
            self._tasks.raise_untold()

    async def frame(self, sender: str | None = None) -> av.VideoFrame:
        """The newest picture, when there is one that was not taken before.

        It waits for as long as it takes, for a sender to come too; `asyncio.timeout` limits it.

        Parameters
        ----------
        sender: the id of the sender to wait for; None for any of them, in turn.

        Raises
        ------
        ConnectionEnded: the connection to the server is over, or the receiver is closed.
        LookupError: that sender is not in the room, or has left it.
        Exception: whatever else ended the receiver.
        """
        while True:
            self._tasks.check()
            if self._tasks.over:
                raise ConnectionEnded(NORMAL, "It was closed here.")
            self._require(sender)
            wanted = next(iter(self._untaken), None) if sender is None else sender
            if wanted in self._untaken:
                return self._untaken.pop(wanted)
            self._news.clear()
            await self._news.wait()

    async def frames(self, sender: str | None = None) -> AsyncIterator[av.VideoFrame]:
        """The newest picture again and again; parameters and errors are those of `frame`.

        With a `sender` it ends when that sender has left.
        """
        self._require(sender)
        while True:
            try:
                frame = await self.frame(sender)
            except LookupError:
                return
            yield frame

    def _require(self, sender: str | None) -> None:
        if sender is not None and sender not in self._senders:
            raise LookupError(f"There is no sender {sender} in the room.")

    async def _read(self) -> None:
        while True:
            match message := await self._client.receive():
                case PeerConnected():
                    self._senders[message.id] = Received()
                case PeerDisconnected():
                    self._forget(message.id)
                case Offer():
                    self._take_offer(message)
                case IceCandidate():
                    self._sessions.hand(message)
                case TurnConfig():
                    self._sessions.ice_servers = message.ice_servers
                case Error():
                    log.warning("the server refused a message: %s", message.message)
                case _:
                    log.debug("a receiver in Python has no use for %s", message.type)

    def _take_offer(self, offer: Offer) -> None:
        if offer.from_ is None or offer.from_ not in self._senders:
            return
        if offer.from_ not in self._sessions:
            self._sessions.begin(offer.from_)
        self._sessions.hand(offer)

    def _forget(self, sender: str) -> None:
        self._sessions.end(sender)
        self._senders.pop(sender, None)
        self._untaken.pop(sender, None)
        self._news.set()

    async def _serve(self, session: Session) -> None:
        draining: set[MediaStreamTrack] = set()
        while True:
            message = await session.next()
            if isinstance(message, IceCandidate):
                await session.add(message)
                continue
            await session.apply(message)
            for transceiver in session.connection.getTransceivers():
                track = transceiver.receiver.track
                if transceiver.kind == "audio":
                    # Nobody would take it, and aiortc would keep all of it.
                    transceiver.direction = "inactive"
                elif track is not None and track not in draining:
                    draining.add(track)
                    session.start(self._drain(session.peer_id, track), "pictures of a receiver")
            await self._client.send(Answer(await session.describe(), to=session.peer_id))

    async def _drain(self, sender: str, track: MediaStreamTrack) -> None:
        """Take each picture at once: aiortc's queue has no limit, so what waited there would be
        late for ever."""
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, av.VideoFrame) and sender in self._senders:
                came = self._senders[sender].frames + 1
                self._senders[sender] = Received(came, frame.width, frame.height)
                # It takes the place of an older one in the dictionary's order, so that a sender
                # with more pictures does not come before the others.
                self._untaken[sender] = frame
                self._news.set()
