"""What waits to be sent to one client: bounded, shared fairly, in order, read by one writer."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class _Waiting:
    text: str
    lasting: bool
    source: str | None


class Outbox:
    """A queue of messages with a limit on their number and on their bytes.

    The other peers are its sources, and share the limits: of one source there may wait as much as
    is still free. So one alone gets half, two get a third each, and there is always room for
    another one, however much the others send (Choudhury and Hahne, "Dynamic queue length
    thresholds for shared-memory packet switches", 1998). What the server itself has to say has
    `max_bytes` of its own, since nobody may miss it.

    Parameters
    ----------
    max_messages, max_bytes: what may wait at most, from all sources together.
    clock: seconds of a clock that never jumps.
    """

    def __init__(
        self, max_messages: int, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._more = _Share()
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._shares: dict[str, _Share] = {}
        self._all = _Share()  # Of all sources together.
        self._own_bytes = 0  # Of the server itself.
        self._taken_at = clock()
        self._ending: Ending | None = None
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be added."""
        return self._ending is not None

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._all.bytes + self._own_bytes

    def put(self, text: str, *, source: str | None = None, lasting: bool = True) -> bool:
        """Add a message.

        Parameters
        ----------
        source: the peer that it comes from; None: the server itself.
        lasting: it still means something to a client that was cut off and comes back.

        Returns
        -------
        False: it does not fit, and was not added.
        """
        if not self._has_room(len(text), source):
            return False
        if self._ending is None:
            if not self._waiting:
                self._taken_at = self._clock()
            self._append(_Waiting(text, lasting, source))
            self._changed.set()
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
                self._append(waiting)
        other.clear()
        self._changed.set()

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
        self._changed.set()

    async def get(self) -> str | Ending:
        """The next message, or how to close when there are no more."""
        while not self._waiting:
            if self._ending is not None:
                return self._ending
            self._changed.clear()
            await self._changed.wait()
        waiting = self._waiting.popleft()
        self._taken_at = self._clock()
        self._count_out(waiting)
        return waiting.text

    def _has_room(self, size: int, source: str | None) -> bool:
        if source is None:
            return self._own_bytes + size <= self._max_bytes
        share = self._shares.get(source)
        messages, filled = (share.messages, share.bytes) if share else (0, 0)
        free_messages = self._max_messages + self._more.messages - self._all.messages
        free_bytes = self._max_bytes + self._more.bytes - self._all.bytes
        return messages < free_messages and filled + size <= free_bytes

    def _append(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        size = len(waiting.text)
        if waiting.source is None:
            self._own_bytes += size
            return
        share = self._shares.get(waiting.source)
        if share is None:
            share = self._shares[waiting.source] = _Share()
        for counted in (share, self._all):
            counted.messages += 1
            counted.bytes += size

    def _count_out(self, waiting: _Waiting) -> None:
        size = len(waiting.text)
        if waiting.source is None:
            self._own_bytes -= size
            return
        share = self._shares[waiting.source]
        for counted in (share, self._all):
            counted.messages -= 1
            counted.bytes -= size
        if not share.messages:
            del self._shares[waiting.source]
