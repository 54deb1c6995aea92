"""Keys and certificates in PEM files: what the CA and the server's certificate have in common."""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
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
from cryptography.x509.oid import NameOID

from signaling.host import state_folder

CLOCK_SLACK = timedelta(days=1)
"""Certificates start this long in the past, for phones whose clock is slow."""


def builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    """Begin a certificate of the newest version, with a random serial number."""
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


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """What the key of a CA may sign, or that of a server (RFC 5280, 4.2.1.3)."""
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


def common_name(text: str) -> x509.Name:
    """A name that consists of this text alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def read_or_create_key(path: Path, remedy: str) -> EllipticCurvePrivateKey:
    """Return the P-256 key in a file; make it if there is none. Raises SetupError."""
    return state_folder.read_or_create(path, make=_new_key, parse=_parse_p256_key, remedy=remedy)


def parse_certificate(data: bytes) -> x509.Certificate:
    """Read the first certificate of a PEM file. Raises ValueError."""
    try:
        certificate = x509.load_pem_x509_certificate(data)
        certificate.public_key()  # The library parses the key only when it is asked for.
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it holds no readable PEM certificate") from error
    return certificate


def parse_key(data: bytes) -> PrivateKeyTypes:
    """Read a private key. Raises ValueError."""
    try:
        return load_pem_private_key(data, password=None)
    except TypeError as error:
        raise ValueError(
            "it is encrypted; make a copy without a password (openssl pkey -in KEY -out COPY)"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it holds no readable PEM private key") from error


def _new_key() -> bytes:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _parse_p256_key(data: bytes) -> EllipticCurvePrivateKey:
    key = parse_key(data)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ValueError("it is not the P-256 key that Lenscast wrote there")
    return key
