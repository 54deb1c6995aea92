"""Measures the embedded relay and coturn side by side, and prints a table.

Owns the command and the order in which things are measured.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from bench.clients import ClientError, relayed_pair
from bench.load import PAYLOAD_BYTES, Batches, LoadError, Pair, direct
from bench.servers import Server, ServerError, embedded, running_coturn
from bench.table import notes, table
from bench.trials import Column, Latencies, flood, say, search, share

_SEARCH_LIMIT_SECONDS = 50.0
_LATENCY_ROUNDS = 3
_LIMIT_ROUNDS = 3
_LIMIT_SECONDS = 0.5
_UNBOUNDED = 1e9

_DESCRIPTION = f"""\
Measure the embedded relay and coturn side by side: the same load over UDP, {PAYLOAD_BYTES}-byte
payloads in ChannelData from one allocation to another of the same relay, on loopback. The relay
has one core, the load generator another. Takes about 90 s; use an idle machine. Linux only."""

_EXAMPLE = """\
example:
  .venv/bin/python -m bench.relay > table.md"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 for a mistake that the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.relay",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        print(_measure())
    except (ServerError, ClientError, LoadError, OSError) as error:
        print(f"bench.relay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _measure() -> str:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    load = OtherLoad()
    with ExitStack() as stack:
        straight = direct()
        stack.callback(straight.close)
        limit = _limit(straight)
        columns = _start(stack, cores[0])
        base = Latencies()
        for number in range(_LATENCY_ROUNDS):
            say(f"latencies, round {number + 1} of {_LATENCY_ROUNDS}")
            base.add_round(straight)
            for column in columns:
                column.latencies.add_round(column.pair)
        share(columns)
        until = time.monotonic() + _SEARCH_LIMIT_SECONDS
        for _ in zip_longest(*(search(column, until) for column in columns)):
            pass
        flood(columns)
        others = load.cores([column.server for column in columns])
    return "\n".join([*table(columns, base), "", *notes(limit, base, columns, len(cores), others)])


def _limit(straight: Pair) -> float:
    """What the load generator sends with nothing in the way, in packets per second."""
    runs = [Batches(straight).run(_UNBOUNDED, _LIMIT_SECONDS) for _ in range(_LIMIT_ROUNDS)]
    limit = max(run.rate for run in runs)
    say(f"load generator with nothing in the way: {limit:,.0f} packets/s")
    return limit


def _start(stack: ExitStack, core: int) -> list[Column]:
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    columns = []
    for title, running in (
        ("embedded", embedded(core)),
        ("coturn", running_coturn(core, Path(directory) / "coturn")),
    ):
        server = stack.enter_context(running)
        pair = relayed_pair(server.address, server.logins)
        stack.callback(pair.close)
        columns.append(Column(title, server, pair))
    return columns


class OtherLoad:
    """How busy the machine is with other things meanwhile."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._busy = self._busy_seconds()
        self._own = time.process_time()

    def cores(self, servers: Sequence[Server]) -> float:
        """How many cores were in use by neither this process nor the servers, started since."""
        own = time.process_time() - self._own + sum(server.cpu_seconds() for server in servers)
        others = self._busy_seconds() - self._busy - own
        return max(0.0, others / (time.monotonic() - self._begin))

    @staticmethod
    def _busy_seconds() -> float:
        # user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). Interrupts are not
        # counted: they are those of the load.
        fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
        ticks = sum(int(value) for i, value in enumerate(fields) if i in (0, 1, 2, 7))
        return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
