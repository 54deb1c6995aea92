"""A sender in Python: it sends one video track to every receiver of a room."""

import ssl
from collections.abc import Callable, Mapping
from typing import Any

from lenscast.peers.feed import Feed
from lenscast.peers.member import Member
from lenscast.peers.negotiation import BITRATE, Media
from lenscast.peers.picture import VideoTrack
from lenscast.peers.signaling import SignalingClient
from lenscast.peers.transport import Transport
from signaling.room.messages import Control, PeerConnected, ServerMessage, State

OnControl = Callable[[PeerConnected, Mapping[str, Any]], None]


class Sender(Member):
    """Sends a track to every receiver of a room, as an async context manager.

    Entering joins the room; then receivers come and go by themselves, each with a connection
    and an encoder of its own. A receiver that is behind misses pictures, it does not lag.
    Leaving ends all connections within a second, stops the track, and raises what ended the
    sender early unless `wait` has raised it. `wait` returns when the track has ended.

    Parameters
    ----------
    link: the room's link for senders.
    picture: the track; it belongs to the sender from here on.
    name: what receivers are told, at most 64 characters.
    bitrate: the most that each receiver is sent, in bit/s.
    on_control: called with a receiver and the settings that it asks for, as docs/protocol.md has
        them; nobody has checked them. None: receivers are told that nobody may control this.
    relay_only: connect through a TURN relay only.
    ssl_context: for https links whose certificate the system does not trust.
    transport: what carries the messages to the server; None for a WebSocket.

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
        bitrate: int = BITRATE,
        on_control: OnControl | None = None,
        relay_only: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        transport: Transport | None = None,
    ) -> None:
        client = SignalingClient(link, name=name, ssl_context=ssl_context, transport=transport)
        if client.link.role != "sender":
            raise ValueError("This is not the link of a sender.")
        self._picture = picture
        self._on_control = on_control
        self._feed = Feed("video")
        self._size: tuple[int, int] | None = None
        super().__init__(
            client,
            audio=Media(),
            video=Media(source=self._feed.view, bitrate=bitrate),
            relay_only=relay_only,
        )

    def _start(self) -> None:
        self._tasks.start(self._take_pictures(), "pictures of a sender")

    def _release(self) -> None:
        self._picture.stop()

    def _on_message(self, message: ServerMessage) -> None:
        match message:
            case Control(from_=str(peer)) if self._on_control is not None and peer in self._met:
                self._on_control(self._met[peer], message.settings)
            case _:
                super()._on_message(message)

    async def _take_pictures(self) -> None:
        async for frame in self._feed.read(self._picture):
            if self._size != (frame.width, frame.height):
                self._size = frame.width, frame.height
                # The server hands it to whoever comes later.
                await self._client.send(State(self._state(self._size)))
        self._tasks.finish()

    def _state(self, size: tuple[int, int]) -> dict[str, Any]:
        width, height = size
        rate = round(self._picture.frame_rate, 2)
        return {
            "status": "live",
            "width": width,
            "height": height,
            "frameRate": rate,
            "presets": [],
            "control": self._on_control is not None,
        }
