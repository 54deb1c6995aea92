"""The command `python -m bench.browser`: measures pages in browsers, and prints tables."""

import argparse
import asyncio
import math
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

from bench.browser import camera
from bench.browser.far import far_from
from bench.browser.figures import Run
from bench.browser.networks import CONDITIONS, SLOW, VERY_LOSSY, Condition, Wifi
from bench.browser.pair import Browsers, Links, PairError, opened, running_browsers
from bench.browser.systems import (
    running_lenscast,
    running_lenscast_with_coturn,
    running_peerjs,
)
from bench.browser.table import (
    BY_HTTP,
    BY_HTTPS,
    COTURN_UDP,
    LENSCAST,
    PEERJS,
    RELAY_TCP,
    RELAY_UDP,
    LinkRun,
    Results,
    tables,
)
from bench.browser.visits import by_way_of, key_hash, two_visits
from bench.shared.bystanders import Bystanders
from bench.shared.peerjs import install_peerjs
from bench.shared.processes import StartError
from bench.shared.progress import say
from tests.network import hosts
from tests.network.hosts import Network

_LIMIT_SECONDS = 480
_TRIES = 2
_WARM_UP_SECONDS = 2.0
_PEERJS_PORT = 9000

_DESCRIPTION = """\
Measure the pages in two real browsers, side by side with PeerJS: time to the first frame, latency,
frame rate and freezes, with a direct connection, through relays, and on bad networks; and the time
that a first visit and a return visit take when the server is 20 ms away. The camera is
noisy and its frames are numbered. Needs chromium, coturn and npm, and root for the networks. Takes
about 6 minutes. Use an idle machine. Linux only."""

_EXAMPLE = """\
example:
  .venv/bin/python -m bench.browser > tables.md"""


@dataclass(frozen=True)
class Plan:
    """What to measure, and how long.

    Attributes
    ----------
    visits: how many times each system is visited by a network of 20 ms each way, twice each time.
    seconds: for each run on loopback.
    link_seconds: for each run on a bad network.
    back_seconds: how long to wait for full size after a limit was removed.
    """

    rounds: int
    seconds: float
    conditions: tuple[Condition, ...]
    link_seconds: float
    back_seconds: float
    visits: int


_FULL = Plan(4, 6.0, CONDITIONS, 12.0, 10.0, 6)
_QUICK = Plan(1, 4.0, (SLOW, VERY_LOSSY), 7.0, 5.0, 2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, or 2 for an error that the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.browser",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="one short run of each, in 2 minutes")
    plan = _QUICK if parser.parse_args(argv).quick else _FULL
    try:
        print("\n".join(asyncio.run(_measure(plan))))
    except (StartError, PairError, PlaywrightError, OSError, RuntimeError) as error:
        print(f"bench.browser: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return 0


async def _measure(plan: Plan) -> list[str]:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    results = Results(seconds=(plan.seconds, plan.link_seconds))
    say("preparing")
    await asyncio.to_thread(install_peerjs)
    load = Bystanders()
    try:
        async with asyncio.timeout(_LIMIT_SECONDS) as limit:
            await _fill(plan, results)
    except TimeoutError:
        if not limit.expired():
            raise
        results.cut_short = True
    results.others = load.cores()
    return tables(results)


async def _fill(plan: Plan, results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        file = folder / "camera.mjpeg"
        camera.write(file)
        async with async_playwright() as playwright:
            await _on_loopback(playwright, file, folder, plan, results)
            await _by_wifi(playwright, file, folder, plan, results)
            reason = hosts.missing()
            if reason:
                say(f"no bad networks: {reason}")
            else:
                await _on_networks(playwright, file, folder, plan, results)


async def _on_loopback(
    playwright: Playwright, file: Path, folder: Path, plan: Plan, results: Results
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        kit = await enter(running_lenscast(folder / "lenscast"))
        coturn = await enter(running_lenscast_with_coturn(folder / "with-coturn"))
        peerjs = await enter(running_peerjs(folder / "peerjs"))
        browsers = await enter(running_browsers(playwright, file, folder))
        ways: dict[str, Callable[[], Links]] = {
            LENSCAST: kit.links,
            RELAY_UDP: lambda: kit.links("udp"),
            RELAY_TCP: lambda: kit.links("tcp"),
            COTURN_UDP: lambda: coturn.links("udp"),
            PEERJS: peerjs.links,
        }
        for way in (LENSCAST, PEERJS):
            title = f"warm-up, {way}"
            await _attempt(browsers, ways[way], title, _WARM_UP_SECONDS, results)
        for number in range(plan.rounds):
            for way, links in ways.items():
                title = f"round {number + 1} of {plan.rounds}, {way}"
                run = await _attempt(browsers, links, title, plan.seconds, results)
                results.runs[way] += [run] if run else []


async def _by_wifi(
    playwright: Playwright, file: Path, folder: Path, plan: Plan, results: Results
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        kit = await enter(running_lenscast(folder / "lenscast-far"))
        peerjs = await enter(running_peerjs(folder / "peerjs-far"))
        http, https = kit.ports
        key = await asyncio.to_thread(key_hash, https)
        browsers = await enter(running_browsers(playwright, file, folder, certificate=key))
        there = urlsplit(peerjs.origin).port or 80
        systems = {
            BY_HTTP: (kit.links, "http", await enter(far_from(http))),
            BY_HTTPS: (kit.links, "https", await enter(far_from(https))),
            PEERJS: (peerjs.links, "http", await enter(far_from(there))),
        }
        for number in range(plan.visits + 1):
            for system, (make, scheme, far) in systems.items():
                title = f"visits {number} of {plan.visits}, {system}"
                links = [by_way_of(far, make(), scheme) for _ in range(2)]
                try:
                    first, again = await two_visits(browsers, links, far)
                except (PairError, PlaywrightError) as error:
                    _failed(title, error, results)
                    continue
                say(f"{title}: {first.first_frame_ms:.0f} and {again.first_frame_ms:.0f} ms")
                if number:  # The first ones warm up what all have in common.
                    results.visits[system].append((first, again))


async def _attempt(
    browsers: Browsers, links: Callable[[], Links], title: str, seconds: float, results: Results
) -> Run | None:
    """Run once, and again if something went wrong. None if it went wrong again."""
    for _ in range(_TRIES):
        try:
            async with opened(browsers, links()) as pages:
                await asyncio.sleep(seconds)
                run = await pages.collect()
        except (PairError, PlaywrightError) as error:
            _failed(title, error, results)
            continue
        _tell(title, run)
        return run
    return None


async def _on_networks(
    playwright: Playwright, file: Path, folder: Path, plan: Plan, results: Results
) -> None:
    with Network() as network:
        wifi = Wifi(network)
        on_laptop, address = wifi.laptop.command, wifi.laptop.address
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            kit = await enter(
                running_lenscast(folder / "lenscast-wifi", host=address, command=on_laptop)
            )
            peerjs = await enter(
                running_peerjs(
                    folder / "peerjs-wifi", host=address, port=_PEERJS_PORT, command=on_laptop
                )
            )
            browsers = await enter(
                running_browsers(
                    playwright,
                    file,
                    folder,
                    phone=wifi.phone.command,
                    laptop=on_laptop,
                    trusted=peerjs.origin,
                )
            )
            systems: dict[str, Callable[[], Links]] = {LENSCAST: kit.links, PEERJS: peerjs.links}
            for condition in plan.conditions:
                found: dict[str, list[LinkRun]] = {system: [] for system in systems}
                results.links[condition] = found
                for system, links in systems.items():
                    title = f"{condition.title}, {system}"
                    run = await _attempt_link(
                        browsers, links, title, wifi, condition, plan, results
                    )
                    found[system] += [run] if run else []


async def _attempt_link(
    browsers: Browsers,
    links: Callable[[], Links],
    title: str,
    wifi: Wifi,
    condition: Condition,
    plan: Plan,
    results: Results,
) -> LinkRun | None:
    for _ in range(_TRIES):
        lifted = False
        wifi.begin(condition)
        try:
            async with opened(browsers, links()) as pages:
                await asyncio.sleep(plan.link_seconds)
                run = await pages.collect()
                since = time.time() * 1000
                wifi.end(condition)
                lifted = True
                back = None
                if condition.rate:
                    await pages.full_size(plan.back_seconds)
                    back = (await pages.collect()).back_ms(since)
        except (PairError, PlaywrightError) as error:
            _failed(title, error, results)
            continue
        finally:
            if not lifted:
                wifi.end(condition)
        _tell(title, run)
        return LinkRun(run, back)
    return None


def _failed(title: str, error: Exception, results: Results) -> None:
    reason = f"{title}: {str(error).splitlines()[0]}"
    results.repeated.append(reason)
    say(f"failed: {reason}")


def _tell(title: str, run: Run) -> None:
    full = run.full_size_ms
    size = f"full size {full:.0f} ms" if math.isfinite(full) else "never full size"
    say(
        f"{title}: first frame {run.first_frame_ms:.0f} ms, {size}, "
        f"{run.frame_rate:.1f} frames/s, {run.freezes} freezes"
    )


if __name__ == "__main__":
    sys.exit(main())
