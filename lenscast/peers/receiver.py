"""A receiver in Python: it has the newest picture of every sender of a room."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import av
from aiortc.mediastreams import MediaStreamTrack

from lenscast.peers.arrival import Arrival, CaptureClock
from lenscast.peers.feed import frames
from lenscast.peers.member import Member
from lenscast.peers.negotiation import Media
from lenscast.peers.signaling import NORMAL, ConnectionEnded, SignalingClient
from lenscast.peers.transport import Transport
from signaling.room.messages import Control, PeerConnected, ServerMessage, State

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Received:
    """What has come from one sender.

    Attributes
    ----------
    frames: how many pictures have come, taken or not.
    width, height: the size of the newest one, in pixels; 0 before the first.
    skipped: how many of them were replaced by a newer one before they were taken.
    name: what the sender calls itself.
    state: what it shows of itself, as docs/protocol.md has it; nobody has checked it.
    """

    frames: int = 0
    width: int = 0
    height: int = 0
    skipped: int = 0
    name: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)


class Receiver(Member):
    """Receives the pictures of every sender of a room, as an async context manager.

    Entering joins the room; then senders come and go by themselves, each with a connection of
    its own. The newest picture of each sender is kept until it is taken: whoever takes them slowly
    gets fewer pictures, but never old ones. Leaving ends all connections within a second, and
    raises what ended the receiver early unless `frame` or `frames` has raised it.

    Parameters
    ----------
    link: the room's link for receivers, or for viewers.
    name: what senders are told, at most 64 characters.
    relay_only: connect through a TURN relay only.
    ssl_context: for https links whose certificate the system does not trust.
    transport: what carries the messages to the server; None for a WebSocket.

    Raises
    ------
    ValueError: it is not a link of these.
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
        if client.link.role not in ("receiver", "viewer"):
            raise ValueError("This is not the link of a receiver or a viewer.")
        self._news = asyncio.Event()
        self._senders: dict[str, Received] = {}
        self._untaken: dict[str, Arrival] = {}
        self._taken: dict[str, int] = {}
        self._wish: Mapping[str, Any] = {}
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

    @property
    def invite(self) -> str | None:
        """The link that brings a sender into the room; None where this peer may not know it."""
        invite = self._client.registered.invite
        return invite.url if invite else None

    async def frame(self, sender: str | None = None) -> av.VideoFrame:
        """The newest picture, as soon as there is one that was not taken before.

        This waits for as long as it takes, also for a sender to come; `asyncio.timeout` limits it.

        Parameters
        ----------
        sender: the id of the sender to wait for; None for all of them, in turn.

        Returns
        -------
        A decoded frame: `width` x `height` pixels, mostly in the format yuv420p.

        Raises
        ------
        ConnectionEnded: the connection to the server is over, or the receiver is closed.
        LookupError: that sender is not in the room, or has left it.
        Exception: whatever else ended the receiver.
        """
        return (await self.wait_for(lambda: self.take(sender))).picture

    def take(self, sender: str | None = None) -> Arrival | None:
        """Take the newest picture, if there is one that was not taken before.

        Raises
        ------
        LookupError: that sender is not in the room, or has left it.
        """
        self._require(sender)
        wanted = next(iter(self._untaken), None) if sender is None else sender
        if wanted not in self._untaken:
            return None
        arrival = self._untaken.pop(wanted)
        before = self._taken.get(wanted, -1)
        self._taken[wanted] = arrival.number
        return replace(arrival, skipped=arrival.number - before - 1)

    async def wait_for(self, find: Callable[[], _Found | None]) -> _Found:
        """Wait until something is found. It is looked for now, and whenever a picture or a state
        has come, or a sender has come or gone.

        Raises
        ------
        ConnectionEnded: the connection to the server is over, or the receiver is closed.
        Exception: what `find` raises, and whatever else ended the receiver.
        """
        while True:
            self._tasks.check()
            if self._tasks.over:
                raise ConnectionEnded(NORMAL, "It was closed here.")
            if (found := find()) is not None:
                return found
            self._news.clear()
            await self._news.wait()

    async def ask(self, settings: Mapping[str, Any]) -> None:
        """Ask every sender for settings, and those that come later as well.

        Parameters
        ----------
        settings: as docs/protocol.md has them, such as {"preset": "hd"}; they are added to those
            that were asked for before. Whoever came by a viewer's link is refused by the server.

        Raises
        ------
        ConnectionEnded: the connection to the server is over.
        """
        self._wish = {**self._wish, **settings}
        for sender, received in list(self._senders.items()):
            if received.state:
                await self._client.send(Control(settings, to=sender))

    async def frames(self, sender: str | None = None) -> AsyncIterator[av.VideoFrame]:
        """Each newest picture; parameters and errors are those of `frame`.

        For one `sender` it ends when that sender has left.
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
        self._senders[peer.id] = Received(name=peer.name)
        self._news.set()

    def _on_gone(self, peer_id: str) -> None:
        self._senders.pop(peer_id, None)
        self._untaken.pop(peer_id, None)
        self._taken.pop(peer_id, None)
        self._news.set()

    def _on_message(self, message: ServerMessage) -> None:
        match message:
            case State(from_=str(sender)) if sender in self._senders:
                known = self._senders[sender]
                self._senders[sender] = replace(known, state=message.state)
                if self._wish and not known.state:
                    wish = Control(self._wish, to=sender)
                    self._tasks.start(self._client.send(wish), f"asking {sender}")
                self._news.set()
            case _:
                super()._on_message(message)

    async def _keep_newest(self, sender: str, track: MediaStreamTrack) -> None:
        clock = CaptureClock()
        async for frame in frames(track):
            if sender in self._senders:
                now = asyncio.get_running_loop().time()
                taken = clock.time(frame.time, now) - now + time.time()
                known = self._senders[sender]
                self._senders[sender] = replace(
                    known,
                    frames=known.frames + 1,
                    width=frame.width,
                    height=frame.height,
                    skipped=known.skipped + (sender in self._untaken),
                )
                # It keeps the place of an older one in the dictionary's order, so that a sender
                # with more pictures is not served before the others.
                self._untaken[sender] = Arrival(sender, known.frames, 0, taken, frame)
                self._news.set()
