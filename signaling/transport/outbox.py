"""What waits to be sent to one client: bounded, in order, read by one writer."""

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection is to be closed: a close code (RFC 6455 7.4) and its reason."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    text: str
    lasting: bool


class Outbox:
    """A queue of messages with a limit on their number and on their bytes.

    Parameters
    ----------
    max_messages, max_bytes: what may wait at most.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._more_messages = 0
        self._more_bytes = 0
        self._bytes = 0
        self._waiting: deque[_Waiting] = deque()
        self._ending: Ending | None = None
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be added."""
        return self._ending is not None

    @property
    def size(self) -> int:
        """How many characters wait."""
        return self._bytes

    def put(self, text: str, *, lasting: bool = True) -> bool:
        """Add a message.

        Parameters
        ----------
        lasting: it still means something to a client that was cut off and comes back.

        Returns
        -------
        False: it does not fit, and was not added.
        """
        if (
            len(self._waiting) >= self._max_messages + self._more_messages
            or self._bytes + len(text) > self._max_bytes + self._more_bytes
        ):
            return False
        if self._ending is None:
            self._waiting.append(_Waiting(text, lasting))
            self._bytes += len(text)
            self._changed.set()
        return True

    def take_over(self, other: "Outbox", *, lasting: bool = False) -> None:
        """Add what waits in another outbox, whether it fits or not; that one is empty then.

        Parameters
        ----------
        lasting: take the lasting messages alone; the others are dropped.
        """
        taken = [waiting for waiting in other._waiting if waiting.lasting or not lasting]
        self._waiting.extend(taken)
        self._bytes += sum(len(waiting.text) for waiting in taken)
        other._waiting.clear()
        other._bytes = 0
        self._changed.set()

    def make_room(self) -> None:
        """Let as much more wait as waits now, so that it takes no room from what is to come; but
        at most twice the limits in all, however often a client comes back and reads nothing."""
        self._more_messages = min(len(self._waiting), self._max_messages)
        self._more_bytes = min(self._bytes, self._max_bytes)

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
        text = self._waiting.popleft().text
        self._bytes -= len(text)
        return text
