"""Certificates for HTTPS: from this host's own CA, or the operator's own files.

Owns the server certificate in the state folder: when it is made, renewed or refused.
"""

import logging
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from signaling.host import authority, pem, state_folder
from signaling.setup_error import SetupError

log = logging.getLogger(__name__)

SERVER_LIFETIME = timedelta(days=397)
"""Browsers accept at most 398 days (CA/B Forum BR 6.3.2); this is one day less."""

RENEW_BEFORE = timedelta(days=30)

_SERVER_REMEDY = "Remove it and start again. Lenscast makes a new one, and nothing is lost."
_OWN_REMEDY = "Correct the path in the configuration, or set `server.tls: local-ca`."


def local_ca_context(folder: Path, names: Sequence[str], now: datetime) -> ssl.SSLContext:
    """Return a server context with a certificate from this host's own CA.

    Parameters
    ----------
    folder: the state folder. The CA is in ca.pem and ca-key.pem; the first run makes it, and later
        ones only replace it when it has expired or has no constraints. The certificate is in
        server.pem and server-key.pem, and is renewed when needed.
    names: IP addresses and host names for the certificate. It always holds localhost, 127.0.0.1,
        ::1, the host's name if that has a dot, and its first part under .local. What the CA may not
        sign for is left out, with a warning.
    now: the time, with a time zone.

    Call this again when the addresses change. Raises SetupError if a file is damaged or cannot be
    read or written, or if the clock is wrong.
    """
    state_folder.prepare_folder(folder)
    wanted = _subject_names(names)
    key, ca = authority.load_or_make(folder, wanted, now)
    server_key = pem.read_or_create_key(folder / "server-key.pem", _SERVER_REMEDY)
    path = folder / "server.pem"
    allowed = [name for name in wanted if authority.may_sign(ca, name)]
    present = state_folder.read(path, pem.parse_certificate, _SERVER_REMEDY)
    if present is None or not _still_good(present, ca, server_key.public_key(), allowed, now):
        _warn_of([name for name in wanted if name not in allowed], folder)
        issued = _issue(key, ca, server_key.public_key(), allowed, now)
        state_folder.replace(path, issued.public_bytes(Encoding.PEM))
    return _context(path, folder / "server-key.pem")


def ca_certificate(folder: Path) -> bytes:
    """Return the CA's certificate as PEM, without its key.

    Raises SetupError if the file is damaged or missing; `local_ca_context` makes it.
    """
    return authority.load(folder).public_bytes(Encoding.PEM)


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 fingerprint of a PEM certificate as phones show it, "AB:CD:...".

    Raises ValueError when `pem` holds no certificate.
    """
    digest = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def own_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a server context with the operator's certificate.

    Parameters
    ----------
    certificate: PEM file of the server's certificate, followed by intermediate certificates.
    key: PEM file of its private key, not encrypted.

    Raises SetupError if a file is missing or unreadable, or if the key belongs to another
    certificate.
    """
    leaf = state_folder.read(certificate, pem.parse_certificate, _OWN_REMEDY)
    if leaf is None:
        raise SetupError(f"The certificate {certificate} is missing. {_OWN_REMEDY}")
    private = state_folder.read(key, pem.parse_key, _OWN_REMEDY)
    if private is None:
        raise SetupError(f"The key {key} is missing. {_OWN_REMEDY}")
    if private.public_key() != leaf.public_key():
        raise SetupError(
            f"The key {key} does not belong to the certificate {certificate}. Name two files that "
            "belong together. In a file with several certificates, the server's must come first."
        )
    return _context(certificate, key)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise SetupError(
            f"TLS cannot use the certificate {certificate} with the key {key}: {reason}. "
            "Make a new pair, with a P-256 key or an RSA key of at least 2048 bits."
        ) from error
    return context


def _still_good(
    present: x509.Certificate,
    ca: x509.Certificate,
    key: EllipticCurvePublicKey,
    wanted: Sequence[x509.GeneralName],
    now: datetime,
) -> bool:
    if present.public_key() != key or not _is_issued_by(present, ca):
        return False
    if not present.not_valid_before_utc <= now < present.not_valid_after_utc - RENEW_BEFORE:
        return False
    try:
        names = present.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    return set(wanted) <= set(names.value)


def _is_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _issue(
    ca_key: EllipticCurvePrivateKey,
    ca: x509.Certificate,
    public: EllipticCurvePublicKey,
    names: Sequence[x509.GeneralName],
    now: datetime,
) -> x509.Certificate:
    start = max(now - pem.CLOCK_SLACK, ca.not_valid_before_utc)
    end = min(now - pem.CLOCK_SLACK + SERVER_LIFETIME, ca.not_valid_after_utc)
    return (
        pem.builder(pem.common_name("Lenscast server"), ca.subject, public, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(pem.key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )


def _subject_names(names: Sequence[str]) -> list[x509.GeneralName]:
    label, host = authority.host_label(), socket.gethostname()
    own = [f"{label}.local", *([host] if "." in host else [])] if label else []
    every = dict.fromkeys([*names, "127.0.0.1", "::1", "localhost", *own])
    return [authority.general_name(name) for name in every]


def _warn_of(missing: Sequence[x509.GeneralName], folder: Path) -> None:
    plain = [str(name.value) for name in missing if "." not in str(name.value).rstrip(".")]
    later = [str(name.value) for name in missing if str(name.value) not in plain]
    if plain:
        log.warning(
            "The certificate leaves out %s: this laptop's certificate authority signs for no name "
            "without a dot.",
            ", ".join(plain),
        )
    if later:
        log.warning(
            "The certificate leaves out %s: this laptop's certificate authority may not sign for "
            "what the laptop did not have when it was made. To replace it, remove ca.pem and "
            "ca-key.pem from %s and start again; phones that trusted the old one must trust the "
            "new one.",
            ", ".join(later),
            folder,
        )
