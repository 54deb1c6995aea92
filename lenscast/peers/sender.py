"""A sender that lives in Python: one video track to every receiver of a room.

Owns the track and hands its pictures out. Imports `lenscast.peers` (signaling, session, tasks,
encoder, picture) and `signaling.room.messages`.
"""

import asyncio
import logging
import ssl
from types import TracebackType
from typing import Any, Self

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from lenscast.peers.encoder import send_vp8
from lenscast.peers.picture import VideoTrack
from lenscast.peers.session import Session, Sessions
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
    State,
    TurnConfig,
)

log = logging.getLogger(__name__)


class Sender:
    """Sends a track to every receiver of a room, as an async context manager.

    Entering joins the room; then receivers come and go by themselves, each with a connection
    and an encoder of its own. A receiver that is behind misses pictures, it does not lag.
    Leaving ends all connections within a second, stops the track, and raises what ended the
    sender early unless `wait` has raised it.

    Parameters
    ----------
    link: the room's link for senders.
    picture: the track; it belongs to the sender from here on.
    name: what receivers are told, at most 64 characters.
    bitrate: the most that each receiver is sent, in bit/s.
    relay_only: connect through a TURN relay only.
    ssl_context: for https links whose certificate the system does not trust.

    Raises
    ------
    ValueError: it is not a sender's link.
    """

    def __init__(
        self,
        link: str,
        picture: VideoTrack,
        *,
        name: str | None = None,
        bitrate: int = 2_500_000,
        relay_only: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._client = SignalingClient(link, name=name, ssl_context=ssl_context)
        if self._client.link.role != "sender":
            raise ValueError("This is not the link of a sender.")
        self._picture = picture
        self._bitrate = bitrate
        self._relay_only = relay_only
        self._tasks = Tasks()
        self._newest = _Newest()
        self._sessions: Sessions
        self._size: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        """This sender's id in the room."""
        return self._client.registered.id

    async def __aenter__(self) -> Self:
        """Join the room.

        Raises
        ------
        Refusal: the server does not let this sender in; with its code and sentence.
        ConnectionError: the server cannot be reached, or does not answer in time.
        """
        try:
            await self._client.__aenter__()
        except BaseException:
            self._picture.stop()
            raise
        self._sessions = Sessions(
            self._tasks,
            self._serve,
            self._client.registered.ice_servers,
            relay_only=self._relay_only,
        )
        self._tasks.start(self._read(), "signaling of a sender")
        self._tasks.start(self._take_pictures(), "pictures of a sender")
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
            self._picture.stop()
            await self._client.close()
        if error is None:
            self._tasks.raise_untold()

    async def wait(self) -> None:
        """Wait until the track has ended.

        Raises
        ------
        ConnectionEnded: the connection to the server is over.
        Exception: whatever else ended the sender, such as an error of the track.
        """
        await self._tasks.wait()

    async def _read(self) -> None:
        while True:
            match message := await self._client.receive():
                case PeerConnected():
                    self._sessions.begin(message.id)
                case PeerDisconnected():
                    self._sessions.end(message.id)
                case Control(settings={"restart": True | "anew"}, from_=str(receiver)):
                    # aiortc has no ICE restart: both need another connection.
                    self._sessions.renew(receiver)
                case Answer() | IceCandidate():
                    self._sessions.hand(message)
                case TurnConfig():
                    self._sessions.ice_servers = message.ice_servers
                case Error():
                    log.warning("the server refused a message: %s", message.message)
                case _:
                    log.debug("a sender in Python has no use for %s", message.type)

    async def _take_pictures(self) -> None:
        while True:
            try:
                frame = await self._picture.recv()
            except MediaStreamError:
                self._tasks.finish()
                return
            if not isinstance(frame, av.VideoFrame):
                raise TypeError(f"The track gave a {type(frame).__name__}, not a picture.")
            self._newest.put(frame)
            if self._size != (frame.width, frame.height):
                self._size = frame.width, frame.height
                if self._sessions:
                    await self._client.send(State(self._state(self._size)))

    async def _serve(self, session: Session) -> None:
        view = _View(self._newest)
        view.on("ended", lambda: self._on_view_ended(session))
        send_vp8(session.connection.addTransceiver(view, direction="sendonly"), self._bitrate)
        offer = Offer(await session.describe(), to=session.peer_id)
        await self._client.send(offer)
        if self._size is not None:
            await self._client.send(State(self._state(self._size), to=session.peer_id))
        while True:
            message = await session.next()
            if isinstance(message, IceCandidate):
                await session.add(message)
            else:
                await session.apply(message)

    def _on_view_ended(self, session: Session) -> None:
        # aiortc logs what goes wrong while it encodes or sends, and only stops the track.
        if session.connection.signalingState != "closed":
            session.drop("its pictures could not be sent")

    def _state(self, size: tuple[int, int]) -> dict[str, Any]:
        width, height = size
        rate = round(self._picture.frame_rate, 2)
        return {
            "status": "live",
            "width": width,
            "height": height,
            "frameRate": rate,
            "presets": [],
        }


class _Newest:
    """The newest picture, for any number of views."""

    def __init__(self) -> None:
        self._frame: av.VideoFrame | None = None
        self._came = asyncio.Event()

    def put(self, frame: av.VideoFrame) -> None:
        self._frame = frame
        came, self._came = self._came, asyncio.Event()
        came.set()

    async def after(self, seen: av.VideoFrame | None) -> av.VideoFrame:
        while self._frame is None or self._frame is seen:
            await self._came.wait()
        return self._frame


class _View(MediaStreamTrack):
    """The track as one receiver gets it: aiortc stops a track when a connection ends."""

    kind = "video"

    def __init__(self, newest: _Newest) -> None:
        super().__init__()
        self._newest = newest
        self._seen: av.VideoFrame | None = None

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        self._seen = await self._newest.after(self._seen)
        return self._seen
