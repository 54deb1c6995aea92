"""What kind of machine a measurement ran on."""

import os
import platform
from pathlib import Path

BUSY_CORES = 0.2
"""If other programs used more cores than this, the figures are not worth keeping."""


def description() -> str:
    """Cores, processor and kernel, for the notes under a table."""
    return f"{os.cpu_count()} cores, {_processor()}, Linux {platform.release()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
