"""Checks the certificate that a server shows to phones, at each address by which they may come.

Owns what can be wrong with it and what mends it. May import `signaling.host.addresses` and
`signaling.host.tls`.
"""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from signaling.config import Config
from signaling.doctor import visit
from signaling.doctor.findings import Finding, broken, note, ok
from signaling.host import addresses, tls
from signaling.server import ANY_ADDRESS

SOON_DAYS = 14
_CHECK = "certificate"

# X509_V_ERR_* of openssl/x509_vfy.h.
_NOT_YET_VALID = 9
_HAS_EXPIRED = 10
_MISMATCH = (62, 64)  # of a host name, of an IP address


def trusting(settings: Config, folder: Path) -> ssl.SSLContext:
    """A client's context like that of a phone which trusts this computer's CA.

    Raises
    ------
    SetupError: the CA in the state folder cannot be read.
    """
    context = ssl.create_default_context()
    if settings.server.tls == "local-ca":
        context.load_verify_locations(cadata=tls.ca_certificate(folder).decode())
    return context


async def check(origin: str, settings: Config, folder: Path) -> list[Finding]:
    """Have the server show its certificate.

    Parameters
    ----------
    origin: scheme, host and port that phones open.
    folder: the state folder.

    Raises
    ------
    SetupError: as for `trusting`.
    """
    parts = urlsplit(origin)
    if parts.scheme != "https":
        return []
    port = parts.port or 443
    own = settings.server.tls == "local-ca" and not settings.server.public_url
    hosts = [parts.hostname or ""]
    if own and settings.server.host in ANY_ADDRESS:
        hosts = list(dict.fromkeys([*hosts, *addresses.lan_addresses()]))
    context = trusting(settings, folder)
    shown = await asyncio.gather(*(_show(host, port, context) for host in hosts))
    findings, good = [], []
    for host, result in zip(hosts, shown, strict=True):
        match result:
            case visit.Shown():
                good.append((host, result))
            case ssl.SSLError():
                findings.append(_bad(host, result, own))
            case _ if host != parts.hostname:  # that one has a line of its own
                text = f"{host} does not answer on port {port}."
                remedy = "Let a firewall on this computer pass that TCP port."
                findings.append(broken("LAN address", text, remedy))
    if good:
        findings.append(_good(good, own, folder))
    return findings


async def _show(host: str, port: int, context: ssl.SSLContext) -> visit.Shown | OSError:
    try:
        return await visit.certificate(host, port, context)
    except ssl.SSLCertVerificationError as error:
        return await _worse(host, port, error)
    except OSError as error:
        return error


async def _worse(host: str, port: int, error: ssl.SSLCertVerificationError) -> OSError:
    """Whatever is wrong with the certificate besides its authority, else the error as it is.

    OpenSSL names one fault only, and an unknown authority before dates and names.
    """
    if error.verify_code in (_HAS_EXPIRED, _NOT_YET_VALID, *_MISMATCH):
        return error
    try:
        shown = await visit.certificate(host, port, visit.anybody())
        itself = ssl.create_default_context(cadata=shown.der)
        itself.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        await visit.certificate(host, port, itself)
    except OSError as worse:
        return worse
    return error


def _good(good: list[tuple[str, visit.Shown]], own: bool, folder: Path) -> Finding:
    hosts = ", ".join(host for host, _ in good)
    first = good[0][1]
    days = (first.expires - datetime.now(UTC)).days
    text = f"good for {hosts}, {days} days left, from {first.issuer}"
    if own:
        ca = x509.load_pem_x509_certificate(tls.ca_certificate(folder))
        text += f" ({(ca.not_valid_after_utc - datetime.now(UTC)).days} days left)"
    if days >= SOON_DAYS:
        return ok(_CHECK, text)
    return note(_CHECK, f"{text}.", "Start lenscast again: it renews it." if own else "Renew it.")


def _bad(host: str, error: ssl.SSLError, own: bool) -> Finding:
    if not isinstance(error, ssl.SSLCertVerificationError):
        remedy = "Start lenscast again, and read its log."
        return broken(_CHECK, f"the TLS handshake with {host} fails.", remedy)
    if error.verify_code == _HAS_EXPIRED:
        renewal = (
            "Start lenscast again: it makes a new one"
            if own
            else "Renew it, and name the new files in server.certificate and server.private_key"
        )
        text = f"the one for {host} has expired."
        return broken(_CHECK, text, f"{renewal}. If it is new, set this computer's clock.")
    if error.verify_code == _NOT_YET_VALID:
        return broken(_CHECK, f"the one for {host} begins later.", "Set this computer's clock.")
    if error.verify_code in _MISMATCH:
        text = f"it does not name {host}, so a phone's browser refuses the connection."
        remedy = (
            "Start lenscast again: it makes one with this address."
            if own
            else "Write a name that stands in it into server.public_url, as in "
            "https://camera.example.org:8443, or set server.tls: local-ca."
        )
        return broken(_CHECK, text, remedy)
    text = f"this computer does not accept the one for {host} ({error.verify_message})."
    if own:
        return broken(_CHECK, text, "Start lenscast again: it makes a new one.")
    return note(_CHECK, text, "A phone warns of it too, unless it trusts that authority.")
