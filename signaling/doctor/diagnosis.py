"""Runs all checks, on the same way that phone and laptop take.

That way leads over the ports, through TLS, into a room, and to every ICE server of that room.
"""

import asyncio
import dataclasses
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from signaling import config
from signaling.config import Config
from signaling.doctor import certificates, network, ports, relays, visit
from signaling.doctor.findings import Finding, broken, note, ok
from signaling.doctor.ports import PortState
from signaling.doctor.relays import Offer
from signaling.host import state_folder
from signaling.room import links
from signaling.room.refusal import Code
from signaling.server import SignalingServer
from signaling.setup_error import SetupError
from turn.checks import PACKETS


def diagnose(
    file: Path | None, *, port: int | None = None, local_port: int | None = None
) -> list[Finding]:
    """Run all checks for the command line.

    Parameters
    ----------
    file: the configuration; None for the defaults.
    port, local_port: override the configuration, as for the server.
    """
    # Each fault has its own line; log messages about it would only repeat that.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        for option, number in (("--port", port), ("--local-port", local_port)):
            if number is not None and not 0 <= number <= 65535:
                raise SetupError(f"{option} must be a port number from 0 to 65535.")
        settings = config.load(file) if file else Config()
        server = settings.server
        server = dataclasses.replace(
            server,
            port=server.port if port is None else port,
            local_port=server.local_port if local_port is None else local_port,
        )
        settings = dataclasses.replace(settings, server=server)
        return asyncio.run(examine(settings, state_folder.locate()))
    except SetupError as error:
        return [broken("set-up", str(error), "")]


async def examine(settings: Config, folder: Path) -> list[Finding]:
    """Check the server that is running on the configured ports; without one, start one.

    Parameters
    ----------
    folder: the state folder.
    """
    server = settings.server
    everyone, local = await asyncio.gather(
        ports.look(server.host, server.port, "server.port"),
        ports.look("127.0.0.1", server.local_port, "server.local_port"),
    )
    findings = [network.lan_address(settings), everyone.finding, local.finding]
    try:
        async with AsyncExitStack() as stack:
            running = local if local.origin else everyone
            origin, mode = running.origin, running.turn or settings.turn.mode
            if origin is None:
                origin = await stack.enter_async_context(
                    _own_server(settings, folder, everyone, local)
                )
            findings += await _visit(stack, settings, folder, origin, mode)
    except SetupError as error:
        findings.append(broken("start", str(error), ""))
    return findings


@asynccontextmanager
async def _own_server(
    settings: Config, folder: Path, everyone: PortState, local: PortState
) -> AsyncIterator[str]:
    """Run a server during the checks, and give its origin. If a port is taken, it uses another."""
    server = dataclasses.replace(
        settings.server,
        port=settings.server.port if everyone.usable else 0,
        local_port=settings.server.local_port if local.usable else 0,
    )
    running = SignalingServer(dataclasses.replace(settings, server=server), folder)
    await running.start()
    try:
        yield f"http://127.0.0.1:{running.local_port}"
    finally:
        await running.stop()


async def _visit(
    stack: AsyncExitStack, settings: Config, folder: Path, origin: str, mode: str
) -> list[Finding]:
    """Visit a server as the laptop and as a phone, and check the ICE servers that each is given."""
    room = f"doctor-{secrets.token_hex(4)}"
    key = links.Links(state_folder.load_secret(folder)).key(room, "receiver")
    try:
        laptop = await stack.enter_async_context(
            visit.registered(origin, room, key, visit.anybody())
        )
    except visit.VisitError as error:
        return [broken("laptop's link", f"{origin} {error}.", _visit_remedy(error))]
    findings = [ok("laptop's link", f"{origin}: a receiver can join a room")]

    phone_origin = laptop.invite.rpartition("/sender")[0]
    offers = [Offer(laptop.ice_servers, to_phone=False)]
    findings.append(network.phone_link(phone_origin, settings))
    # Without a network the link leads to this computer itself, and "LAN address" says so already.
    if network.leads_elsewhere(phone_origin):
        findings += await certificates.check(phone_origin, settings, folder)
        try:
            phone = await stack.enter_async_context(
                visit.registered(phone_origin, room, key, visit.anybody())
            )
            offers.append(Offer(phone.ice_servers, to_phone=True))
        except visit.VisitError as error:
            findings.append(_phone_is_stuck(phone_origin, error, settings))
    context = certificates.trusting(settings, folder)
    findings += await relays.check(offers, mode, packets=PACKETS, context=context)
    return findings


def _visit_remedy(error: visit.VisitError) -> str:
    match error.code:
        case Code.BAD_KEY:
            return (
                "Another user started this server, or it uses another state folder. Stop it, or "
                "run `lenscast doctor` as that user."
            )
        case Code.ROOM_FULL | Code.SERVER_FULL:
            return "Try again when somebody has left, or raise rooms.max_rooms."
        case _:
            return "Stop the program on that port and start Lenscast again. Its log may say more."


def _phone_is_stuck(origin: str, error: visit.VisitError, settings: Config) -> Finding:
    check, text = "phone's link", f"{origin} {error}."
    if not settings.server.public_url:
        return broken(
            check,
            text,
            "Set server.host to 0.0.0.0, and allow this TCP port in this computer's firewall.",
        )
    if error.code is None:
        # Behind some routers the public address works only from outside.
        return note(
            check,
            f"{text[:-1]} when this computer opens it.",
            "Open it on a phone. If that fails too, check the proxy.",
        )
    return broken(check, text, "Make the proxy forward /ws as a WebSocket (docs/configuration.md).")
