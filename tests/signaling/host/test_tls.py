"""Certificates: from this host's own CA, and from the operator's files."""

import asyncio
import ipaddress
import socket
import ssl
import stat
import subprocess
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from signaling.host import tls
from signaling.setup_error import SetupError
from tests.at_once import READY, run_at_once

NOW = datetime.now(UTC)
LAN = "192.168.1.20"
FILES = ("ca-key.pem", "ca.pem", "server-key.pem", "server.pem")
STARTED_AT_ONCE = 4


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def changed(before: dict[str, bytes], folder: Path) -> set[str]:
    after = contents(folder)
    return {name for name in FILES if before[name] != after[name]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder after the first run."""
    tls.local_ca_context(tmp_path / "state", [LAN], NOW)
    return tmp_path / "state"


def test_files_are_private(folder: Path) -> None:
    """The first run leaves four files of mode 0600 in a folder of mode 0700."""
    assert sorted(path.name for path in folder.iterdir()) == list(FILES)
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in FILES} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_openssl_accepts_the_chain(folder: Path) -> None:
    """OpenSSL accepts the certificate and the CA under the strict rules of RFC 5280."""
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", LAN]
    files = ["-CAfile", str(folder / "ca.pem"), str(folder / "server.pem")]
    done = subprocess.run([*command, *files], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_ca(folder: Path) -> None:
    """The CA may sign server certificates but no further CAs, for two years, and it has a name."""
    ca = certificate(folder / "ca.pem")
    basic = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    assert ca.not_valid_after_utc - ca.not_valid_before_utc == timedelta(days=730)
    purposes = ca.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert ca.extensions.get_extension_for_class(x509.NameConstraints).critical
    assert ca.subject.rfc4514_string().startswith("CN=Lenscast local CA (")
    key = ca.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    assert isinstance(key.curve, SECP256R1)


def test_server_certificate(folder: Path) -> None:
    """The certificate is for TLS servers, uses P-256, and is valid for 397 days from yesterday."""
    server = certificate(folder / "server.pem")
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert server.not_valid_after_utc - server.not_valid_before_utc == timedelta(days=397)
    assert timedelta(hours=23) < NOW - server.not_valid_before_utc < timedelta(hours=25)
    key = server.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    assert isinstance(key.curve, SECP256R1)


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate holds addresses as iPAddress entries, localhost, and the host's names."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk.example.org")
    tls.local_ca_context(tmp_path, [LAN, "fd00::2", "camera.example.org"], NOW)
    names = certificate(tmp_path / "server.pem").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    addresses = {LAN, "fd00::2", "127.0.0.1", "::1"}
    assert set(names.value.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address(address) for address in addresses
    }
    hosts = {"localhost", "Desk.local", "Desk.example.org", "camera.example.org"}
    assert set(names.value.get_values_for_type(x509.DNSName)) == hosts


@pytest.mark.parametrize("name", ["büro", "a_b", "", "x" * 64, "two words"])
def test_odd_host_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A host name that is not allowed in a URL is left out, and everything else works."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    tls.local_ca_context(tmp_path, [LAN], NOW)
    names = certificate(tmp_path / "server.pem").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]


def test_longest_host_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a host name of 63 characters gives the CA a name of at most 64."""
    monkeypatch.setattr(socket, "gethostname", lambda: "x" * 63)
    tls.local_ca_context(tmp_path, [LAN], NOW)
    subject = certificate(tmp_path / "ca.pem").subject
    assert len(str(next(iter(subject)).value)) <= 64


def test_name_that_cannot_be_certified(tmp_path: Path) -> None:
    """A configured host name that is not ASCII is reported."""
    with pytest.raises(SetupError, match="büro"):
        tls.local_ca_context(tmp_path, ["büro.example.org"], NOW)


def test_second_run_changes_nothing(folder: Path) -> None:
    """A run with the same addresses, or fewer, changes no file."""
    before = contents(folder)
    tls.local_ca_context(folder, [LAN], NOW + timedelta(days=1))
    tls.local_ca_context(folder, [], NOW + timedelta(days=1))
    assert not changed(before, folder)


def test_renewed_for_a_new_address(folder: Path) -> None:
    """If the certificate lacks an address, it is renewed with the same CA and key."""
    before = contents(folder)
    tls.local_ca_context(folder, [LAN, "10.0.0.7"], NOW)
    assert changed(before, folder) == {"server.pem"}


@pytest.mark.parametrize(("days", "renewed"), [(365, False), (367, True), (500, True), (-30, True)])
def test_renewed_before_it_expires(tmp_path: Path, days: int, renewed: bool) -> None:
    """The certificate is renewed 30 days before it expires, or if it is not valid yet."""
    # The CA must be valid at both times, so it is made at the earlier one.
    tls.local_ca_context(tmp_path, [LAN], NOW - timedelta(days=100))
    (tmp_path / "server.pem").unlink()
    tls.local_ca_context(tmp_path, [LAN], NOW)
    before = contents(tmp_path)
    tls.local_ca_context(tmp_path, [LAN], NOW + timedelta(days=days))
    assert changed(before, tmp_path) == ({"server.pem"} if renewed else set())


def test_renewed_under_another_ca(folder: Path, tmp_path: Path) -> None:
    """A certificate that this CA did not sign is renewed."""
    tls.local_ca_context(tmp_path / "other", [LAN], NOW)
    for name in ("server.pem", "server-key.pem"):
        (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    tls.local_ca_context(folder, [LAN], NOW)
    certificate(folder / "server.pem").verify_directly_issued_by(certificate(folder / "ca.pem"))


def test_renewed_for_another_key(folder: Path) -> None:
    """If the server's key was removed, a new key gets a new certificate."""
    before = contents(folder)
    (folder / "server-key.pem").unlink()
    tls.local_ca_context(folder, [LAN], NOW)
    assert changed(before, folder) == {"server.pem", "server-key.pem"}


def test_never_longer_than_the_ca(folder: Path) -> None:
    """In the CA's last year, a certificate ends when the CA ends."""
    tls.local_ca_context(folder, [LAN], NOW + timedelta(days=600))
    ends = [certificate(folder / name).not_valid_after_utc for name in ("server.pem", "ca.pem")]
    assert ends[0] == ends[1]


def test_ca_before_its_time(folder: Path) -> None:
    """A CA that is not valid yet is reported with its path and the date, and is kept."""
    before = contents(folder)
    with pytest.raises(SetupError, match="clock") as caught:
        tls.local_ca_context(folder, [LAN], NOW - timedelta(days=30))
    assert str(folder / "ca.pem") in str(caught.value)
    assert not changed(before, folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"not a certificate", None])
def test_damaged_file(folder: Path, name: str, content: bytes | None) -> None:
    """A damaged file is reported with its path and what to do, and nothing is overwritten."""
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    before = contents(folder)
    with pytest.raises(SetupError, match="start again") as caught:
        tls.local_ca_context(folder, [LAN], NOW)
    assert str(folder / name) in str(caught.value)
    assert not changed(before, folder)


def test_lost_ca_key(folder: Path) -> None:
    """A CA without its key is reported, and no new key is made."""
    (folder / "ca-key.pem").unlink()
    with pytest.raises(SetupError, match=f"{folder / 'ca-key.pem'} is missing"):
        tls.local_ca_context(folder, [LAN], NOW)
    assert not (folder / "ca-key.pem").exists()


def test_key_of_another_ca(folder: Path) -> None:
    """A key that does not belong to the CA is reported and kept."""
    (folder / "ca-key.pem").write_bytes((folder / "server-key.pem").read_bytes())
    before = contents(folder)
    with pytest.raises(SetupError, match="is not the key of"):
        tls.local_ca_context(folder, [LAN], NOW)
    assert not changed(before, folder)


def test_server_certificate_in_place_of_the_ca(folder: Path) -> None:
    """A certificate that is not a CA's is not accepted as the CA."""
    (folder / "ca.pem").write_bytes((folder / "server.pem").read_bytes())
    with pytest.raises(SetupError, match="not the certificate of a CA"):
        tls.ca_certificate(folder)


def test_ca_certificate(folder: Path) -> None:
    """`ca_certificate` returns the certificate without a key."""
    assert tls.ca_certificate(folder) == (folder / "ca.pem").read_bytes()


def test_no_ca_certificate(tmp_path: Path) -> None:
    """Without a CA, `ca_certificate` says which file is missing."""
    with pytest.raises(SetupError, match=str(tmp_path / "ca.pem")):
        tls.ca_certificate(tmp_path)


def test_fingerprint(folder: Path) -> None:
    """The fingerprint is the one that OpenSSL prints."""
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in"]
    done = subprocess.run(
        [*command, str(folder / "ca.pem")], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split("=")[1].strip() == tls.fingerprint(tls.ca_certificate(folder))


def test_processes_started_at_once_share_a_ca(tmp_path: Path) -> None:
    """Processes that start at the same time in a new folder get the same CA, and it serves all
    of them.
    """
    script = (
        "import sys; from datetime import *; from pathlib import Path;"
        "from signaling.host import tls;"
        f"{READY} folder = Path(sys.argv[1]);"
        "tls.local_ca_context(folder, sys.argv[2:], datetime.now(UTC));"
        "print(tls.fingerprint(tls.ca_certificate(folder)))"
    )
    folder = tmp_path / "state"
    printed = run_at_once(STARTED_AT_ONCE, script, [str(folder), LAN])
    assert printed == {tls.fingerprint(tls.ca_certificate(folder))}
    before = contents(folder)
    tls.local_ca_context(folder, [LAN], NOW)
    assert not changed(before, folder)


async def greet(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Do a handshake on 127.0.0.1 with the name `host`, and return the client's side."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client, server_hostname=host
            )
            shaken = writer.get_extra_info("ssl_object")
            assert isinstance(shaken, ssl.SSLObject)
            await reader.read()
            writer.close()
            await writer.wait_closed()
            return shaken


def trusting(ca: Path) -> ssl.SSLContext:
    """A client context that trusts only this CA, under the strict rules."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    client.load_verify_locations(ca)
    client.set_alpn_protocols(["h2", "http/1.1"])
    return client


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", LAN, "localhost"])
async def test_handshake(folder: Path, host: str) -> None:
    """A client that trusts only the CA connects by address and by name, with HTTP/1.1 as ALPN."""
    server = tls.local_ca_context(folder, [LAN], NOW)
    shaken = await greet(server, trusting(folder / "ca.pem"), host)
    assert shaken.selected_alpn_protocol() == "http/1.1"
    assert shaken.version() == "TLSv1.3"


async def test_handshake_by_another_address(folder: Path) -> None:
    """The client refuses an address that is not in the certificate."""
    server = tls.local_ca_context(folder, [LAN], NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        await greet(server, trusting(folder / "ca.pem"), "192.168.1.21")


def test_oldest_version(folder: Path) -> None:
    """TLS 1.2 is the oldest version that the server accepts."""
    context = tls.local_ca_context(folder, [LAN], NOW)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_an_older_version_gets_no_handshake(folder: Path) -> None:
    """The server refuses a client that speaks at most TLS 1.1, though that client works with a
    laxer server.
    """
    old = only_tls_1_1(trusting(folder / "ca.pem"))
    lax = only_tls_1_1(tls.local_ca_context(folder, [LAN], NOW))
    assert (await greet(lax, old, LAN)).version() == "TLSv1.1"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await greet(tls.local_ca_context(folder, [LAN], NOW), old, LAN)


def only_tls_1_1(context: ssl.SSLContext) -> ssl.SSLContext:
    """Allow only TLS 1.1, which takes special settings in OpenSSL 3."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


async def test_own_certificate(folder: Path) -> None:
    """The server uses the operator's certificate."""
    context = tls.own_context(folder / "server.pem", folder / "server-key.pem")
    await greet(context, trusting(folder / "ca.pem"), LAN)


@pytest.mark.parametrize("name", ["server.pem", "server-key.pem"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_unusable_own_file(folder: Path, name: str, content: bytes | None) -> None:
    """A missing or unreadable file of the operator is reported with its path and what to do."""
    path = folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SetupError, match="configuration") as caught:
        tls.own_context(folder / "server.pem", folder / "server-key.pem")
    assert str(path) in str(caught.value)


def test_own_key_of_another_certificate(folder: Path) -> None:
    """A key that does not belong to the certificate is reported with both paths."""
    with pytest.raises(SetupError, match="does not belong") as caught:
        tls.own_context(folder / "server.pem", folder / "ca-key.pem")
    assert str(folder / "server.pem") in str(caught.value)
    assert str(folder / "ca-key.pem") in str(caught.value)


def test_encrypted_own_key(folder: Path) -> None:
    """An encrypted key is reported with the command that helps, and nobody is asked for a
    password.
    """
    path = folder / "server-key.pem"
    key = load_pem_private_key(path.read_bytes(), None)
    encryption = BestAvailableEncryption(b"password")
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    with pytest.raises(SetupError, match="openssl pkey"):
        tls.own_context(folder / "server.pem", path)


def test_weak_own_key(folder: Path) -> None:
    """A certificate and key that TLS does not accept are reported with both paths."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  weak on purpose
    (folder / "weak-key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    command = ["openssl", "req", "-x509", "-new", "-subj", "/CN=weak", "-key"]
    files = [str(folder / "weak-key.pem"), "-out", str(folder / "weak.pem")]
    subprocess.run([*command, *files], capture_output=True, timeout=30, check=True)
    with pytest.raises(SetupError, match="TLS cannot use") as caught:
        tls.own_context(folder / "weak.pem", folder / "weak-key.pem")
    assert str(folder / "weak.pem") in str(caught.value)


def test_keys_are_not_in_messages(folder: Path) -> None:
    """The message about a damaged key holds no part of it."""
    path = folder / "ca-key.pem"
    half = path.read_bytes()[:120]
    path.write_bytes(half)
    with pytest.raises(SetupError) as caught:
        tls.local_ca_context(folder, [LAN], NOW)
    secret = half.splitlines()[1].decode()
    assert secret not in str(caught.value)
