"""The table of the results, and the notes under it."""

import platform
import statistics
from collections.abc import Sequence

from bench.relay.load import PAYLOAD_BYTES, Count
from bench.relay.servers import coturn_version
from bench.relay.trials import (
    FLOOD_ROUNDS,
    LATENCY_COUNT,
    LATENCY_RATE,
    SHARED_RATE,
    Column,
    Latencies,
    Trial,
)
from bench.shared import machine

_NOTHING = Trial(Count(1, 0, 1.0, 0), 0.0, 0.0)


def table(columns: Sequence[Column], base: Latencies) -> list[str]:
    """Write the table, in Markdown.

    Parameters
    ----------
    columns: the embedded relay, then coturn.
    base: latencies without a relay.
    """
    lines = [
        f"| UDP, relay to relay, {PAYLOAD_BYTES}-byte payloads | "
        + " | ".join(column.title for column in columns)
        + " | embedded / coturn |",
        "|---|" + "---:|" * (len(columns) + 1),
    ]

    def add(name: str, style: str, values: Sequence[float], *, compare: bool = True) -> None:
        ratio = f"{values[0] / values[1]:.2f}" if compare and values[1] else ""
        shown = " | ".join(format(value, style) for value in values)
        lines.append(f"| {name} | {shown} | {ratio} |")

    best = [column.best or _NOTHING for column in columns]
    shared = [column.shared or _NOTHING for column in columns]
    rates = [trial.count.rate for trial in best]
    add("highest rate with under 0.1 % loss, packets/s", ",.0f", rates)
    add("the same as payload, Mbit/s", ",.0f", [r * PAYLOAD_BYTES * 8 / 1e6 for r in rates])
    add("loss at that rate", ".3%", [trial.count.loss for trial in best], compare=False)
    carried = [statistics.median(t.count.carried for t in c.floods) for c in columns]
    add("carried when flooded, packets/s", ",.0f", carried)
    cpu = "CPU seconds per million packets"
    add(f"{cpu}, at {SHARED_RATE:,} packets/s", ".1f", [trial.cpu for trial in shared])
    add(f"{cpu}, at the highest rate", ".1f", [trial.cpu for trial in best])
    flooded = [statistics.median(trial.cpu for trial in column.floods) for column in columns]
    add(f"{cpu}, when flooded", ".1f", flooded)
    for name, figures, straight in (
        ("p50", [c.latencies.p50 for c in columns], base.p50),
        ("p99", [c.latencies.p99 for c in columns], base.p99),
    ):
        title = f"latency added at {LATENCY_RATE:,} packets/s, one way, {name}, µs"
        floor = statistics.median(straight)
        add(title, ".0f", [statistics.median(values) - floor for values in figures])
    return lines


def notes(
    limit: float, base: Latencies, columns: Sequence[Column], cores: int, others: float
) -> list[str]:
    """Write how the figures were measured, and how far to trust them.

    Parameters
    ----------
    limit: what the load generator sends without a relay, in packets per second.
    base: latencies without a relay.
    columns: as for `table`.
    cores: how many there are.
    others: how many of them other processes used.
    """
    p50, p99 = statistics.median(base.p50), statistics.median(base.p99)
    where = "on another core" if cores > 1 else "on the same core, the only one"
    lines = [
        (
            f"- Machine: {machine.description()}, Python {platform.python_version()}, coturn "
            f"{coturn_version()}. Other processes used {others:.2f} of a core during the run."
        ),
        (
            f"- Each relay runs on one core, the load generator {where}. coturn uses this "
            "project's configuration, without its bandwidth limit and with relay-threads=1."
        ),
        (
            f"- Without a relay, the load generator itself reaches {limit:,.0f} packets/s, and a "
            f"packet takes {p50:.0f} µs one way (p50; p99: {p99:.0f} µs)."
        ),
        (
            "- The relays take turns. Latencies are medians of "
            f"{len(base.p50)} rounds of {LATENCY_COUNT:,} packets. The flooded rows are medians of "
            f"{FLOOD_ROUNDS} runs at twice the highest rate of the better relay. Everything else "
            "is from the last run at the given rate."
        ),
        (
            "- Between two of its own clients, coturn sends each packet through the kernel twice, "
            "from one relay socket to the other. The embedded relay has no relay sockets."
        ),
    ]
    for column in columns:
        if column.generator_limited:
            lines.append(f"- {column.title}: the load generator could not send more.")
        if column.cut_short:
            lines.append(f"- {column.title}: the search did not finish in time.")
    if others > machine.BUSY_CORES:
        lines.append("- The machine was not idle, so do not trust these figures.")
    return lines
