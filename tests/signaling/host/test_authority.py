"""This laptop's own CA: what somebody who has stolen its key can do, and how it is replaced."""

import asyncio
import logging
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signaling.host import tls
from tests.at_once import READY, run_at_once

NOW = datetime.now(UTC)
LAN = "192.168.1.20"
PUBLIC = "203.0.113.7"
PERMITTED_VIOLATION = 47
"""X509_V_ERR_PERMITTED_VIOLATION of openssl/x509_vfy.h."""


@pytest.fixture(autouse=True)
def _this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk.example.org")


def private_key(path: Path) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def written(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def forged(folder: Path, name: str) -> ssl.SSLContext:
    """A server with a certificate for any name, signed with the key of the folder's CA."""
    key = generate_private_key(SECP256R1())
    leaf = (
        x509.CertificateBuilder()
        .subject_name(named("forged"))
        .issuer_name(certificate(folder / "ca.pem").subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([general_name(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private_key(folder / "ca-key.pem"), hashes.SHA256())
    )
    (folder / "forged.pem").write_bytes(leaf.public_bytes(Encoding.PEM) + written(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "forged.pem")
    return context


async def opens(server: ssl.SSLContext, ca: Path, host: str) -> bool:
    """Whether a client that trusts the CA accepts the server's certificate for a name."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    client = ssl.create_default_context(cafile=str(ca))
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listener:
        port = listener.sockets[0].getsockname()[1]
        try:
            async with asyncio.timeout(30):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=client, server_hostname=host
                )
        except ssl.SSLCertVerificationError as error:
            return error.verify_code != PERMITTED_VIOLATION
        writer.transport.abort()
        return True


@pytest.mark.parametrize(
    ("name", "signed"),
    [
        ("bank.example", False),
        ("example.org", False),
        ("local.example", False),
        ("8.8.8.8", False),
        ("198.51.100.1", False),
        ("2001:db8::1", False),
        (LAN, True),
        ("10.1.2.3", True),
        ("169.254.3.4", True),
        ("fd00::2", True),
        ("fe80::1", True),
        ("phone.local", True),
        ("desk.example.org", True),
        (PUBLIC, True),
    ],
)
async def test_a_stolen_key_signs_for_no_public_site(
    tmp_path: Path, name: str, signed: bool
) -> None:
    """Clients that trust the CA believe it for private addresses, local names, and what this laptop
    had when the CA was made, and for nothing else.
    """
    tls.local_ca_context(tmp_path, [LAN, PUBLIC], NOW)
    assert await opens(forged(tmp_path, name), tmp_path / "ca.pem", name) is signed


@pytest.mark.parametrize("host", ["camera", "studio"])
async def test_a_laptop_with_the_name_of_a_top_level_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """The CA signs for no site below the laptop's name, which may be a public domain."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    server = tls.local_ca_context(tmp_path, [LAN], NOW)
    name = f"www.{host}"
    assert not await opens(forged(tmp_path, name), tmp_path / "ca.pem", name)
    assert await opens(server, tmp_path / "ca.pem", f"{host}.local")


async def test_what_the_ca_may_not_sign_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A later public address does not spoil the certificate for the others; a line names it."""
    tls.local_ca_context(tmp_path, [LAN], NOW)
    server = tls.local_ca_context(tmp_path, [LAN, "10.0.0.9", PUBLIC, "nas"], NOW)
    for host in (LAN, "10.0.0.9", "localhost"):
        assert await opens(server, tmp_path / "ca.pem", host)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "leaves out nas: " in said[0]
    assert f"leaves out {PUBLIC}: " in said[1]
    assert f"remove ca.pem and ca-key.pem from {tmp_path}" in said[1]


def make_old(folder: Path) -> None:
    """A state folder of an older version: a CA for ten years that may sign for any site."""
    tls.local_ca_context(folder, [LAN], NOW)
    key = generate_private_key(SECP256R1())
    ca = (
        x509.CertificateBuilder()
        .subject_name(named("Lenscast local CA (Desk)"))
        .issuer_name(named("Lenscast local CA (Desk)"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=3200))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "ca-key.pem").write_bytes(written(key))


async def test_a_ca_without_limits_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The key that could sign for any site is removed, and one sentence tells the user."""
    make_old(tmp_path)
    old = (tmp_path / "ca.pem").read_bytes(), (tmp_path / "ca-key.pem").read_bytes()
    server = tls.local_ca_context(tmp_path, [LAN], NOW)
    kept = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not set(old) & set(kept)
    assert await opens(server, tmp_path / "ca.pem", LAN)
    assert not await opens(forged(tmp_path, "bank.example"), tmp_path / "ca.pem", "bank.example")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "could sign for any site, so Lenscast has made a new one" in record.getMessage()
    assert "remove it and trust the new one" in record.getMessage()


def test_a_ca_without_limits_that_lost_its_key_is_replaced_too(tmp_path: Path) -> None:
    """A replacement that was interrupted is completed by the next run."""
    make_old(tmp_path)
    (tmp_path / "ca-key.pem").unlink()
    tls.local_ca_context(tmp_path, [LAN], NOW)
    assert certificate(tmp_path / "ca.pem").public_key() == (
        private_key(tmp_path / "ca-key.pem").public_key()
    )


def test_processes_started_at_once_replace_a_ca_once(tmp_path: Path) -> None:
    """They all end up with the same new CA."""
    make_old(tmp_path)
    old = tls.fingerprint(tls.ca_certificate(tmp_path))
    script = (
        "import sys; from datetime import *; from pathlib import Path;"
        "from signaling.host import tls;"
        f"{READY} folder = Path(sys.argv[1]);"
        "tls.local_ca_context(folder, sys.argv[2:], datetime.now(UTC));"
        "print(tls.fingerprint(tls.ca_certificate(folder)))"
    )
    printed = run_at_once(4, script, [str(tmp_path), LAN])
    assert printed == {tls.fingerprint(tls.ca_certificate(tmp_path))}
    assert printed != {old}


def test_an_expired_ca_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is locked out when two years have passed; one sentence tells the user."""
    tls.local_ca_context(tmp_path, [LAN], NOW)
    later = NOW + timedelta(days=731)
    tls.local_ca_context(tmp_path, [LAN], later)
    ca = certificate(tmp_path / "ca.pem")
    assert ca.not_valid_before_utc < later < ca.not_valid_after_utc
    (record,) = caplog.records
    assert "has expired, so Lenscast has made a new one" in record.getMessage()


@pytest.mark.parametrize(("days", "said"), [(697, False), (700, True), (728, True)])
def test_the_end_of_the_ca_is_announced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, days: int, said: bool
) -> None:
    """Each start in the last 30 days says when the CA expires, and what that means."""
    tls.local_ca_context(tmp_path, [LAN], NOW)
    tls.local_ca_context(tmp_path, [LAN], NOW + timedelta(days=days))
    assert bool(caplog.records) is said
    if said:
        text = caplog.records[0].getMessage()
        assert f"expires on {certificate(tmp_path / 'ca.pem').not_valid_after_utc:%Y-%m-%d}" in text
        assert "phones that trusted the old one must trust the new one" in text
