"""The phone as a camera for programs that run an event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, Unpack, get_args

from lenscast.frames.frame import Format, Frame, PhoneLost
from lenscast.frames.room import Options, joined
from lenscast.peers.arrival import Arrival
from lenscast.peers.receiver import Received, Receiver
from lenscast.peers.signaling import NORMAL, ConnectionEnded
from signaling.config import Preset

Lost = Literal["wait", "raise"]


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    """Refuse what is not known; not everybody checks types.

    Raises
    ------
    ValueError: it is none of these.
    """
    if given not in known:
        raise ValueError(f"{given!r} is no {what} of a camera: use one of {', '.join(known)}.")


class AsyncCamera:
    """The newest frames of the phones in a room, as an async context manager.

    Entering starts a server in this process and prints the QR code; or it joins a server that
    runs. Whoever takes frames slowly misses some, and is never given an old one.

    Parameters
    ----------
    link: a receiver's or viewer's link. None: this user's server on this computer, or a new one
        in this process where none runs.
    format: how the pixels of `frame.image` lie.
    lost: what to do when the phone has left, or was cut off for longer than its place is kept
        (45 s), and no other one is there: "wait" for the next one, or "raise" PhoneLost.
    timeout: how many seconds to wait for a frame at most; None: as long as it takes.
    options: as `lenscast.frames.room.Options` lists them.

    Raises
    ------
    ValueError: there is no such format or option.
    """

    def __init__(
        self,
        link: str | None = None,
        *,
        format: Format = "bgr24",  # noqa: A002 - what it is called everywhere else
        lost: Lost = "wait",
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> None:
        _check("format", format, get_args(Format))
        _check("lost", lost, get_args(Lost))
        for name in options:
            _check("option", name, tuple(Options.__annotations__))
        self._joining = joined(link, options)
        self._format = format
        self._lost = lost
        self._timeout = timeout
        self._stack = contextlib.AsyncExitStack()
        self._receiver: Receiver | None = None
        self._watched: set[str] = set()
        self.presets: Mapping[str, Preset] = {}

    async def __aenter__(self) -> Self:
        """Join the room.

        Raises
        ------
        SetupError: no server can be started here, or it is not clear which one to join.
        Refusal: the server does not let this program in.
        ConnectionError: the server cannot be reached.
        ValueError: it is not a link of a receiver or a viewer.
        """
        self._receiver, settings = await self._stack.enter_async_context(self._joining)
        self.presets = settings.video.presets
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the room, and stop the server that was started."""
        await self._stack.__aexit__(kind, error, trace)

    @property
    def phones(self) -> Mapping[str, Received]:
        """Who is in the room, by id: `name`, `width`, `height`, how many `frames` have come and
        how many of them were `skipped`, and the `state` that the phone shows."""
        return self._room().senders

    async def read(self, sender: str | None = None) -> Frame:
        """The newest frame, as soon as there is one that was not read before.

        Parameters
        ----------
        sender: the id of one phone; None for all of them, in turn.

        Raises
        ------
        TimeoutError: none has come within the time that was asked for.
        PhoneLost: that phone has left; or nobody is there any more, and this was asked for.
        ConnectionEnded: the connection to the server is over, or this camera is closed.
        """
        receiver = self._room()
        try:
            async with asyncio.timeout(self._timeout):
                arrival = await receiver.wait_for(lambda: self._take(receiver, sender))
        except TimeoutError as error:
            raise TimeoutError(f"No frame has come for {self._timeout:g} s.") from error
        return Frame(
            arrival.time,
            arrival.number,
            arrival.skipped,
            arrival.sender,
            receiver.senders[arrival.sender].name if arrival.sender in receiver.senders else None,
            arrival.picture,
            self._format,
        )

    async def frames(self, sender: str | None = None) -> AsyncIterator[Frame]:
        """Each newest frame; parameters and errors are those of `read`.

        Those of one phone end when it has left, unless PhoneLost was asked for.
        """
        while True:
            try:
                frame = await self.read(sender)
            except PhoneLost:
                if sender is None or self._lost == "raise":
                    raise
                return
            yield frame

    def __aiter__(self) -> AsyncIterator[Frame]:
        """Each newest frame of all phones in turn."""
        return self.frames()

    async def ask(self, **settings: Any) -> None:
        """Ask the phones for other settings, and those that come later as well.

        Parameters
        ----------
        settings: as docs/protocol.md has them, such as `preset="hd"` or `facing="user"`. The
            person at the phone may have refused control; then nothing changes.

        Raises
        ------
        ConnectionEnded: the connection to the server is over.
        """
        await self._room().ask(settings)

    async def size(self) -> tuple[int, int]:
        """Width and height in pixels of the newest frame, once one has come; it is not taken."""
        receiver = self._room()

        def newest() -> tuple[int, int] | None:
            sizes = [(one.width, one.height) for one in receiver.senders.values() if one.frames]
            return sizes[0] if sizes else None

        async with asyncio.timeout(self._timeout):
            return await receiver.wait_for(newest)

    def _room(self) -> Receiver:
        if self._receiver is None:
            raise ConnectionEnded(NORMAL, "It has not been entered.")
        return self._receiver

    def _take(self, receiver: Receiver, sender: str | None) -> Arrival | None:
        try:
            arrival = receiver.take(sender)
        except LookupError as error:
            raise PhoneLost(f"The phone {sender} has left.") from error
        if arrival is not None:
            self._watched = {*self._watched.intersection(receiver.senders), arrival.sender}
        elif self._lost == "raise" and self._watched and not receiver.senders:
            self._watched = set()  # It is said once; then the next phone is waited for.
            raise PhoneLost("The phone has left.")
        return arrival
