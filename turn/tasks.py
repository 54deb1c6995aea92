"""What to do when a background task fails."""

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)


def report_death(task: "asyncio.Task[Any]") -> None:
    """Log the error that ended a task; for `add_done_callback`. A cancelled task is fine."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the %s failed", task.get_name(), exc_info=error)
