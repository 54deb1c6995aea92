"""The command `python -m bench.signaling`: compares signaling servers, or runs a long soak."""

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.shared.peerjs import install_peerjs
from bench.shared.processes import StartError
from bench.shared.progress import say
from bench.signaling.peers import Dialect, Lenscast, PeerJs
from bench.signaling.phases import (
    HEARTBEAT_SECONDS,
    PAIRS,
    PER_PEER,
    Figures,
    LoadError,
    forward,
    idle,
    session_set_ups,
)
from bench.signaling.servers import RAISED, Server, lenscast, peerjs
from bench.signaling.soak import soak
from signaling.config import Limits

_DESCRIPTION = f"""\
Measure this project's signaling server, over WebSockets and over HTTP, and PeerJS's server. All get
the same load from light clients on loopback, without TLS. The server has one core, the load
generator another. The figures: memory and CPU with idle peers, latency with {PAIRS} pairs that
exchange candidates, and sessions set up per second. Takes about 4 minutes. Use an idle machine.
Linux only."""

_EXAMPLE = """\
examples:
  .venv/bin/python -m bench.signaling > table.md
  .venv/bin/python -m bench.signaling --soak 60"""

_DESCRIPTORS = 16_384
_SATURATED = 0.9
"""A server that uses this share of its core is taken to be the limit of what was measured."""


@dataclass(frozen=True)
class _Plan:
    """How many idle peers to measure with, and how long each load lasts."""

    peers: int
    idle_seconds: float
    forward_seconds: float
    set_up_seconds: float


_FULL = _Plan(5000, 30, 15, 10)
_QUICK = _Plan(1000, 15, 5, 3)


@dataclass(frozen=True)
class _Column:
    dialect: Dialect
    run: Callable[[int], AbstractContextManager[Server]]


_COLUMNS = (
    _Column(Lenscast("WebSocket"), lenscast),
    _Column(Lenscast("HTTP"), lenscast),
    _Column(PeerJs(), peerjs),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    The exit code: 0, 1 if the server has grown in a soak, or 2 for an error that the user can fix.
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
        help="instead, let peers join, lose their connection, resume and leave for this long, and "
        "see whether the server grows",
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
    """Allow many open files, also for the servers, which inherit the limit.

    Each peer is one socket in the server and one here, or two with HTTP.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _DESCRIPTORS:
        raise LoadError(f"This needs {_DESCRIPTORS} open files, but ulimit -Hn allows only {hard}.")
    if soft < _DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, hard))


def _take_last_core() -> int:
    """Keep this process on the last core, and return the first one, for the servers."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    return cores[0]


def _measure(core: int, plan: _Plan) -> str:
    figures = [asyncio.run(_column(column, core, plan)) for column in _COLUMNS]
    return "\n".join([*_table(figures), "", *_notes(plan, figures)])


async def _column(column: _Column, core: int, plan: _Plan) -> Figures:
    dialect = column.dialect
    # Each phase has a new server, so that what one leaves behind does not affect the next.
    with column.run(core) as server:
        say(f"{dialect.title}: {plan.peers:,} idle peers")
        resting = await idle(dialect, server, plan.peers, plan.idle_seconds)
    with column.run(core) as server:
        say(f"{dialect.title}: {PAIRS} pairs exchange candidates")
        forwarding = await forward(dialect, server, plan.forward_seconds)
    with column.run(core) as server:
        say(f"{dialect.title}: setting up sessions")
        set_ups = await session_set_ups(dialect, server, plan.set_up_seconds)
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
            "Time that the server was ready but had no core, %",
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


def _notes(plan: _Plan, figures: Sequence[Figures]) -> list[str]:
    raised = ", ".join(f"`{name}`" for name in RAISED)
    about = (
        "Loopback, no TLS, one server process at a time on one core, the clients in another "
        "process on another core. Latency is from client to client, and so includes the time that "
        "the load generator itself takes. Memory is by how much the server's private memory grows "
        f"for each peer. CPU with idle peers is measured over {plan.idle_seconds:g} s: this "
        f"project's server pings every {Limits().ping_seconds:g} s; PeerJS's client, and so the "
        f"load generator, sends a heartbeat every {HEARTBEAT_SECONDS:g} s."
    )
    set_up = (
        "A session is set up by two connections, a registration on each (with TURN credentials "
        "and links for others, which PeerJS does not have), an offer and an answer."
    )
    limited = ", ".join(
        f"{f.title} ({f.set_ups.busy:.0%})" for f in figures if f.set_ups.busy < _SATURATED
    )
    if limited:
        set_up += (
            " Where the server did not use its whole core, the load generator was the limit, and "
            f"only CPU for each session tells how fast the server is: {limited}."
        )
    limits = (
        f"Limits that are raised, because all peers come from one address: {raised}, and PeerJS's "
        "`concurrent_limit`. `access: open`, so no key is checked. Everything else has its default."
    )
    return [about, "", set_up, "", limits]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


if __name__ == "__main__":
    sys.exit(main())
