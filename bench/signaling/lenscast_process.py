"""This project's signaling server alone in a process; `bench.signaling.servers` starts it.

It prints one line of JSON, with its port for plain HTTP, and runs until its standard input ends.
For each line of input it prints another one, with the number of its asyncio tasks.
"""

import asyncio
import json
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from signaling.config import load
from signaling.server import SignalingServer


async def _serve(file: Path, folder: Path) -> None:
    config = load(file)
    ports = replace(config.server, host="127.0.0.1", port=0, local_port=0, tls="off")
    server = SignalingServer(replace(config, server=ports), folder)
    await server.start()
    _say({"port": server.local_port})
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, _answer, ended)
    await ended.wait()
    await server.stop()


def _answer(ended: asyncio.Event) -> None:
    if sys.stdin.readline():
        _say({"tasks": len(asyncio.all_tasks())})
    else:
        ended.set()


def _say(record: dict[str, int]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="bench-") as state:
        asyncio.run(_serve(Path(sys.argv[1]), Path(state)))
