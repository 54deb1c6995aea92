"""`python -m tests.network.table`: prints the matrix as a table for docs/turn.md.

It runs each scenario once.

With `--turn none` the table shows what happens without a relay.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.network import hosts
from tests.network.hosts import Network
from tests.network.pair import NoPicture, pair
from tests.network.scenarios import SCENARIOS

_SETTLING_SECONDS = 3


async def main(arguments: argparse.Namespace) -> None:
    """Print the table, each line as soon as it is known."""
    write = sys.stdout.write
    write("| scenario | path | time to first frame |\n|---|---|---|\n")
    async with async_playwright() as playwright:
        for scenario in SCENARIOS:
            with tempfile.TemporaryDirectory() as name, Network() as network:
                folder = Path(name)
                options = []
                if arguments.turn:
                    file = folder / "config.yaml"
                    file.write_text(f"turn: {{mode: {arguments.turn}}}\n")
                    options = ["--config", str(file)]
                devices = scenario(network)
                try:
                    async with pair(playwright, devices, folder, *options) as arrival:
                        # The first path that works is used until a better one does.
                        await asyncio.sleep(_SETTLING_SECONDS)
                        path, time = await arrival.path(), f"{arrival.seconds:.2f} s"
                except NoPicture as error:
                    path, time = "no picture", "–"
                    if arguments.verbose:
                        sys.stderr.write(f"{error}\n")
            write(f"| {scenario.__doc__} | {path} | {time} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.network.table", description=__doc__)
    parser.add_argument("--turn", metavar="MODE", help="turn.mode (default: as it comes)")
    parser.add_argument("--verbose", action="store_true", help="say what was tried in vain")
    if reason := hosts.missing():
        sys.exit(f"Cannot run: {reason}.")
    asyncio.run(main(parser.parse_args()))
