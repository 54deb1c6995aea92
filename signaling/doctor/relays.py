"""Checks the STUN and TURN servers that the pages are told of, and says what mends them.

Owns the remedies, which depend on where a server comes from. May import `turn.checks`.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from signaling.doctor.findings import Finding, broken, note, ok
from signaling.doctor.visit import is_loopback
from turn import checks
from turn.checks import CheckError, Fault, Measurement, ServerUrl

T = TypeVar("T")

SERVER_SECONDS = 7.0
"""How long one check of a server may take."""

HIGH_LOSS = 0.02


@dataclass(frozen=True)
class Offer:
    """What one side is told. `to_phone`: whether that is the phone."""

    ice_servers: Sequence[dict[str, Any]] = field(repr=False)
    to_phone: bool


@dataclass(frozen=True)
class _Entry:
    server: ServerUrl
    username: str | None
    password: str | None = field(repr=False)
    to_phone: bool


@dataclass(frozen=True)
class _Seen:
    """What the checks of one server came to; None where a check does not apply."""

    entry: _Entry
    stun: str | CheckError | None
    relay: Measurement | CheckError | None
    strangers: CheckError | None


async def check(
    offers: Sequence[Offer], mode: str, *, packets: int, context: ssl.SSLContext | None
) -> list[Finding]:
    """Check every server once, all at the same time.

    Parameters
    ----------
    offers: what each side is told; their credentials must stay good until this returns.
    mode: turn.mode of the server that made the offers.
    packets: how many to send through each relay.
    context: for servers over TLS; None: the system's authorities count.
    """
    entries, findings = _entries(offers, mode)
    if not entries and not findings:
        return [
            note(
                "TURN",
                "none: phone and laptop must reach each other directly.",
                "Where a network keeps them apart, set turn.mode (docs/turn.md).",
            )
        ]
    seen = await asyncio.gather(*(_look(entry, packets, context) for entry in entries))
    for one in seen:
        findings += _findings(one, mode)
    findings = list(dict.fromkeys(findings))  # `turn:` and `stun:` may name the same server
    if any(one.entry.server.relays and isinstance(one.relay, Measurement) for one in seen) and not (
        any(one.strangers for one in seen)
    ):
        findings.append(ok("TURN password", "no relay gives an allocation for a wrong one or none"))
    return findings


def _entries(offers: Sequence[Offer], mode: str) -> tuple[list[_Entry], list[Finding]]:
    entries: dict[str, _Entry] = {}
    findings: dict[str, Finding] = {}
    for offer in offers:
        for ice_server in offer.ice_servers:
            for url in _urls(ice_server):
                try:
                    server = checks.parse(url)
                except CheckError as error:
                    findings[url] = broken(
                        "ICE server",
                        f"{url} {error.detail}.",
                        f"Correct it in {_setting(mode)}: browsers refuse the whole list for it.",
                    )
                    continue
                user, password = (_text(ice_server.get(k)) for k in ("username", "credential"))
                entries[url] = _Entry(server, user, password, offer.to_phone)
    return list(entries.values()), list(findings.values())


def _urls(ice_server: dict[str, Any]) -> Iterator[str]:
    urls = ice_server.get("urls")
    if isinstance(urls, list) and urls:
        yield from (str(url) for url in urls)
    else:
        yield urls if isinstance(urls, str) else "an entry without urls"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


async def _look(entry: _Entry, packets: int, context: ssl.SSLContext | None) -> _Seen:
    server, user = entry.server, entry.username
    if not server.relays:
        return _Seen(entry, await _limited(checks.mapped_address(server, tls=context)), None, None)
    stun, relay, strangers = await asyncio.gather(
        _limited(checks.mapped_address(server, tls=context)),
        _limited(checks.measure(server, user, entry.password, packets=packets, tls=context)),
        _limited(checks.refuses_strangers(server, user, tls=context)),
    )
    # Whoever does not answer has refused nobody and let nobody in; the relay's line says so.
    let_in = isinstance(strangers, CheckError) and strangers.fault is Fault.OPEN
    return _Seen(entry, stun, relay, strangers if let_in else None)


async def _limited(work: Coroutine[Any, Any, T]) -> T | CheckError:
    try:
        async with asyncio.timeout(SERVER_SECONDS):
            return await work
    except CheckError as error:
        return error
    except TimeoutError:
        return CheckError(Fault.SILENT, f"does not answer within {SERVER_SECONDS:g} s")


def _findings(seen: _Seen, mode: str) -> Iterator[Finding]:
    server = seen.entry.server
    name = f"TURN over {'TLS' if server.secure else server.transport.upper()}"
    if isinstance(seen.relay, CheckError):
        yield broken(name, f"{server.text} {seen.relay.detail}.", _remedy(seen.relay, server, mode))
    elif seen.relay is not None:
        yield _measured(name, server, seen.relay)
    if seen.strangers is not None:
        yield broken(
            "TURN password",
            f"{server.text} {seen.strangers.detail}: it relays for anybody (an open relay).",
            _remedy(seen.strangers, server, mode),
        )
    if isinstance(seen.stun, CheckError):
        if not server.relays:
            yield broken(
                "STUN", f"{server.text} {seen.stun.detail}.", _remedy(seen.stun, server, mode)
            )
        elif not isinstance(seen.relay, CheckError):
            yield note("STUN", f"{server.text} relays, but {seen.stun.detail} for STUN.")
    elif not server.relays or server.transport == "udp":
        yield ok("STUN", f"{server.host}:{server.port} sees this computer as {seen.stun}")
    if seen.entry.to_phone and is_loopback(server.host) and server.relays:
        yield note(
            name,
            f"{server.text} is this computer alone: the phone is told of it but cannot reach it.",
            f"Name an address of the network in {_setting(mode)}.",
        )


def _measured(name: str, server: ServerUrl, measured: Measurement) -> Finding:
    text = (
        f"{server.text}: {measured.received} of {measured.sent} packets came back, "
        f"round trip {measured.median * 1000:.1f} ms, 95 % within {measured.p95 * 1000:.1f} ms"
    )
    if measured.loss > HIGH_LOSS:
        remedy = "The picture will stutter when relayed: look at that server's load and network."
        return note(name, f"{text}.", remedy)
    return ok(name, text)


def _setting(mode: str) -> str:
    return {"coturn": "turn.coturn.urls", "static": "turn.ice_servers"}.get(mode, "server.port")


def _remedy(error: CheckError, server: ServerUrl, mode: str) -> str:
    if mode == "embedded":
        return _EMBEDDED.get(error.fault, "Start lenscast again; its log may say why.")
    setting = _setting(mode)
    kind = server.transport.upper()
    match error.fault:
        case Fault.REFUSED if mode == "coturn":
            return (
                f"Start coturn there, with {kind} on port {server.port} (docker compose -f "
                f"coturn/compose.yaml up --detach), or correct {setting}."
            )
        case Fault.UNKNOWN_HOST:
            return f"Correct the name in {setting}, or see whether this computer's DNS works."
        case Fault.SILENT | Fault.UNREACHABLE:
            return (
                f"A firewall may keep {kind} port {server.port} closed: open it, or correct "
                f"{setting}."
            )
        case Fault.CREDENTIALS if mode == "coturn":
            return (
                "turn.coturn.secret (or the file in secret_file) must be the static-auth-secret of "
                "that coturn, and the clocks of both computers must agree."
            )
        case Fault.CREDENTIALS:
            return f"Correct username and credential in {setting}."
        case Fault.FORBIDDEN:
            return (
                "Two peers meet at the relay's own address: let coturn have "
                "allowed-peer-ip=THAT-ADDRESS, as `lenscast coturn DIR` writes it."
            )
        case Fault.FULL:
            return "Raise user-quota and total-quota there, or wait until others have left."
        case Fault.NO_PACKETS:
            return (
                "A firewall may keep its relayed ports closed (UDP 49160 to 49359 with `lenscast "
                "coturn DIR`), or behind NAT it may lack external-ip=PUBLIC/PRIVATE."
            )
        case Fault.OPEN if mode == "coturn":
            return (
                "Strangers can send through it. In turnserver.conf remove no-auth and set "
                "use-auth-secret, or write it anew with `lenscast coturn DIR`."
            )
        case Fault.OPEN:
            return f"Strangers can send through it. Have it closed, or remove it from {setting}."
        case Fault.CERTIFICATE:
            return "Give it a certificate for that name which browsers accept, or use turn: for it."
        case _:
            return f"Correct {setting}, or look into the log of that server."


_EMBEDDED = {
    Fault.REFUSED: "Another program may hold that port for UDP: lenscast --port 9443.",
    Fault.SILENT: "Another program may hold that port for UDP: lenscast --port 9443. If none does, "
    "let a firewall on this computer pass it, UDP and TCP.",
    Fault.NO_PACKETS: "A firewall on this computer may drop it: let in UDP and TCP on that port.",
}
