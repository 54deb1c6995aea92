"""This host's own certificate authority (CA): when it is made, replaced or refused.

Phones that trust it believe every certificate that it signs. So it can only sign for names and
addresses that no public site has, and for those that this host had when the CA was made.
"""

import logging
import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from signaling.host import pem, state_folder
from signaling.setup_error import SetupError

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=730)
SOON = timedelta(days=30)
"""How long before its end a CA is said to expire soon."""

PRIVATE_NETWORKS = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918: private.
        "100.64.0.0/10",  # RFC 6598: shared by the customers of a carrier, and of some VPNs.
        *("127.0.0.0/8", "::1/128"),  # RFC 1122, RFC 4291: loopback.
        *("169.254.0.0/16", "fe80::/10"),  # RFC 3927, RFC 4291: link-local.
        "fc00::/7",  # RFC 4193: unique local.
    )
)
LOCAL_DOMAINS = ("local", "localhost")
"""Names that no public site has (RFC 6762, RFC 6761). A constraint covers all names below, too."""

REMEDY = (
    "Restore ca.pem and ca-key.pem from a backup, or remove both and start again. Lenscast then "
    "makes a new CA, and phones that trusted the old one must trust the new one."
)

_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)


def load_or_make(
    folder: Path, names: Sequence[x509.GeneralName], now: datetime
) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    """Return the CA; make it if there is none, or none that is still good.

    Parameters
    ----------
    folder: the state folder, which exists.
    names: what a new CA may sign for besides private addresses and local names.

    Raises SetupError if a file is damaged or cannot be read or written, or if the clock is wrong.
    """
    path, key_path = folder / "ca.pem", folder / "ca-key.pem"
    with state_folder.locked(folder):
        _remove_if_no_good(path, key_path, now)
        if path.exists() and not key_path.exists():
            raise SetupError(f"{key_path} is missing, but {path} exists. {REMEDY}")
        key = pem.read_or_create_key(key_path, REMEDY)
        ca = state_folder.read_or_create(
            path,
            make=lambda: _new(key, names, now).public_bytes(Encoding.PEM),
            parse=_parse,
            remedy=REMEDY,
        )
    if ca.public_key() != key.public_key():
        raise SetupError(f"{key_path} is not the key of {path}. {REMEDY}")
    if now < ca.not_valid_before_utc:
        raise SetupError(
            f"{path} is valid from {ca.not_valid_before_utc:%Y-%m-%d}, but this computer's date is "
            f"{now:%Y-%m-%d}. If the clock is wrong, set it. If not: {REMEDY}"
        )
    if (sentences := expires_soon(ca, folder, now)) is not None:
        log.warning("%s", " ".join(sentences))
    return key, ca


def load(folder: Path) -> x509.Certificate:
    """Return the CA's certificate. Raises SetupError if the file is damaged or missing."""
    path = folder / "ca.pem"
    certificate = state_folder.read(path, _parse, REMEDY)
    if certificate is None:
        raise SetupError(f"{path} is missing. {REMEDY}")
    return certificate


def forget(folder: Path) -> None:
    """Remove the CA, its key, and the certificate that it has signed: the next `load_or_make` makes
    another one.

    Raises
    ------
    SetupError: a file cannot be removed.
    """
    with state_folder.locked(folder):
        # The key first: without it nothing is signed with what is left, should this be cut short.
        for name in ("ca-key.pem", "ca.pem", "server.pem", "server-key.pem"):
            try:
                (folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise SetupError(
                    f"{folder / name} cannot be removed: {error.strerror}. Make your user the "
                    "owner of its folder, and try again."
                ) from error


def expires_soon(ca: x509.Certificate, folder: Path, now: datetime) -> tuple[str, str] | None:
    """Return what to tell a person whose CA expires within 30 days, and what to do about it."""
    left = ca.not_valid_after_utc - now
    if left > SOON:
        return None
    text = (
        f"This laptop's certificate authority expires on {ca.not_valid_after_utc:%Y-%m-%d} "
        f"(in {max(0, left.days)} days). The first start after that makes a new one, and phones "
        "that trusted the old one must trust the new one."
    )
    remedy = f"To do that now, remove ca.pem and ca-key.pem from {folder} and start Lenscast again."
    return text, remedy


def may_sign(ca: x509.Certificate, name: x509.GeneralName) -> bool:
    """Whether a certificate of this CA for a name is valid (RFC 5280, 4.2.1.10).

    Phones that trust the CA refuse a certificate as a whole if it holds any other name.
    """
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints).value
    return any(_covers(subtree, name) for subtree in constraints.permitted_subtrees or ())


def general_name(name: str) -> x509.GeneralName:
    """A name or address as certificates hold it. Raises SetupError if they cannot."""
    # Browsers compare an address in a URL with iPAddress entries only (RFC 9110, 4.3.5).
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise SetupError(
            f"The host name {name!r} is not allowed in a certificate. Write it in ASCII (xn--...)."
        ) from error


def host_label() -> str | None:
    """Return the first part of this host's name; None if it is not allowed in a URL."""
    parts = socket.gethostname().split(".")
    return parts[0] if all(_HOST_LABEL.fullmatch(part) for part in parts) else None


def _remove_if_no_good(path: Path, key_path: Path, now: datetime) -> None:
    """Remove a CA that has expired, or one without constraints, as old versions made it.

    The key goes first. Otherwise a run that ends in between would leave it for the next CA, though
    phones may still trust the old one.
    """
    ca = state_folder.read(path, _parse, REMEDY)
    if ca is None:
        return
    if _is_unconstrained(ca):
        reason = "could sign for any site"
        advice = "on phones that trusted the old one, remove it"
    elif now >= ca.not_valid_after_utc:
        reason, advice = "has expired", "on phones that trusted the old one"
    else:
        return
    key_path.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    log.warning(
        "This laptop's certificate authority %s, so Lenscast has made a new one: %s and trust the "
        "new one, as the page /trust explains.",
        reason,
        advice,
    )


def _is_unconstrained(ca: x509.Certificate) -> bool:
    try:
        ca.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return True
    return False


def _new(
    key: EllipticCurvePrivateKey, names: Iterable[x509.GeneralName], now: datetime
) -> x509.Certificate:
    label = host_label() or "this computer"
    name = pem.common_name(f"Lenscast local CA ({label[:40]})")  # At most 64 (RFC 5280, A.1).
    start = now - pem.CLOCK_SLACK
    return (
        pem.builder(name, name, key.public_key(), start, start + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(pem.key_usage(authority=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(_permitted(names), None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _permitted(names: Iterable[x509.GeneralName]) -> list[x509.GeneralName]:
    """The subtrees that a new CA may sign for.

    A constraint to `desk` would include `anything.desk`, and some names of computers are public
    top-level domains (such as `camera`). So names without a dot are left out.
    """
    permitted: list[x509.GeneralName] = [
        *(x509.IPAddress(network) for network in PRIVATE_NETWORKS),
        *(x509.DNSName(domain) for domain in LOCAL_DOMAINS),
    ]
    for name in names:
        if any(_covers(subtree, name) for subtree in permitted):
            continue
        if isinstance(name, x509.IPAddress):
            permitted.append(x509.IPAddress(ip_network(str(name.value))))
        elif isinstance(name, x509.DNSName) and "." in name.value:
            permitted.append(name)
    return permitted


def _covers(subtree: x509.GeneralName, name: x509.GeneralName) -> bool:
    if isinstance(subtree, x509.IPAddress) and isinstance(name, x509.IPAddress):
        return name.value in ip_network(str(subtree.value))
    if isinstance(subtree, x509.DNSName) and isinstance(name, x509.DNSName):
        return f".{name.value}".lower().endswith(f".{subtree.value}".lower())
    return False


def _parse(data: bytes) -> x509.Certificate:
    certificate = pem.parse_certificate(data)
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise ValueError("it is not the certificate of a CA") from error
    if not basic.ca:
        raise ValueError("it is not the certificate of a CA")
    return certificate
