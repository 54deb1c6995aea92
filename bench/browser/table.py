"""The tables of the results, what the project aims at, and the notes under them."""

import math
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.browser.figures import FREEZE_FROM_SECONDS, SETTLE_SECONDS, Run, percentile
from bench.browser.networks import SLOW, VERY_LOSSY, Condition
from bench.browser.visits import FIRST_FRAME, STEPS, Visit
from bench.shared import machine

LENSCAST, PEERJS = "direct", "PeerJS"
RELAY_UDP, RELAY_TCP, COTURN_UDP = "relay, UDP", "relay, TCP", "coturn, UDP"
BY_HTTP, BY_HTTPS = "HTTP", "HTTPS"
WAYS = (LENSCAST, RELAY_UDP, RELAY_TCP, COTURN_UDP, PEERJS)
NEVER = "never"


@dataclass(frozen=True)
class LinkRun:
    """One run on a bad network.

    Attributes
    ----------
    run: what the pages saw while it was bad.
    back_ms: how long it took from its end to a picture of full size; None if nobody waited for it.
    """

    run: Run
    back_ms: float | None


@dataclass
class Results:
    """All results.

    Attributes
    ----------
    runs: on the loopback address, by way, in the order of the table.
    visits: the first and the return visits, when the server is some way off, by system.
    links: on bad networks, by condition and system.
    repeated: what went wrong in runs that were repeated or left out.
    others: how many cores other processes used.
    seconds: how long each run took, on loopback and on a network.
    cut_short: whether the time was up before everything was measured.
    """

    runs: dict[str, list[Run]] = field(default_factory=lambda: {way: [] for way in WAYS})
    visits: dict[str, list[tuple[Visit, Visit]]] = field(
        default_factory=lambda: {system: [] for system in (BY_HTTP, BY_HTTPS, PEERJS)}
    )
    links: dict[Condition, dict[str, list[LinkRun]]] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    others: float = 0.0
    seconds: tuple[float, float] = (0.0, 0.0)
    cut_short: bool = False


def tables(results: Results) -> list[str]:
    """Write all tables and notes in Markdown."""
    parts = [_loopback(results.runs), _visits(results.visits)]
    if results.links:
        parts.append(_links(results.links))
    parts += [_aims(results), _notes(results)]
    return [line for part in parts for line in (*part, "")][:-1]


def _median(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    return statistics.median(figure(run) for run in runs) if runs else math.nan


def _first_ms(run: Run) -> float:
    return run.first_frame_ms


def _latency(share: float) -> Callable[[Run], float]:
    return lambda run: percentile(run.latencies_ms, share)


def _capture_latency(share: float) -> Callable[[Run], float]:
    return lambda run: percentile(run.capture_latencies_ms, share)


_ROWS: tuple[tuple[str, str, Callable[[Run], float]], ...] = (
    ("first frame, ms after opening the sender page", ".0f", _first_ms),
    ("full resolution, ms after opening the sender page", ".0f", lambda run: run.full_size_ms),
    ("latency p50, ms, preview to picture", ".0f", _latency(0.5)),
    ("latency p95, ms, preview to picture", ".0f", _latency(0.95)),
    ("latency p50, ms, camera to screen", ".0f", _capture_latency(0.5)),
    ("latency p95, ms, camera to screen", ".0f", _capture_latency(0.95)),
    ("frames painted per second", ".1f", lambda run: run.frame_rate),
    ("HTTP requests of the sender page before the camera", ".0f", lambda run: run.early_loads),
    ("sender page in all, kB", ".0f", lambda run: run.sender_bytes / 1000),
)


def _loopback(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    lines = [
        "| on one machine | " + " | ".join(runs) + " | direct / PeerJS |",
        "|---|" + "---:|" * (len(runs) + 1),
    ]
    for name, style, figure in _ROWS:
        values = {way: _median(found, figure) for way, found in runs.items()}
        ratio = _ratio(values.get(LENSCAST, math.nan), values.get(PEERJS, math.nan))
        shown = " | ".join(_shown(value, style) for value in values.values())
        lines.append(f"| {name} | {shown} | {ratio} |")
    sizes = " | ".join(_sizes(found) for found in runs.values())
    lines.insert(3, f"| resolution of the first frame | {sizes} | |")
    freezes = " | ".join(str(sum(run.freezes for run in found)) for found in runs.values())
    lines.append(f"| freezes, all runs together | {freezes} | |")
    return lines


def _visits(visits: Mapping[str, Sequence[tuple[Visit, Visit]]]) -> list[str]:
    lines = [
        "| 20 ms away, ms after opening the sender page | "
        + " | ".join(visits)
        + " | HTTP / PeerJS | HTTPS / PeerJS |",
        "|---|" + "---:|" * (len(visits) + 2),
    ]
    for index, visit in enumerate(("first visit", "return visit")):
        each = {system: [pair[index] for pair in pairs] for system, pairs in visits.items()}
        for step in (*STEPS, FIRST_FRAME):
            values = [_step(found, step) for found in each.values()]
            ratios = " | ".join(_ratio(value, values[-1]) for value in values[:-1])
            shown = " | ".join(_shown(value, ".0f") for value in values)
            lines.append(f"| {visit}: {step} | {shown} | {ratios} |")
        spreads = " | ".join(_spread([v.first_frame_ms for v in found]) for found in each.values())
        lines.append(f"| {visit}: first frame, from to | {spreads} | | |")
        sizes = " | ".join(_visited_sizes(found) for found in each.values())
        lines.append(f"| {visit}: size of the first frame | {sizes} | | |")
    return lines


def _step(visits: Sequence[Visit], step: str) -> float:
    times = [visit.steps[step] for visit in visits if step in visit.steps]
    return statistics.median(times) if times else math.nan


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.0f}–{max(values):.0f}" if values else "–"


def _visited_sizes(visits: Sequence[Visit]) -> str:
    found = sorted({visit.size for visit in visits}, reverse=True)
    return ", ".join(f"{width}x{height}" for width, height in found) or "–"


def _links(links: Mapping[Condition, Mapping[str, Sequence[LinkRun]]]) -> list[str]:
    lines = ["| on a bad network | direct | PeerJS | direct / PeerJS |", "|---|---:|---:|---:|"]
    for condition, systems in links.items():
        ours, theirs = systems[LENSCAST], systems[PEERJS]

        def add(
            name: str,
            style: str,
            figure: Callable[[LinkRun], float],
            ours: Sequence[LinkRun] = ours,
            theirs: Sequence[LinkRun] = theirs,
            title: str = condition.title,
        ) -> None:
            values = [_link_median(found, figure) for found in (ours, theirs)]
            shown = " | ".join(_shown(value, style) for value in values)
            lines.append(f"| {title}: {name} | {shown} | {_ratio(*values)} |")

        add("frozen, % of the time", ".1f", lambda found: 100 * found.run.frozen_share)
        add("longest still picture after 3 s, ms", ".0f", lambda found: found.run.longest_gap_ms)
        sizes = (_sizes([found.run for found in each], last=True) for each in (ours, theirs))
        lines.append(f"| {condition.title}: resolution reached | {' | '.join(sizes)} | |")
        add("frames painted per second", ".1f", lambda found: found.run.frame_rate)
        add("latency p95, ms", ".0f", lambda found: _latency(0.95)(found.run))
        if condition.rate:
            add("full size again after the limit, ms", ".0f", lambda found: found.back_ms or 0.0)
    return lines


def _link_median(found: Sequence[LinkRun], figure: Callable[[LinkRun], float]) -> float:
    return statistics.median(map(figure, found)) if found else math.nan


def _aims(results: Results) -> list[str]:
    ours, theirs = results.runs[LENSCAST], results.runs[PEERJS]
    kit = [run for way, found in results.runs.items() if way != PEERJS for run in found]
    p95 = _median(ours, _latency(0.95))
    ratio = _median(ours, _first_ms) / _median(theirs, _first_ms)
    blurred = sum(not run.first.full for run in kit)
    added = _median(results.runs[RELAY_UDP], _latency(0.95)) - p95
    size = _median(ours, lambda run: run.sender_bytes / 1000)
    rows = [
        _aim("first frame, direct, x PeerJS", ratio, 0.6, ".2f"),
        _aim(f"first frames below 1280x720, of {len(kit)}", blurred, 0, ".0f"),
        _aim("latency p50, direct, ms", _median(ours, _latency(0.5)), 25, ".0f"),
        _aim("latency p95, direct, ms", p95, 45, ".0f"),
        _aim("added by the embedded relay at p95, UDP, ms", added, 3, ".0f"),
    ]
    if SLOW in results.links:
        slow = results.links[SLOW][LENSCAST]
        gap = _link_median(slow, lambda found: found.run.longest_gap_ms)
        back = _link_median(slow, lambda found: found.back_ms or 0.0)
        rows.append(_aim("600 kbit/s: longest still picture after 3 s, ms", gap, 500, ".0f"))
        rows.append(_aim("600 kbit/s: full size again, ms", back, 8000, ".0f"))
    if VERY_LOSSY in results.links:
        lossy = results.links[VERY_LOSSY][LENSCAST]
        frozen = _link_median(lossy, lambda found: 100 * found.run.frozen_share)
        rows.append(_aim("5 % loss: frozen, % of the time", frozen, 1, ".1f"))
    errors = [error for run in ours for error in run.panel_errors_ms]
    rows.append(
        _aim("the panel's latency from the truth, p95, ms", percentile(errors, 0.95), 10, ".0f")
    )
    rows.append(_aim("sender page in all, kB", size, 60, ".0f"))
    return ["| aim | at most | measured | |", "|---|---:|---:|---|", *rows]


def _aim(name: str, value: float, limit: float, style: str) -> str:
    if math.isnan(value):
        verdict = "not measured"
    elif value <= limit:
        verdict = "met"
    else:
        verdict = "missed" if math.isinf(value) else f"missed by {value - limit:{style}}"
    return f"| {name} | {limit:g} | {_shown(value, style)} | {verdict} |"


def _notes(results: Results) -> list[str]:
    counts = sorted({len(found) for found in results.runs.values()})
    rounds = " or ".join(map(str, counts)) + (" run" if counts == [1] else " runs")
    watched, on_network = results.seconds
    lines = [
        (
            f"- Machine: {machine.description()}, {_chromium()}, no GPU. Other processes used "
            f"{results.others:.2f} of a core during the runs."
        ),
        (
            "- Two browsers, the phone's and the laptop's, both headless on this machine. The "
            "camera is a file with noise, 1280x720 at 30 frames per second. The first run of each "
            "system is a warm-up and does not count."
        ),
        (
            f"- On one machine: each figure is the median of {rounds} of {watched:g} s each, and "
            "the systems take turns. Latency and frame rate leave out the first "
            f"{SETTLE_SECONDS:g} s. PeerJS connects directly."
        ),
        (
            "- Latency compares the times of the same numbered frame. Preview to picture: from "
            "when the sender page paints it to when the receiver page does. Camera to screen: from "
            "when the phone's browser gets it from the camera to when the laptop's browser expects "
            "it on the screen."
        ),
        (
            f'- "{NEVER}": not during the run. "Frozen" is what the receiving browser counts as '
            "frozen (totalFreezesDuration), from its first frame on."
        ),
    ]
    lines.append(
        "- 20 ms away: a TCP proxy in front of all that the phone loads and of its signaling. It "
        "delays each direction by 20 ms, and connecting by 40 ms; media goes directly. Medians of "
        f"{max(map(len, results.visits.values()))} phones, the systems taking turns. A return "
        "visit finds the files that the browser has kept, and no open connection."
    )
    if results.links:
        lines.append(
            f"- Bad networks: one run of {on_network:g} s for each system, in network namespaces. "
            "From the start, tc tbf limits what the phone sends, with a queue of 30 ms, or nft "
            "drops UDP packets both ways. Still pictures count from "
            f"{FREEZE_FROM_SECONDS:g} s after the first frame. If the picture had full size when "
            "the limit was removed, getting back took 0 ms."
        )
    lines += [f"- A run failed: {reason}" for reason in results.repeated]
    if results.cut_short:
        lines.append("- The time was up before everything was measured.")
    if results.others > machine.BUSY_CORES:
        lines.append("- The machine was not idle, so do not trust these figures.")
    return lines


def _sizes(runs: Sequence[Run], *, last: bool = False) -> str:
    frames = [run.last if last else run.first for run in runs]
    found = sorted({(frame.width, frame.height) for frame in frames})
    return ", ".join(f"{width}x{height}" for width, height in found) or "–"


def _shown(value: float, style: str) -> str:
    if math.isnan(value):
        return "–"
    return NEVER if math.isinf(value) else format(value, style)


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other and math.isfinite(one) and math.isfinite(other) else ""


def _chromium() -> str:
    said = subprocess.run(
        ["chromium", "--version"], capture_output=True, text=True, timeout=10, check=False
    )
    return " ".join(said.stdout.split()[:2])
