"""Certificates for HTTPS: from this host's own CA, or the operator's own files.

Owns the CA and the server certificate in the state folder: when they are made, renewed or refused.
"""

import re
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signaling.host import state_folder
from signaling.setup_error import SetupError

CA_LIFETIME = timedelta(days=3652)
SERVER_LIFETIME = timedelta(days=397)
"""Browsers accept at most 398 days (CA/B Forum BR 6.3.2); this is one day less."""

RENEW_BEFORE = timedelta(days=30)
CLOCK_SLACK = timedelta(days=1)
"""Certificates start this long in the past, for phones whose clock is slow."""

_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)

_CA_REMEDY = (
    "Restore ca.pem and ca-key.pem from a backup, or remove both and start again. Lenscast then "
    "makes a new CA, and phones that trusted the old one must trust the new one."
)
_SERVER_REMEDY = "Remove it and start again. Lenscast makes a new one, and nothing is lost."
_OWN_REMEDY = "Correct the path in the configuration, or set `server.tls: local-ca`."


def local_ca_context(folder: Path, names: Sequence[str], now: datetime) -> ssl.SSLContext:
    """Return a server context with a certificate from this host's own CA.

    Parameters
    ----------
    folder: the state folder. The CA is in ca.pem and ca-key.pem, which the first run makes and
        no later run replaces. The certificate is in server.pem and server-key.pem, and is renewed
        when needed.
    names: IP addresses and host names for the certificate. It always holds localhost, 127.0.0.1,
        ::1, the host's name, and that name under .local as well.
    now: the time, with a time zone.

    Call this again when the addresses change. Raises SetupError if a file is damaged or cannot be
    read or written, or if the CA has expired.
    """
    state_folder.prepare_folder(folder)
    key, ca = _local_ca(folder, now)
    server_key = _read_or_create_key(folder / "server-key.pem", _SERVER_REMEDY)
    path = folder / "server.pem"
    wanted = _subject_names(names)
    present = state_folder.read(path, _parse_certificate, _SERVER_REMEDY)
    if present is None or not _still_good(present, ca, server_key.public_key(), wanted, now):
        issued = _issue(key, ca, server_key.public_key(), wanted, now)
        state_folder.replace(path, issued.public_bytes(Encoding.PEM))
    return _context(path, folder / "server-key.pem")


def ca_certificate(folder: Path) -> bytes:
    """Return the CA's certificate as PEM, without its key.

    Raises SetupError if the file is damaged or missing; `local_ca_context` makes it.
    """
    path = folder / "ca.pem"
    certificate = state_folder.read(path, _parse_ca, _CA_REMEDY)
    if certificate is None:
        raise SetupError(f"{path} is missing. {_CA_REMEDY}")
    return certificate.public_bytes(Encoding.PEM)


def forget_authority(folder: Path) -> None:
    """Remove the CA, its key, and the certificate that it has signed, so that the next
    `local_ca_context` makes new ones.

    Raises SetupError if a file cannot be removed.
    """
    # The key first: without it nothing is signed with what is left, should this be cut short.
    for name in ("ca-key.pem", "ca.pem", "server.pem", "server-key.pem"):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise SetupError(
                f"{folder / name} cannot be removed: {error.strerror}. Make your user the owner of "
                "its folder, and try again."
            ) from error


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
    leaf = state_folder.read(certificate, _parse_certificate, _OWN_REMEDY)
    if leaf is None:
        raise SetupError(f"The certificate {certificate} is missing. {_OWN_REMEDY}")
    private = state_folder.read(key, _parse_key, _OWN_REMEDY)
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


def _local_ca(folder: Path, now: datetime) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    """Return the CA; make it if it does not exist.

    The key is written first, and each file is written once. So processes that start at the same
    time agree: all of them read the same key, and the first certificate that was made for it.
    """
    path, key_path = folder / "ca.pem", folder / "ca-key.pem"
    if path.exists() and not key_path.exists():
        raise SetupError(f"{key_path} is missing, but {path} exists. {_CA_REMEDY}")
    key = _read_or_create_key(key_path, _CA_REMEDY)
    ca = state_folder.read_or_create(
        path,
        make=lambda: _new_ca(key, now).public_bytes(Encoding.PEM),
        parse=_parse_ca,
        remedy=_CA_REMEDY,
    )
    if ca.public_key() != key.public_key():
        raise SetupError(f"{key_path} is not the key of {path}. {_CA_REMEDY}")
    if not ca.not_valid_before_utc <= now < ca.not_valid_after_utc:
        raise SetupError(
            f"{path} is valid from {ca.not_valid_before_utc:%Y-%m-%d} to "
            f"{ca.not_valid_after_utc:%Y-%m-%d}, but this computer's date is {now:%Y-%m-%d}. "
            f"If the clock is wrong, set it. If not: {_CA_REMEDY}"
        )
    return key, ca


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


def _new_ca(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    label = _host_label() or "this computer"
    name = _common_name(f"Lenscast local CA ({label[:40]})")  # At most 64 (RFC 5280, A.1).
    public = key.public_key()
    return (
        _builder(name, name, public, now - CLOCK_SLACK, now - CLOCK_SLACK + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _issue(
    ca_key: EllipticCurvePrivateKey,
    ca: x509.Certificate,
    public: EllipticCurvePublicKey,
    names: Sequence[x509.GeneralName],
    now: datetime,
) -> x509.Certificate:
    start = max(now - CLOCK_SLACK, ca.not_valid_before_utc)
    end = min(now - CLOCK_SLACK + SERVER_LIFETIME, ca.not_valid_after_utc)
    return (
        _builder(_common_name("Lenscast server"), ca.subject, public, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _subject_names(names: Sequence[str]) -> list[x509.GeneralName]:
    label = _host_label()
    own = [socket.gethostname(), label, f"{label}.local"] if label else []
    every = dict.fromkeys([*names, "127.0.0.1", "::1", "localhost", *own])
    return [_general_name(name) for name in every]


def _general_name(name: str) -> x509.GeneralName:
    # Browsers compare an address in a URL with iPAddress entries only (RFC 9110, 4.3.5).
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise SetupError(
            f"The host name {name!r} is not allowed in a certificate. Write it in ASCII (xn--...)."
        ) from error


def _host_label() -> str | None:
    """Return the first part of this host's name; None if it is not allowed in a URL."""
    parts = socket.gethostname().split(".")
    return parts[0] if all(_HOST_LABEL.fullmatch(part) for part in parts) else None


def _read_or_create_key(path: Path, remedy: str) -> EllipticCurvePrivateKey:
    return state_folder.read_or_create(path, make=_new_key, parse=_parse_p256_key, remedy=remedy)


def _new_key() -> bytes:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _parse_certificate(data: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(data)
        certificate.public_key()  # The library parses the key only when it is asked for.
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it holds no readable PEM certificate") from error
    return certificate


def _parse_ca(data: bytes) -> x509.Certificate:
    certificate = _parse_certificate(data)
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise ValueError("it is not the certificate of a CA") from error
    if not basic.ca:
        raise ValueError("it is not the certificate of a CA")
    return certificate


def _parse_key(data: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(data, password=None)
    except TypeError as error:
        raise ValueError(
            "it is encrypted; make a copy without a password (openssl pkey -in KEY -out COPY)"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it holds no readable PEM private key") from error


def _parse_p256_key(data: bytes) -> EllipticCurvePrivateKey:
    key = _parse_key(data)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ValueError("it is not the P-256 key that Lenscast wrote there")
    return key
