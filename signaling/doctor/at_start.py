"""The checks that run in the background when a server has started."""

import asyncio
import logging
import secrets
import time
from pathlib import Path

from signaling.doctor import certificates, network, relays
from signaling.doctor.findings import Verdict
from signaling.doctor.relays import Offer
from signaling.server import SignalingServer
from turn.tasks import report_death

log = logging.getLogger(__name__)

PACKETS = 20
"""Packets to send through each relay: enough to see that it works."""


def watch(server: SignalingServer, folder: Path) -> "asyncio.Task[None]":
    """Look for problems in the background, and log one line if there are any.

    Parameters
    ----------
    server: one that has started.
    folder: its state folder.

    Returns
    -------
    The task. The caller keeps it, and cancels it when the server stops.
    """
    # aioice logs each allocation at INFO; these do not belong to any user.
    logging.getLogger("aioice").setLevel(logging.WARNING)
    task = asyncio.create_task(_log_problems(server, folder), name="doctor")
    task.add_done_callback(report_death)
    return task


async def problems(server: SignalingServer, folder: Path) -> list[str]:
    """Describe what is broken around a server that has just started, one text for each problem.

    The ICE servers come from the server directly: a client would appear in its log and metrics.

    Parameters
    ----------
    folder: its state folder.
    """
    settings = server.config
    phone = server.public_origin()
    findings = [network.lan_address(settings), network.phone_link(phone, settings)]
    if network.leads_elsewhere(phone):
        findings += await certificates.check(phone, settings, folder)
    peer = f"doctor-{secrets.token_hex(8)}"
    origins = [f"http://127.0.0.1:{server.local_port}", phone]
    now = time.time()
    try:
        offers = [
            Offer(server.turn.issue(peer, peer, origin, now).ice_servers, origin == phone)
            for origin in origins
        ]
        context = certificates.trusting(settings, folder)
        findings += await relays.check(offers, settings.turn.mode, packets=PACKETS, context=context)
    finally:
        server.turn.revoke(peer)
    return [one.sentence() for one in findings if one.verdict is Verdict.BROKEN]


async def _log_problems(server: SignalingServer, folder: Path) -> None:
    found = await problems(server, folder)
    if found:
        count = len(found) - 1
        more = f" ({count} more problem{'s' if count > 1 else ''}.)" if count else ""
        log.warning("%s%s For details, run `lenscast doctor`.", found[0], more)
