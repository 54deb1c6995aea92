"""Checks the certificate that a server shows to phones, at each address that they may use."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from signaling.config import Config
from signaling.doctor import visit
from signaling.doctor.findings import Finding, broken, note, ok
from signaling.host import addresses, authority, tls
from signaling.link_maker import ANY_ADDRESS

SOON_DAYS = 14
_CHECK = "certificate"

# X509_V_ERR_* of openssl/x509_vfy.h.
_NOT_YET_VALID = 9
_HAS_EXPIRED = 10
_MISMATCH = (62, 64)  # of the host name, of the IP address


def trusting(settings: Config, folder: Path) -> ssl.SSLContext:
    """A client's TLS context, like that of a phone that trusts this computer's CA.

    Raises
    ------
    SetupError: the CA in the state folder cannot be read.
    """
    context = ssl.create_default_context()
    if settings.server.tls == "local-ca":
        context.load_verify_locations(cadata=tls.ca_certificate(folder).decode())
    return context


async def check(origin: str, settings: Config, folder: Path) -> list[Finding]:
    """Get the server's certificate, and say whether phones can use it.

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
                findings.append(_bad(host, result, own, folder))
            case _ if host != parts.hostname:  # "phone's link" is about that one.
                text = f"{host} does not answer on port {port}."
                remedy = "Allow this TCP port in this computer's firewall."
                findings.append(broken("LAN address", text, remedy))
    if good:
        findings.append(_good(good, own, folder))
    return findings


async def _show(host: str, port: int, context: ssl.SSLContext) -> visit.Shown | OSError:
    try:
        return await visit.certificate(host, port, context)
    except ssl.SSLCertVerificationError as error:
        return await _named_fault(host, port, error)
    except OSError as error:
        return error


async def _named_fault(host: str, port: int, error: ssl.SSLCertVerificationError) -> OSError:
    """What is wrong with the certificate apart from its issuer; `error` if nothing is.

    OpenSSL reports one fault only, and an unknown issuer before wrong dates and names.
    """
    if error.verify_code in (_HAS_EXPIRED, _NOT_YET_VALID, *_MISMATCH):
        return error
    try:
        shown = await visit.certificate(host, port, visit.anybody())
        itself = ssl.create_default_context(cadata=shown.der)
        itself.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        await visit.certificate(host, port, itself)
    except OSError as other:
        return other
    return error


def _good(good: list[tuple[str, visit.Shown]], own: bool, folder: Path) -> Finding:
    hosts = ", ".join(host for host, _ in good)
    first, now = good[0][1], datetime.now(UTC)
    days = (first.expires - now).days
    text = f"valid for {hosts}, expires in {days} days, issued by {first.issuer}"
    if own:
        ca = authority.load(folder)
        soon = authority.expires_soon(ca, folder, now)
        if soon:
            return note(_CHECK, *soon)
        text += f" (expires in {(ca.not_valid_after_utc - now).days} days)"
    if days >= SOON_DAYS:
        return ok(_CHECK, text)
    return note(_CHECK, f"{text}.", "Restart Lenscast to renew it." if own else "Renew it.")


def _other_name(host: str, own: bool, folder: Path) -> str:
    """What to do about a certificate that does not include the address of a phone's link."""
    if not own:
        return (
            "Set server.public_url to a name in the certificate, for example "
            "https://camera.example.org:8443, or set server.tls to local-ca."
        )
    if authority.may_sign(authority.load(folder), authority.general_name(host)):
        return "Restart Lenscast to get one that includes this address."
    return (
        "This laptop's certificate authority is older than the address and may not sign for it. "
        f"To replace it, remove ca.pem and ca-key.pem from {folder} and start Lenscast again; "
        "phones that trusted the old one must trust the new one."
    )


def _bad(host: str, error: ssl.SSLError, own: bool, folder: Path) -> Finding:
    if not isinstance(error, ssl.SSLCertVerificationError):
        remedy = "Restart Lenscast and read its log."
        return broken(_CHECK, f"the TLS handshake with {host} fails.", remedy)
    if error.verify_code == _HAS_EXPIRED:
        renewal = (
            "Restart Lenscast to get a new one"
            if own
            else "Renew it, and set server.certificate and server.private_key to the new files"
        )
        text = f"the certificate for {host} has expired."
        return broken(_CHECK, text, f"{renewal}. If it is new, correct this computer's clock.")
    if error.verify_code == _NOT_YET_VALID:
        text = f"the certificate for {host} is not valid yet."
        return broken(_CHECK, text, "Correct this computer's clock.")
    if error.verify_code in _MISMATCH:
        text = f"it is not valid for {host}, so a phone's browser refuses the connection."
        return broken(_CHECK, text, _other_name(host, own, folder))
    text = f"this computer does not trust the certificate for {host} ({error.verify_message})."
    if own:
        return broken(_CHECK, text, "Restart Lenscast to get a new one.")
    return note(_CHECK, text, "Phones warn about it too, unless they trust its issuer.")
