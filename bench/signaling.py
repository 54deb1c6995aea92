"""Measures the signaling server beside PeerJS's, and prints a table; or lets peers come and go.

Owns the command and the table.
"""

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.brokers import RAISED, Broker, lenscast, peerjs
from bench.peers import Dialect, Lenscast, PeerJs
from bench.phases import (
    HEARTBEAT_SECONDS,
    PAIRS,
    PER_PEER,
    Figures,
    LoadError,
    forward,
    idle,
    session_set_ups,
)
from bench.soak import soak
from bench.systems import StartError, install_peerjs
from bench.trials import say
from signaling.config import Limits

_DESCRIPTION = f"""\
Measure this project's signaling server, over its WebSocket and over HTTP, and PeerJS's server: the
same load from light clients on loopback, without TLS. The server has one core, the load generator
another. Memory and CPU with idle peers, latency with {PAIRS} pairs that exchange candidates, and
sessions set up per second. Takes about 4 minutes; use an idle machine. Linux only."""

_EXAMPLE = """\
examples:
  .venv/bin/python -m bench.signaling > table.md
  .venv/bin/python -m bench.signaling --soak 60"""

_DESCRIPTORS = 16_384


@dataclass(frozen=True)
class _Plan:
    """How much is measured: peers, and seconds."""

    peers: int
    idle_seconds: float
    forward_seconds: float
    set_up_seconds: float


_FULL = _Plan(5000, 30, 15, 10)
_QUICK = _Plan(1000, 15, 5, 3)


@dataclass(frozen=True)
class _Column:
    dialect: Dialect
    run: Callable[[int], AbstractContextManager[Broker]]


_COLUMNS = (
    _Column(Lenscast("WebSocket"), lenscast),
    _Column(Lenscast("HTTP"), lenscast),
    _Column(PeerJs(), peerjs),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    The exit code: 0, 1 if a soak ends in doubt, or 2 for a mistake that the user can fix.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bench.signaling",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="1,000 idle peers, in about a minute")
    parser.add_argument(
        "--soak",
        type=float,
        metavar="MINUTES",
        help="instead, let peers come, break off, resume and go, and see whether the server stays "
        "as it was",
    )
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _raise_descriptors()
        core = _take_last_core()
        if options.soak:
            return asyncio.run(soak(core, options.soak * 60))
        install_peerjs()
        print(_measure(core, _QUICK if options.quick else _FULL))
    except (StartError, LoadError, OSError) as error:
        print(f"bench.signaling: {str(error) or type(error).__name__}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _raise_descriptors() -> None:
    """Servers inherit it: each peer is a socket there and one here, two with HTTP."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _DESCRIPTORS:
        raise LoadError(f"{_DESCRIPTORS} files must be allowed to be open: ulimit -Hn says {hard}.")
    if soft < _DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, hard))


def _take_last_core() -> int:
    """Keep this process on the last core; give the first one, for the servers."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    return cores[0]


def _measure(core: int, plan: _Plan) -> str:
    figures = [asyncio.run(_column(column, core, plan)) for column in _COLUMNS]
    return "\n".join([*_table(figures), "", *_notes(plan)])


async def _column(column: _Column, core: int, plan: _Plan) -> Figures:
    dialect = column.dialect
    # A server of its own for each phase: what one leaves behind is no part of the next.
    with column.run(core) as broker:
        say(f"{dialect.title}: {plan.peers:,} idle peers")
        resting = await idle(dialect, broker, plan.peers, plan.idle_seconds)
    with column.run(core) as broker:
        say(f"{dialect.title}: {PAIRS} pairs exchange candidates")
        forwarding = await forward(dialect, broker, plan.forward_seconds)
    with column.run(core) as broker:
        say(f"{dialect.title}: setting up sessions")
        set_ups = await session_set_ups(dialect, broker, plan.set_up_seconds)
    return Figures(dialect.title, resting, forwarding, set_ups)


def _table(figures: Sequence[Figures]) -> list[str]:
    peers = f"{figures[0].idle.peers:,} idle peers"
    rate = f"{PAIRS} pairs, {PAIRS * 2 * PER_PEER:,.0f} candidates/s"
    rows = [
        (f"{peers}: memory for each, KiB", [f"{f.idle.memory / 1024:.1f}" for f in figures]),
        (f"{peers}: CPU, % of a core", [f"{f.idle.cpu:.1%}".rstrip("%") for f in figures]),
        (f"{rate}: latency, median, ms", [_ms(f.forwarding.median) for f in figures]),
        (f"{rate}: latency, 99 %, ms", [_ms(f.forwarding.p99) for f in figures]),
        ("CPU for each candidate, µs", [f"{f.forwarding.cpu * 1e6:.0f}" for f in figures]),
        (
            "meanwhile, server ready but without a core, % of the time",
            [f"{f.forwarding.starved:.1%}".rstrip("%") for f in figures],
        ),
        ("Sessions set up per second", [f"{f.set_ups.rate:,.0f}" for f in figures]),
        ("CPU for each session set up, ms", [_ms(f.set_ups.cpu) for f in figures]),
    ]
    return [
        f"| | {' | '.join(f.title for f in figures)} |",
        "|---|" + "---:|" * len(figures),
        *(f"| {name} | {' | '.join(values)} |" for name, values in rows),
    ]


def _notes(plan: _Plan) -> list[str]:
    raised = ", ".join(f"`{name}`" for name in RAISED)
    about = (
        "Loopback, no TLS, one server process at a time on one core, the clients in another "
        "process on another core. Latency is from client to client, and so holds what the load "
        "generator takes itself. Memory is what is private to the process, its growth for each "
        f"peer. CPU of idle peers is over {plan.idle_seconds:g} s: this project's server pings "
        f"every {Limits().ping_seconds:g} s; PeerJS's client, and so the load generator, sends a "
        f"heartbeat every {HEARTBEAT_SECONDS:g} s."
    )
    set_up = (
        "Setting up a session: two connections, registering on both (with TURN credentials, and "
        "the invitation's QR code for the receiver; PeerJS has neither), an offer and an answer."
    )
    limits = (
        f"Raised, since all peers come from one address and send steadily: {raised}, and PeerJS's "
        "`concurrent_limit`. `access: open`, so no key is checked. All else is at its default."
    )
    return [about, "", set_up, "", limits]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


if __name__ == "__main__":
    sys.exit(main())
