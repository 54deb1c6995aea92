"""A real server in another process, which a test can measure, kill and start again."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from signaling import config
from signaling.server import SignalingServer
from tests.signaling.room.imaginary import classroom

PLAIN = {"host": "127.0.0.1", "port": 0, "local_port": 0, "tls": "off"}


@dataclass(frozen=True)
class ServerProcess:
    """A server that runs.

    Attributes
    ----------
    link: where its plain HTTP is, as the transports of the tests take it.
    """

    process: subprocess.Popen[str]
    link: str

    def kill(self) -> None:
        """End it as the kernel does, with no time for a last word."""
        self.process.kill()
        self.process.wait()

    def memory(self) -> int:
        """Its resident memory, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextlib.contextmanager
def server_process(folder: Path, **settings: Any) -> Iterator[ServerProcess]:
    """Run a server with open access and the imaginary kind of room besides.

    Parameters
    ----------
    folder: the state folder.
    settings: sections of the configuration.
    """
    values = {"access": "open", "turn": {"mode": "none"}, "server": PLAIN, **settings}
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder), json.dumps(values)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield ServerProcess(process, process.stdout.readline().strip())
        finally:
            process.kill()


async def _serve(folder: Path, values: dict[str, Any]) -> None:
    server = SignalingServer(config.from_values(values), folder, more_types=[classroom()])
    await server.start()
    print(server.receiver_link, flush=True)  # noqa: T201 - the test reads it
    # It is killed; should the test itself die, this ends with its pipe.
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), json.loads(sys.argv[2])))
