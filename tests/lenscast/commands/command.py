"""Runs commands as a user does, beside a server in a process of its own."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.signaling.test_serve import environment

SECONDS = 60.0


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `lenscast` with a state folder of its own until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "lenscast", *words],
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=SECONDS,
    )


def said(folder: Path, *words: str) -> Any:
    """What a command prints with `--json`; it must succeed."""
    done = run(folder, *words, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


async def ask(folder: Path, *words: str) -> Any:
    """`said`, beside clients on this event loop."""
    return await asyncio.to_thread(said, folder, *words)


def refused(folder: Path, *words: str) -> str:
    """The one sentence with which a command fails."""
    done = run(folder, *words)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("lenscast: ")
    return done.stderr
