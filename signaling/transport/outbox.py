"""What waits to be sent to one client: bounded, shared fairly, in order, read by one writer."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection is to be closed: a close code (RFC 6455 7.4) and its reason."""

    code: int
    reason: str


@dataclass(slots=True)
class _Share:
    """What waits from one source."""

    messages: int = 0
    bytes: int = 0


class News(Enum):
    """What a message means to a client that meets a peer, or meets it no more."""

    CAME = "the client meets it, and has not known of it"
    AWAY_OR_BACK = "it is away or back, as the client may have heard before"
    GONE = "the client meets it no more"
    ITS_OWN = "what means nothing without it, such as what it shows of itself"


class About(NamedTuple):
    """Which peer a message is about, and what it says."""

    peer_id: str
    news: News


class _Waiting(NamedTuple):
    text: str
    lasting: bool
    source: str | None
    share: _Share | None
    """That of its source; None where the server itself says it."""
    about: About | None


def _nowhere(_text: str) -> bool:
    return False


def _nobody() -> None:
    pass


class Outbox:
    """A queue of messages with a limit on their number and on their bytes.

    The other peers are its sources, and share the limits: of one source there may wait as much as
    is still free. So one alone gets half, two get a third each, and there is always room for
    another one, however much the others send (Choudhury and Hahne, "Dynamic queue length
    thresholds for shared-memory packet switches", 1998). What the server itself has to say has
    `max_bytes` of its own, since nobody may miss it. Peers that come and go again do not fill that:
    of a peer that is gone before the client has heard of it, nothing is left.

    Parameters
    ----------
    max_messages, max_bytes: what may wait at most, from all sources together.
    clock: seconds of a clock that never jumps.
    """

    __slots__ = (
        "_all",
        "_clock",
        "_ending",
        "_max_bytes",
        "_max_messages",
        "_more",
        "_own_bytes",
        "_send",
        "_shares",
        "_taken_at",
        "_waiting",
        "_wake",
    )

    def __init__(
        self, max_messages: int, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._more = _Share()
        self._clock = clock
        # Not a deque, which takes ten times the memory while nothing waits.
        self._waiting: list[_Waiting] = []
        self._shares: dict[str, _Share] = {}
        self._all = _Share()  # Of all sources together.
        self._own_bytes = 0  # Of the server itself.
        self._taken_at = clock()
        self._ending: Ending | None = None
        self._send: Callable[[str], bool] = _nowhere
        self._wake: Callable[[], None] = _nobody

    @property
    def ended(self) -> bool:
        """Whether nothing more will be added."""
        return self._ending is not None

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._all.bytes + self._own_bytes

    def read_by(self, send: Callable[[str], bool], wake: Callable[[], None]) -> None:
        """Have a transport told of what comes, in place of its waiting in `get`.

        Parameters
        ----------
        send: sends a message at once. False: it cannot now, and the message was not sent.
        wake: something waits for `take`.
        """
        self._send, self._wake = send, wake

    def pass_on(self, text: str) -> bool:
        """Hand a message to the client at once. False: something waits before it, or its transport
        cannot send now; then it has to be put here."""
        return (
            not self._waiting
            and self._ending is None
            and len(text) <= self._max_bytes
            and self._send(text)
        )

    def put(
        self,
        text: str,
        *,
        source: str | None = None,
        lasting: bool = True,
        about: About | None = None,
    ) -> bool:
        """Add a message.

        Parameters
        ----------
        source: the peer that it comes from; None: the server itself.
        lasting: it still means something to a client that was cut off and comes back.
        about: the peer without which it means nothing, if there is one.

        Returns
        -------
        False: it does not fit, and was not added.
        """
        if about is not None and self._drop_outdated(about):
            return True
        share = None if source is None else self._shares.get(source) or _Share()
        if not self._has_room(len(text), share):
            return False
        if self._ending is None:
            if not self._waiting:
                self._taken_at = self._clock()
            self._append(_Waiting(text, lasting, source, share, about))
            self._wake()
        return True

    def stalled(self, seconds: float) -> bool:
        """Whether something waits, and nothing was taken for so long."""
        return bool(self._waiting) and self._clock() - self._taken_at >= seconds

    def read_within(self, seconds: float) -> bool:
        """Whether something waits, and something was taken not longer ago than that."""
        return bool(self._waiting) and self._clock() - self._taken_at < seconds

    def take_over(self, other: "Outbox", *, lasting: bool = False) -> None:
        """Add what waits in another outbox, whether it fits or not; that one is empty then.

        Parameters
        ----------
        lasting: take the lasting messages alone; the others are dropped.
        """
        if not self._waiting:
            self._taken_at = self._clock()
        for waiting in other._waiting:
            if waiting.lasting or not lasting:
                source = waiting.source
                share = None if source is None else self._shares.get(source) or _Share()
                self._append(waiting._replace(share=share))
        other.clear()
        self._wake()

    def clear(self) -> None:
        """Drop all that waits."""
        self._waiting.clear()
        self._shares.clear()
        self._all = _Share()
        self._own_bytes = 0

    def make_room(self) -> None:
        """Let as much more wait as waits now, so that it takes no room from what is to come; but
        at most twice the limits in all, however often a client comes back and reads nothing."""
        self._more = _Share(
            min(self._all.messages, self._max_messages), min(self._all.bytes, self._max_bytes)
        )

    def end(self, code: int, reason: str) -> None:
        """Nothing more is added; the connection closes once what waits is sent."""
        self._ending = self._ending or Ending(code, reason)
        self._wake()

    async def get(self) -> str | Ending:
        """The next message, or how to close when there are no more; waits for one of the two."""
        while (item := self.take()) is None:
            changed = asyncio.Event()
            self._wake = changed.set
            await changed.wait()
        return item

    def take(self) -> str | Ending | None:
        """The next message, or how to close when there are no more; None while nothing waits."""
        if not self._waiting:
            return self._ending
        waiting = self._waiting.pop(0)
        if self._waiting:
            self._taken_at = self._clock()
        self._count_out(waiting)
        return waiting.text

    def _drop_outdated(self, newest: About) -> bool:
        """Drop what a message about a peer leaves without meaning; whether that holds for the
        message itself too."""
        if newest.news is News.GONE:
            outdated = {About(newest.peer_id, news) for news in News}
        elif newest.news is News.AWAY_OR_BACK:
            outdated = {newest}
        else:
            return False
        dropped = [waiting for waiting in self._waiting if waiting.about in outdated]
        if dropped:
            self._waiting = [w for w in self._waiting if w.about not in outdated]
            for waiting in dropped:
                self._count_out(waiting)
        return any(waiting.about == (newest.peer_id, News.CAME) for waiting in dropped)

    def _has_room(self, size: int, share: _Share | None) -> bool:
        if share is None:
            return self._own_bytes + size <= self._max_bytes
        filled = self._all
        return (
            share.messages + filled.messages < self._max_messages + self._more.messages
            and share.bytes + filled.bytes + size <= self._max_bytes + self._more.bytes
        )

    def _append(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        size, share, filled = len(waiting.text), waiting.share, self._all
        if share is None or waiting.source is None:
            self._own_bytes += size
            return
        if not share.messages:
            self._shares[waiting.source] = share
        share.messages += 1
        share.bytes += size
        filled.messages += 1
        filled.bytes += size

    def _count_out(self, waiting: _Waiting) -> None:
        size, share, filled = len(waiting.text), waiting.share, self._all
        if share is None or waiting.source is None:
            self._own_bytes -= size
            return
        share.messages -= 1
        share.bytes -= size
        filled.messages -= 1
        filled.bytes -= size
        if not share.messages:
            del self._shares[waiting.source]
