"""The command `python -m bench.relay`: measures the embedded relay and coturn, prints a table."""

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

from bench.relay.clients import ClientError, relayed_pair
from bench.relay.load import PAYLOAD_BYTES, Batches, LoadError, Pair, direct
from bench.relay.servers import embedded, running_coturn
from bench.relay.table import notes, table
from bench.relay.trials import Column, Latencies, flood, search, share
from bench.shared.bystanders import Bystanders
from bench.shared.processes import StartError
from bench.shared.progress import say

_SEARCH_LIMIT_SECONDS = 50.0
_LATENCY_ROUNDS = 3
_LIMIT_ROUNDS = 3
_LIMIT_SECONDS = 0.5
_UNBOUNDED = 1e9

_DESCRIPTION = f"""\
Measure the embedded relay and coturn side by side. Both get the same load over UDP: packets with
{PAYLOAD_BYTES} bytes of payload in ChannelData, from one allocation of the relay to another, on
loopback. The relay has one core, the load generator another. Takes about 90 s. Use an idle machine.
Linux only."""

_EXAMPLE = """\
example:
  .venv/bin/python -m bench.relay > table.md"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, or 2 for an error that the user can fix."""
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
    except (StartError, ClientError, LoadError, OSError) as error:
        print(f"bench.relay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _measure() -> str:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    load = Bystanders()
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
        others = load.cores()
    return "\n".join([*table(columns, base), "", *notes(limit, base, columns, len(cores), others)])


def _limit(straight: Pair) -> float:
    """How many packets per second the load generator sends without a relay."""
    runs = [Batches(straight).run(_UNBOUNDED, _LIMIT_SECONDS) for _ in range(_LIMIT_ROUNDS)]
    limit = max(run.rate for run in runs)
    say(f"load generator without a relay: {limit:,.0f} packets/s")
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


if __name__ == "__main__":
    sys.exit(main())
