"""The background tasks of a peer: the first one that fails ends the peer, and its user is told."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """The tasks of one peer.

    Parameters
    ----------
    on_end: called once the peer is over, by an error or by `finish`.
    """

    def __init__(self, on_end: Callable[[], None] = lambda: None) -> None:
        self._on_end = on_end
        self._running: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._error: BaseException | None = None
        self._told = False

    @property
    def over(self) -> bool:
        """Whether the peer is over, by an error or by `finish`."""
        return self._over.is_set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something until it ends or `close` cancels it."""
        return self._own(work, name, self._running)

    def start_closing(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something that `close` waits for and does not cancel; it must limit its own time."""
        self._own(work, name, self._closing)

    def finish(self) -> None:
        """End the peer without an error."""
        if not self._over.is_set():
            self._over.set()
            self._on_end()

    def check(self) -> None:
        """Raise the error that ended the peer, if one has."""
        if self._error is not None:
            self._told = True
            raise self._error

    async def wait(self) -> None:
        """Wait until the peer is over, and raise the error that ended it, if one has."""
        await self._over.wait()
        self.check()

    async def close(self) -> None:
        """Cancel what runs, and wait until everything has ended."""
        for task in self._running:
            task.cancel()
        while pending := self._running | self._closing:
            await asyncio.wait(pending)
        self.finish()

    def raise_untold(self) -> None:
        """Raise the error that ended the peer, if nobody has been told of it yet."""
        if not self._told:
            self.check()

    def _own(
        self, work: Coroutine[Any, Any, None], name: str, among: set[asyncio.Task[None]]
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        among.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            among.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._error = self._error or error
                self.finish()

        task.add_done_callback(ended)
        return task
