"""The table of what was measured, and the notes under it.

Owns how results are shown.
"""

import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.load import PAYLOAD_BYTES, Count
from bench.servers import coturn_version
from bench.trials import (
    FLOOD_ROUNDS,
    LATENCY_COUNT,
    LATENCY_RATE,
    SHARED_RATE,
    Column,
    Latencies,
    Trial,
)

_BUSY_CORES = 0.2
_NOTHING = Trial(Count(1, 0, 1.0, 0), 0.0, 0.0)


def table(columns: Sequence[Column], base: Latencies) -> list[str]:
    """Write the table, in Markdown.

    Parameters
    ----------
    columns: the embedded relay, then coturn.
    base: latencies with nothing in the way.
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
    """Write what the table cannot say.

    Parameters
    ----------
    limit: what the load generator sends with nothing in the way, in packets per second.
    base: latencies with nothing in the way.
    columns: as for `table`.
    cores: how many there are.
    others: how many of them other processes used.
    """
    p50, p99 = statistics.median(base.p50), statistics.median(base.p99)
    where = "on another" if cores > 1 else "on the same, the only one"
    lines = [
        (
            f"- Machine: {cores} cores, {_processor()}, Linux {platform.release()}, Python "
            f"{platform.python_version()}, coturn {coturn_version()}. Other processes used "
            f"{others:.2f} of a core meanwhile."
        ),
        (
            f"- Each relay runs on one core, the load generator {where}. coturn runs from this "
            "project's configuration without its limit of bandwidth and with relay-threads=1."
        ),
        (
            f"- The load generator's own limit, with nothing between its sockets: {limit:,.0f}"
            f" packets/s. One way between them: p50 {p50:.0f} µs, p99 {p99:.0f} µs."
        ),
        (
            "- The relays take turns. Latencies are medians of "
            f"{len(base.p50)} rounds of {LATENCY_COUNT:,} packets, flooded is the median of "
            f"{FLOOD_ROUNDS} runs at twice the highest rate of the better one; all else is from "
            "the last run at the rate named."
        ),
        (
            "- Between two of its own clients coturn sends each packet through the kernel twice, "
            "from one relay socket to the other; the embedded relay has no such sockets."
        ),
    ]
    for column in columns:
        if column.generator_limited:
            lines.append(f"- {column.title}: the load generator could not send more.")
        if column.cut_short:
            lines.append(f"- {column.title}: the search was not done in time.")
    if others > _BUSY_CORES:
        lines.append("- The machine was not idle: these figures are not worth keeping.")
    return lines


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
