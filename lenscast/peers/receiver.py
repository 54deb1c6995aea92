"""A receiver that lives in Python: the newest picture of every sender of a room."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import av
from aiortc.mediastreams import MediaStreamTrack

from lenscast.peers.feed import frames
from lenscast.peers.member import Member
from lenscast.peers.negotiation import Media
from lenscast.peers.signaling import NORMAL, ConnectionEnded, SignalingClient
from lenscast.peers.transport import Transport
from signaling.room.messages import PeerConnected


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


class Receiver(Member):
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
    transport: what carries the messages to the server; None for a WebSocket.

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
        transport: Transport | None = None,
    ) -> None:
        client = SignalingClient(link, name=name, ssl_context=ssl_context, transport=transport)
        if client.link.role != "receiver":
            raise ValueError("This is not the link of a receiver.")
        self._news = asyncio.Event()
        self._senders: dict[str, Received] = {}
        self._untaken: dict[str, av.VideoFrame] = {}
        super().__init__(
            client,
            audio=Media(),
            video=Media(sink=self._keep_newest),
            relay_only=relay_only,
            on_end=self._news.set,
        )

    @property
    def senders(self) -> Mapping[str, Received]:
        """Who is in the room, by id, and what has come from each."""
        return MappingProxyType(self._senders)

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

    def _on_met(self, peer: PeerConnected) -> None:
        self._senders[peer.id] = Received()

    def _on_gone(self, peer_id: str) -> None:
        self._senders.pop(peer_id, None)
        self._untaken.pop(peer_id, None)
        self._news.set()

    async def _keep_newest(self, sender: str, track: MediaStreamTrack) -> None:
        async for frame in frames(track):
            if sender in self._senders:
                came = self._senders[sender].frames + 1
                self._senders[sender] = Received(came, frame.width, frame.height)
                # It takes the place of an older one in the dictionary's order, so that a sender
                # with more pictures does not come before the others.
                self._untaken[sender] = frame
                self._news.set()
