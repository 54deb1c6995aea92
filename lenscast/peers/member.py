"""What all peers in Python have in common: their place in a room, and their connections there."""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lenscast.peers.negotiation import Media, Negotiation
from lenscast.peers.session import RENEWAL_SECONDS, Session, Sessions
from lenscast.peers.signaling import SignalingClient
from lenscast.peers.tasks import Tasks
from signaling.room.messages import (
    Answer,
    Control,
    Error,
    IceCandidate,
    Offer,
    PeerConnected,
    PeerDisconnected,
    ServerMessage,
    TurnConfig,
)

log = logging.getLogger(__name__)


class Member:
    """A peer of a room, as an async context manager.

    Entering joins the room; then other peers come and go by themselves, each with a connection
    of its own. Leaving ends all connections within a second, and raises what ended this peer
    early unless somebody has been told of it.

    Parameters
    ----------
    client: a signaling client that has not been entered; it belongs to this peer from here on.
    audio, video: what goes out and comes in by each connection.
    relay_only: connect through a TURN relay only.
    on_end: called once this peer is over.
    """

    def __init__(
        self,
        client: SignalingClient,
        *,
        audio: Media,
        video: Media,
        relay_only: bool,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._media = {"audio": audio, "video": video}
        self._relay_only = relay_only
        self._tasks = Tasks(on_end)
        self._sessions: Sessions
        self._met: dict[str, PeerConnected] = {}

    @property
    def id(self) -> str:
        """This peer's id in the room."""
        return self._client.registered.id

    async def __aenter__(self) -> Self:
        """Join the room.

        Raises
        ------
        Refusal: the server does not let this peer in; with its code and sentence.
        ConnectionError: the server cannot be reached, or does not answer in time.
        """
        try:
            await self._client.__aenter__()
        except BaseException:
            self._release()
            raise
        self._sessions = Sessions(
            self._tasks,
            self._serve,
            self._client.registered.ice_servers,
            relay_only=self._relay_only,
            on_failed=self._on_failed,
        )
        self._tasks.start(self._read(), f"signaling of a {type(self).__name__}")
        self._start()
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
            self._release()
            await self._client.close()
        if error is None:
            self._tasks.raise_untold()

    async def wait(self) -> None:
        """Wait until this peer is over.

        Raises
        ------
        ConnectionEnded: the connection to the server is over.
        Exception: whatever else ended it, such as an error of a track.
        """
        await self._tasks.wait()

    def _start(self) -> None:
        """Start what this peer does besides connecting; it has joined the room."""

    def _release(self) -> None:
        """Let go of what this peer holds; it has left the room, or was not let in."""

    def _on_met(self, peer: PeerConnected) -> None:
        """Another peer is in the room."""

    def _on_gone(self, peer_id: str) -> None:
        """Another peer has left the room, or is lost."""

    def _on_message(self, message: ServerMessage) -> None:
        """A message has come that is not about connections."""
        log.debug("a peer in Python has no use for %s", message.type)

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._client.receive())
        finally:
            # A peer that is out of the room must not be seen or heard there any more.
            self._sessions.end_all()

    def _take(self, message: ServerMessage) -> None:
        match message:
            case PeerConnected():
                self._met[message.id] = message
                self._on_met(message)
                if self._client.offers_to(message.id):
                    self._sessions.begin(message.id, offers=True)
            case PeerDisconnected():
                self._sessions.end(message.id)
                self._met.pop(message.id, None)
                self._on_gone(message.id)
            case Control(settings={"restart": True | "anew"}, from_=str(peer)):
                # aiortc has no ICE restart: both need another connection.
                if self._client.offers_to(peer):
                    self._sessions.renew(peer)
            case Offer(from_=str(peer)):
                if peer in self._met and not self._client.offers_to(peer):
                    self._sessions.answer(peer, message)
            case Answer() | IceCandidate():
                self._sessions.hand(message)
            case TurnConfig():
                self._sessions.ice_servers = message.ice_servers
            case Error():
                log.warning("the server refused a message: %s", message.message)
                self._on_message(message)
            case _:
                self._on_message(message)

    async def _serve(self, session: Session) -> None:
        negotiation = Negotiation(session, self._media, self._client.send)
        if session.offers:
            await negotiation.offer()
        while True:
            await negotiation.take(await session.next())

    def _on_failed(self, session: Session) -> None:
        self._tasks.start(self._connect_again(session), f"reconnecting {session.peer_id}")

    async def _connect_again(self, failed: Session) -> None:
        """Make another connection, or ask the side that offers: it may not have noticed."""
        lasted = asyncio.get_running_loop().time() - failed.begun
        await asyncio.sleep(max(0.0, RENEWAL_SECONDS - lasted))
        if failed.peer_id not in self._met or failed.peer_id in self._sessions:
            return
        if failed.offers:
            self._sessions.begin(failed.peer_id, offers=True)
        else:
            await self._client.send(Control({"restart": "anew"}, to=failed.peer_id))
