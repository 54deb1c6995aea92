"""Background tasks that nobody waits for: what ends one of them by mistake is logged."""

import asyncio
import logging

log = logging.getLogger(__name__)


def report_death(task: "asyncio.Task[None]") -> None:
    """Log the error of a task that failed, with its traceback; for `add_done_callback`."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the %s failed", task.get_name(), exc_info=error)
