"""An event loop in a thread of its own, for programs that have none."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
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

    def run(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run something in the thread, and wait for its result.

        Parameters
        ----------
        work: called in the thread. A coroutine that was made here could be left unused when an
            interrupt comes before the thread has it.

        Raises
        ------
        RuntimeError: the thread has ended; its cause is what ended it.
        BaseException: what the work raises, or what interrupts waiting for it, such as
            KeyboardInterrupt; the work is then cancelled.
        """
        done: concurrent.futures.Future[_Result] = concurrent.futures.Future()
        tasks: list[asyncio.Task[_Result]] = []

        def start() -> None:
            if done.set_running_or_notify_cancel():
                tasks.append(asyncio.ensure_future(work()))
                tasks[0].add_done_callback(lambda task: _hand_over(task, done))

        try:
            self._call(start)
            while not concurrent.futures.wait([done], LOOK_SECONDS).done:
                if not self._thread.is_alive():
                    raise self._ended()
            return done.result()
        except concurrent.futures.CancelledError:
            raise self._ended() from self._death
        except BaseException:
            if not done.done() and not done.cancel():
                with contextlib.suppress(RuntimeError):
                    self._call(lambda: tasks[0].cancel())
            raise

    def close(self) -> None:
        """End the thread, and what still runs in it. Twice is harmless."""
        with contextlib.suppress(RuntimeError):
            self._call(lambda: self._stop.set())
        self._thread.join(CLOSE_SECONDS)

    def _call(self, function: Callable[[], object]) -> None:
        """Call something in the thread soon; RuntimeError where that has ended."""
        try:
            if self._loop is None:
                raise self._ended()
            self._loop.call_soon_threadsafe(function)
        except RuntimeError as error:  # Its event loop is closed.
            raise self._ended() from error

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


def _hand_over(task: "asyncio.Task[_Result]", done: "concurrent.futures.Future[_Result]") -> None:
    if task.cancelled():
        done.set_exception(concurrent.futures.CancelledError())
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())
