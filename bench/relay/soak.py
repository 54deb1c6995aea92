"""Lets calls come and go over the embedded relay, and says whether anything of them is left.

Client and relay share one process, so that its tasks and descriptors can be counted.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from tests.turn.calls import Call, Held, arrived, come_and_go, held, held_in_the_end
from tests.turn.client import running_turn

_LENGTHS = (2.0, 8.0)
_LINES = 10

_DESCRIPTION = """\
Let pairs of peers come, send at a camera's rate, and go, over UDP and TCP, with and without a
goodbye. Prints what the relay holds meanwhile and in the end; exits with 1 if anything is left.
Linux only."""

_EXAMPLE = """\
example:
  .venv/bin/python -m bench.relay.soak --seconds 600"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where nothing is left, 1 where something is."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.relay.soak",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--pairs", type=int, default=25, help="calls at a time (default: 25)")
    options = parser.parse_args(argv)
    try:
        return asyncio.run(_soak(options.pairs, options.seconds))
    except KeyboardInterrupt:
        return 130


async def _soak(pairs: int, seconds: float) -> int:
    calls: list[Call] = []
    async with running_turn() as running:
        begin = time.monotonic()
        print("| seconds | calls | allocations | TCP connections | tasks | descriptors |")
        print("|---:|---:|---:|---:|---:|---:|")
        before = held(running)
        print(_line(0, calls, before), flush=True)
        work = asyncio.create_task(come_and_go(running, pairs, seconds, _LENGTHS, calls))
        while not work.done():
            await asyncio.wait([work], timeout=seconds / _LINES)
            if not work.done():
                print(_line(time.monotonic() - begin, calls, held(running)), flush=True)
        await work
        after = await held_in_the_end(running, before)
        print(_line(time.monotonic() - begin, calls, after))
    return _judge(calls, before, after)


def _line(seconds: float, calls: list[Call], now: Held) -> str:
    """A row of the table."""
    return (
        f"| {seconds:.0f} | {len(calls)} | {now.allocations} | {now.connections} | "
        f"{now.tasks} | {now.descriptors} |"
    )


def _judge(calls: list[Call], before: Held, after: Held) -> int:
    sent, received = arrived(calls)
    print(f"\n{sent:,} packets sent, {received / max(sent, 1):.1%} arrived.")
    print("Nothing is left." if after == before else f"LEFT: {after}; at first: {before}.")
    return 0 if after == before else 1


if __name__ == "__main__":
    sys.exit(main())
