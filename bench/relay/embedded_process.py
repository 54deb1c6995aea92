"""The embedded relay alone in a process; `bench.relay.servers` starts it.

It prints one line of JSON, with its port and two logins, and runs until its standard input ends.
"""

import asyncio
import json
import socket
import sys
import time
from dataclasses import replace

from turn.embedded import EmbeddedTurn
from turn.limits import RelayLimits

_NO_LIMIT = 10**12  # bytes per second


async def _serve() -> None:
    relay = EmbeddedTurn(
        credential_seconds=3600, limits=replace(RelayLimits(), bytes_per_second=_NO_LIMIT)
    )
    port = _free_port()
    await relay.start([], port, 0)
    origin = f"http://127.0.0.1:{port}"
    grants = [relay.issue(peer, "room", origin, time.time()) for peer in ("one", "other")]
    servers = [grant.ice_servers[0] for grant in grants]
    logins = [(server["username"], server["credential"]) for server in servers]
    print(json.dumps({"port": port, "logins": logins}), flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    await relay.stop()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    asyncio.run(_serve())
