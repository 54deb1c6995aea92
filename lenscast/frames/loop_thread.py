"""An event loop in a thread of its own, for programs that have none."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

LOOK_SECONDS = 0.5
"""How often a caller that waits looks whether the thread lives. On Windows, Ctrl-C is noticed
only between two looks."""
CLOSE_SECONDS = 10.0

_Result = TypeVar("_Result")


class LoopThread:
    """Runs coroutines for other threads. It does not keep the process alive.

    Parameters
    ----------
    name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event
        self._death: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._begun.wait()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run something in the thread, and wait for its result.

        Raises
        ------
        RuntimeError: the thread has ended; its cause is what ended it.
        BaseException: what the work raises, or what interrupts waiting for it, such as
            KeyboardInterrupt; the work is then cancelled.
        """
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise self._ended()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while True:
                concurrent.futures.wait([future], LOOK_SECONDS)
                if future.done():
                    return future.result()
                if not self._thread.is_alive():
                    work.close()
                    raise self._ended()
        except concurrent.futures.CancelledError:
            raise self._ended() from self._death
        finally:
            future.cancel()

    def close(self) -> None:
        """End the thread, and what still runs in it. Twice is harmless."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._wait())
        except BaseException as error:  # noqa: BLE001 - whoever waits for a result is told
            self._death = error
        finally:
            self._begun.set()

    async def _wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._begun.set()
        await self._stop.wait()

    def _ended(self) -> RuntimeError:
        error = RuntimeError("The thread that receives frames has ended.")
        error.__cause__ = self._death
        return error
