"""`lenscast doctor`: checks what a person would have to guess, and says what mends it.

Owns the list of checks. Goes the way that phone and laptop go: over the ports, through TLS, into a
room of its own, to each ICE server that it is told of there. May import everything in `signaling`
but `serve`; imports no media library.
"""

import asyncio
import dataclasses
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import ifaddr

from signaling import config
from signaling.config import Config
from signaling.doctor import certificates, ports, relays, visit
from signaling.doctor.findings import (
    Finding,
    Verdict,
    as_json,
    broken,
    exit_code,
    lines,
    note,
    ok,
)
from signaling.doctor.ports import PortState
from signaling.doctor.relays import Offer
from signaling.host import addresses, state_folder
from signaling.room import links
from signaling.room.refusal import Code
from signaling.server import ANY_ADDRESS, SignalingServer
from signaling.setup_error import SetupError
from turn.checks import PACKETS

__all__ = ["as_json", "diagnose", "examine", "exit_code", "lines", "problems", "watch"]

log = logging.getLogger(__name__)

START_PACKETS = 20
"""Packets through each relay when the server starts: enough to see that it relays."""


def diagnose(
    file: Path | None, *, port: int | None = None, local_port: int | None = None
) -> list[Finding]:
    """Run all checks, as the command does.

    Parameters
    ----------
    file: the configuration; None for the defaults.
    port, local_port: win over the configuration, as when serving.
    """
    # Each fault has a line of its own; what the parts log would only repeat it.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        for option, number in (("--port", port), ("--local-port", local_port)):
            if number is not None and not 0 <= number <= 65535:
                raise SetupError(f"{option} must be a port, 0 to 65535.")
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
    """Run all checks, on the lenscast that has the configured ports, or else on one started here.

    Parameters
    ----------
    settings: the configuration.
    folder: the state folder.
    """
    server = settings.server
    everyone, local = await asyncio.gather(
        ports.look(server.host, server.port, "server.port"),
        ports.look("127.0.0.1", server.local_port, "server.local_port"),
    )
    findings = [_network(settings), everyone.finding, local.finding]
    try:
        async with AsyncExitStack() as stack:
            running = local if local.origin else everyone
            origin, mode = running.origin, running.turn
            if origin is None:
                origin = await stack.enter_async_context(
                    _own_server(settings, folder, everyone, local)
                )
                mode = settings.turn.mode
            findings += await _visit(stack, settings, folder, origin, mode)
    except SetupError as error:
        findings.append(broken("start", str(error), ""))
    return findings


async def problems(server: SignalingServer, folder: Path) -> list[str]:
    """What is broken around a server that has just started, a sentence or two each.

    The server is asked for ICE servers directly: a visit would stand in its log and its counts.

    Parameters
    ----------
    folder: its state folder.
    """
    settings = server.config
    phone = server.public_origin()
    findings = [_network(settings), _secure(phone, settings)]
    if _leads_elsewhere(phone):
        findings += await certificates.check(phone, settings, folder)
    peer = f"doctor-{secrets.token_hex(8)}"
    origins = [f"http://127.0.0.1:{server.local_port}", phone]
    now = time.time()
    try:
        offers = [
            Offer(server.turn.issue(peer, origin, now).ice_servers, origin == phone)
            for origin in origins
        ]
        context = certificates.trusting(settings, folder)
        findings += await relays.check(
            offers, settings.turn.mode, packets=START_PACKETS, context=context
        )
    finally:
        server.turn.revoke(peer)
    return [one.sentence() for one in findings if one.verdict is Verdict.BROKEN]


def watch(server: SignalingServer, folder: Path) -> "asyncio.Task[None]":
    """Look for problems in the background, and log one line if there are any.

    Parameters
    ----------
    server: one that has started.
    folder: its state folder.

    Returns
    -------
    The task: the caller keeps it, and cancels it when the server stops.
    """
    # aioice tells of each allocation at INFO; these are none that a person has made.
    logging.getLogger("aioice").setLevel(logging.WARNING)
    task = asyncio.create_task(_tell(server, folder), name="doctor")
    task.add_done_callback(_report_death)
    return task


async def _tell(server: SignalingServer, folder: Path) -> None:
    found = await problems(server, folder)
    if found:
        more = f" There is more ({len(found) - 1})." if len(found) > 1 else ""
        log.warning("%s%s Run `lenscast doctor` to see more.", found[0], more)


def _report_death(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the %s failed: %r", task.get_name(), error)


def _network(settings: Config) -> Finding:
    """Whether this computer has an address by which a phone could reach it."""
    check, host = "LAN address", settings.server.host
    if settings.server.public_url:
        return ok(check, f"not needed: phones open {settings.server.public_url}")
    if host not in ANY_ADDRESS:
        if visit.is_loopback(host):
            return broken(
                check,
                f"server.host is {host}, which no other device can reach.",
                "Set server.host: 0.0.0.0, or write what phones open into server.public_url.",
            )
        return ok(check, f"{host}, from server.host")
    found = addresses.lan_addresses()
    if not found:
        return broken(
            check, "none: no network was found.", "Connect this computer to the phone's Wi-Fi."
        )
    names = {ip.ip: adapter.nice_name for adapter in ifaddr.get_adapters() for ip in adapter.ips}
    shown = ", ".join(f"{address} ({names.get(address, '?')})" for address in found)
    if all(_is_virtual(names.get(address, ""), address) for address in found):
        return note(
            check,
            f"{shown}: only virtual ones, which seldom lead to a phone.",
            "Connect this computer to the phone's Wi-Fi.",
        )
    return ok(check, shown)


def _is_virtual(name: str, address: str) -> bool:
    # Asks the ranking itself: it places a virtual interface behind a physical one.
    return addresses.rank([(name, address), ("eth", "203.0.113.1")], None)[0] != address


def _secure(origin: str, settings: Config) -> Finding:
    """Whether a phone's browser will offer its camera to the page (W3C Secure Contexts)."""
    check = "phone's link"
    if not visit.is_origin(origin):
        return broken(
            check,
            f"server.public_url is {origin}, which no browser can open.",
            "Write it as in https://camera.example.org or https://192.168.1.20:8443.",
        )
    if origin.startswith("https:") or visit.is_loopback(urlsplit(origin).hostname or ""):
        return ok(check, f"{origin} is HTTPS, without which a phone hides its camera")
    text = f"{origin} is not HTTPS: a phone's browser hides its camera from such a page."
    if settings.server.public_url:
        return broken(check, text, "Let server.public_url name an https address.")
    return broken(
        check,
        text,
        "Set server.tls: local-ca; or, behind a proxy that speaks HTTPS, write what phones open "
        "into server.public_url.",
    )


@asynccontextmanager
async def _own_server(
    settings: Config, folder: Path, everyone: PortState, local: PortState
) -> AsyncIterator[str]:
    """A server for the time of the checks; its origin. A port that is taken is replaced by 0."""
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
    """Visit a server as laptop and as phone, and check the ICE servers that both are told of."""
    room = f"doctor-{secrets.token_hex(4)}"
    key = links.Links(state_folder.load_secret(folder)).key(room, "receiver")
    try:
        laptop = await stack.enter_async_context(
            visit.registered(origin, room, key, visit.anybody())
        )
    except visit.VisitError as error:
        return [broken("laptop's link", f"{origin} {error}.", _visit_remedy(error))]
    findings = [ok("laptop's link", f"{origin} lets a receiver into a room")]

    phone_origin = laptop.invite.rpartition("/sender")[0]
    offers = [Offer(laptop.ice_servers, to_phone=False)]
    findings.append(_secure(phone_origin, settings))
    if _leads_elsewhere(phone_origin):
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


def _leads_elsewhere(origin: str) -> bool:
    # Without a network it leads to this computer itself: that has its own line.
    return visit.is_origin(origin) and not visit.is_loopback(urlsplit(origin).hostname or "")


def _visit_remedy(error: visit.VisitError) -> str:
    match error.code:
        case Code.BAD_KEY:
            return (
                "It runs for another user or with another state folder: stop it, or run the doctor "
                "as that user."
            )
        case Code.ROOM_FULL | Code.SERVER_FULL:
            return "Try again when others have left, or raise rooms.max_rooms."
        case _:
            return "Stop what runs on that port and start lenscast again; its log may say why."


def _phone_is_stuck(origin: str, error: visit.VisitError, settings: Config) -> Finding:
    check, text = "phone's link", f"{origin} {error}."
    if not settings.server.public_url:
        return broken(
            check,
            text,
            "Let server.host be 0.0.0.0, and let a firewall on this computer pass that TCP port.",
        )
    if error.code is None:
        # Behind some routers the public address works only from outside.
        return note(
            check, f"{text[:-1]} to this computer.", "Open it on the phone, and look at the proxy."
        )
    return broken(check, text, "Let the proxy pass on /ws as a WebSocket (docs/configuration.md).")
