"""Checks the STUN and TURN servers that the pages are given.

How to fix one that is broken depends on where it comes from: from turn.mode of the configuration.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from signaling.doctor import own_host
from signaling.doctor.findings import Finding, broken, note, ok
from signaling.doctor.visit import is_loopback
from turn import checks
from turn.checks import CheckError, Fault, Measurement, ServerUrl

T = TypeVar("T")

SERVER_SECONDS = 7.0
"""How long each check of a server may take."""

HIGH_LOSS = 0.02


@dataclass(frozen=True)
class Offer:
    """The ICE servers that one side is given. `to_phone`: whether that side is the phone."""

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
    """The results of one server's checks; None where a check does not apply.

    Attributes
    ----------
    stun: this computer's address as the server sees it.
    relay: how packets got through.
    strangers: the server gave an allocation to somebody without the right credentials.
    """

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
    offers: what each side is given; the credentials must stay valid until this returns.
    mode: turn.mode of the signaling server that made the offers.
    packets: how many to send through each relay.
    context: for TLS; None for the authorities that the system trusts.
    """
    entries, findings = _entries(offers, mode)
    if not entries and not findings:
        return [
            note(
                "TURN",
                "no relay, so phone and laptop must be able to reach each other directly.",
                "If the network prevents that, set turn.mode (docs/turn.md).",
            )
        ]
    seen = await asyncio.gather(*(_look(entry, packets, context) for entry in entries))
    for one in seen:
        findings += _findings(one, mode)
    findings = list(dict.fromkeys(findings))  # A `turn:` and a `stun:` URL may mean one server.
    if mode == "coturn":
        findings += await _own_host(seen)
    if any(one.entry.server.relays and isinstance(one.relay, Measurement) for one in seen) and not (
        any(one.strangers for one in seen)
    ):
        findings.append(ok("TURN password", "no relay accepts clients without the right password"))
    return findings


async def _own_host(seen: Sequence[_Seen]) -> list[Finding]:
    """What a coturn on this computer lets its clients reach here; once for each coturn."""
    working = {
        one.entry.server.host: one.entry for one in seen if isinstance(one.relay, Measurement)
    }
    found = await asyncio.gather(
        *(own_host.check(one.server, one.username, one.password) for one in working.values())
    )
    return [finding for findings in found for finding in findings]


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
                        f"Correct it in {_setting(mode)}. Until then browsers refuse the whole "
                        "list.",
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
    # A server that does not answer lets nobody in either; the relay's line reports that.
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
            f"{server.text} {seen.strangers.detail}, so anybody can use it (an open relay).",
            _remedy(seen.strangers, server, mode),
        )
    if isinstance(seen.stun, CheckError):
        if not server.relays:
            yield broken(
                "STUN", f"{server.text} {seen.stun.detail}.", _remedy(seen.stun, server, mode)
            )
        elif not isinstance(seen.relay, CheckError):
            yield note(
                "STUN", f"{server.text} works as a relay, but for STUN it {seen.stun.detail}."
            )
    elif not server.relays or server.transport == "udp":
        yield ok("STUN", f"{server.host}:{server.port} sees this computer as {seen.stun}")
    if seen.entry.to_phone and is_loopback(server.host) and server.relays:
        yield note(
            name,
            f"{server.text} is an address of this computer only. The phone gets it too, but cannot "
            "reach it.",
            f"Use an address in {_setting(mode)} that the phone can reach.",
        )


def _measured(name: str, server: ServerUrl, measured: Measurement) -> Finding:
    text = (
        f"{server.text}: {measured.received} of {measured.sent} packets came back, "
        f"median round trip {measured.median * 1000:.1f} ms, "
        f"95 % within {measured.p95 * 1000:.1f} ms"
    )
    if measured.loss > HIGH_LOSS:
        remedy = "Relayed video will stutter. Check the load and the network of that server."
        return note(name, f"{text}.", remedy)
    return ok(name, text)


def _setting(mode: str) -> str:
    return {"coturn": "turn.coturn.urls", "static": "turn.ice_servers"}.get(mode, "server.port")


def _remedy(error: CheckError, server: ServerUrl, mode: str) -> str:
    if mode == "embedded":
        return _EMBEDDED.get(error.fault, "Restart Lenscast. Its log may say more.")
    setting = _setting(mode)
    kind = server.transport.upper()
    match error.fault:
        case Fault.REFUSED if mode == "coturn":
            return (
                f"Start coturn there, with {kind} on port {server.port} (docker compose -f "
                f"coturn/compose.yaml up --detach), or correct {setting}."
            )
        case Fault.UNKNOWN_HOST:
            return f"Correct the name in {setting}, or check whether this computer's DNS works."
        case Fault.SILENT | Fault.UNREACHABLE:
            return (
                f"A firewall may be blocking {kind} port {server.port}. Open the port, or correct "
                f"{setting}."
            )
        case Fault.CREDENTIALS if mode == "coturn":
            return (
                "turn.coturn.secret (or what turn.coturn.secret_file holds) must be the same as "
                "coturn's static-auth-secret, and the clocks of both computers must be right."
            )
        case Fault.CREDENTIALS:
            return f"Correct the username and the credential in {setting}."
        case Fault.FORBIDDEN:
            return (
                "Two relayed peers need to reach each other at that address. Add "
                "allowed-peer-ip=ADDRESS to turnserver.conf, as `lenscast coturn DIR` does."
            )
        case Fault.FULL:
            return (
                "Raise user-quota and total-quota in turnserver.conf, or wait until others leave."
            )
        case Fault.NO_PACKETS:
            return (
                "A firewall may be blocking its relay ports (UDP 49160 to 49359 with `lenscast "
                "coturn DIR`). Behind NAT it also needs external-ip=PUBLIC/PRIVATE."
            )
        case Fault.OPEN if mode == "coturn":
            return (
                "In turnserver.conf remove no-auth and set use-auth-secret, or write a new file "
                "with `lenscast coturn DIR`."
            )
        case Fault.OPEN:
            return f"Make that server require a password, or remove it from {setting}."
        case Fault.CERTIFICATE:
            return (
                "Give that server a certificate that browsers accept for its name, or use a turn: "
                "URL."
            )
        case _:
            return f"Correct {setting}, or read the log of that server."


_EMBEDDED = {
    Fault.REFUSED: "Another program may be using that UDP port. Try lenscast --port 9443.",
    Fault.SILENT: "Another program may be using that UDP port. Try lenscast --port 9443. If that "
    "does not help, allow the port in this computer's firewall, UDP and TCP.",
    Fault.NO_PACKETS: "This computer's firewall may be blocking it. Allow that port, UDP and TCP.",
}
