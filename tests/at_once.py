"""Runs a script in several processes that do something in the same moment."""

import subprocess
import sys
from collections.abc import Sequence

SECONDS = 60
READY = "print('ready', flush=True); sys.stdin.readline();"
"""What the script, which imports `sys`, does before it begins."""


def run_at_once(count: int, script: str, arguments: Sequence[str]) -> set[str]:
    """Start so many processes, let them all begin when all are ready; what they print after it."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return {process.communicate(timeout=SECONDS)[0].strip() for process in started}
    finally:
        for process in started:
            process.kill()
            process.wait()
