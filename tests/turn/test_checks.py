"""The checks of STUN and TURN servers, against a real coturn in different conditions."""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from aioice import stun

from signaling.config import Config
from signaling.host import tls
from tests.ports import free_port
from tests.running_server import running_server
from tests.turn import coturn_server
from tests.turn.coturn_server import credentials_for, needs_turnserver, running_coturn
from turn import checks, coturn
from turn.checks import CheckError, Fault

Rewrite = Callable[[str], str]


@asynccontextmanager
async def altered_coturn(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rewrite: Rewrite
) -> AsyncIterator[coturn_server.RunningCoturn]:
    """Run a coturn from a modified turnserver.conf."""
    write = coturn.write

    def altered(*arguments: object, **named: object) -> coturn.CoturnFiles:
        files = write(*arguments, **named)  # type: ignore[arg-type]
        conf = files.turnserver_conf
        conf.write_text(rewrite(conf.read_text()))
        return files

    with monkeypatch.context() as patch:
        patch.setattr(coturn, "write", altered)
        async with running_coturn(folder) as running:
            yield running


def open_to_all(conf: str) -> str:
    """Change the configuration so that the relay is open."""
    return re.sub(r"(?m)^(use-auth-secret|static-auth-secret=.*)$", "", conf) + "\nno-auth\n"


def without_own_address(conf: str) -> str:
    """Change the configuration so that it denies all private peers, coturn's own address
    included.
    """
    return re.sub(r"(?m)^allowed-peer-ip=.*$", "", conf)


async def fault_of(work: object) -> Fault:
    """The kind of fault that a check ends with."""
    with pytest.raises(CheckError) as caught:
        await work  # type: ignore[misc]
    return caught.value.fault


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("turn:a.example", ("turn", "a.example", 3478, "udp")),
        ("turn:192.0.2.1:8443?transport=tcp", ("turn", "192.0.2.1", 8443, "tcp")),
        ("turns:a.example?transport=tcp", ("turns", "a.example", 5349, "tcp")),
        ("turns:a.example:443", ("turns", "a.example", 443, "tcp")),
        ("stun:[2001:db8::1]:19302", ("stun", "2001:db8::1", 19302, "udp")),
        ("STUN:a.example", ("stun", "a.example", 3478, "udp")),
    ],
)
def test_a_url_is_read_as_browsers_read_it(url: str, expected: tuple[str, str, int, str]) -> None:
    """Scheme, host, port and transport follow RFC 7064 and RFC 7065, defaults included."""
    read = checks.parse(url)
    assert (read.scheme, read.host, read.port, read.transport) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://a.example",
        "turn://a.example",
        "turn:a.example:0",
        "turn:a.example:70000",
        "turn:a.example?transport=sctp",
        "turn:user@a.example",
        "turns:a.example?transport=udp",
        "stun:a.example?transport=udp",
    ],
)
def test_a_url_that_browsers_refuse_is_refused(url: str) -> None:
    """A URL that would make a browser refuse the whole configuration is refused."""
    with pytest.raises(CheckError) as caught:
        checks.parse(url)
    assert caught.value.fault is Fault.BAD_URL


@needs_turnserver
async def test_a_good_relay_passes_every_check(tmp_path: Path) -> None:
    """Over UDP and TCP, a good relay tells the address, returns all packets within milliseconds,
    and lets no stranger in.
    """
    async with running_coturn(tmp_path) as running:
        good = credentials_for(running, "doctor")
        for url in running.urls:
            server = checks.parse(url)
            assert await checks.mapped_address(server) == "127.0.0.1"
            measured = await checks.measure(server, good.username, good.password, packets=20)
            assert (measured.sent, measured.received, measured.loss) == (20, 20, 0)
            assert 0 < measured.median <= measured.p95 < checks.LINGER_SECONDS
            await checks.refuses_strangers(server, good.username)


async def test_allocations_are_given_back(tmp_path: Path) -> None:
    """A check leaves no allocation behind that would count against the relay's limits."""
    async with running_server(Config(), tmp_path) as server:
        grant = server.turn.issue(
            "doctor", "room", f"http://127.0.0.1:{server.local_port}", time.time()
        )
        relay = grant.ice_servers[0]
        for url in relay["urls"]:
            good = (relay["username"], relay["credential"])
            await checks.measure(checks.parse(url), *good, packets=2)
            assert server.health()["relay"]["allocations"] == 0


@needs_turnserver
async def test_a_wrong_secret_is_told_from_silence(tmp_path: Path) -> None:
    """Credentials that the server does not accept are reported as such, and so are missing ones."""
    async with running_coturn(tmp_path) as running:
        good = credentials_for(running, "doctor")
        for url in running.urls:
            server = checks.parse(url)
            for username, password in ((good.username, "wrong"), (None, None)):
                work = checks.measure(server, username, password, packets=1)
                assert await fault_of(work) is Fault.CREDENTIALS


@needs_turnserver
async def test_an_open_relay_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that gives an allocation without credentials fails the check, even if it relays
    well.
    """
    async with altered_coturn(tmp_path, monkeypatch, open_to_all) as running:
        server = checks.parse(running.urls[0])
        assert (await checks.measure(server, "any", "thing", packets=5)).received == 5
        assert await fault_of(checks.refuses_strangers(server, "any")) is Fault.OPEN


class AnyPassword(asyncio.DatagramProtocol):
    """A TURN server that asks for credentials, and then accepts any password."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        known = "USERNAME" in request.attributes
        answer = stun.Message(
            request.message_method,
            stun.Class.RESPONSE if known else stun.Class.ERROR,
            request.transaction_id,
        )
        answer.attributes |= (
            {"XOR-RELAYED-ADDRESS": ("127.0.0.1", 9), "LIFETIME": 600}
            if known
            else {"ERROR-CODE": (401, "Unauthorized"), "REALM": "r", "NONCE": b"n"}
        )
        answer.add_message_integrity(b"another key")
        self.transport.sendto(bytes(answer), addr)


async def test_a_relay_that_accepts_any_password_is_found() -> None:
    """A relay that accepts any password counts as open, although it asks for one."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        AnyPassword, local_addr=("127.0.0.1", 0)
    )
    try:
        port = transport.get_extra_info("sockname")[1]
        server = checks.parse(f"turn:127.0.0.1:{port}")
        assert await fault_of(checks.refuses_strangers(server, "ann")) is Fault.OPEN
    finally:
        transport.close()


@needs_turnserver
async def test_a_relay_that_denies_its_own_address_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that answers 403 for its own address fails, because two relayed peers could not
    meet.
    """
    async with altered_coturn(tmp_path, monkeypatch, without_own_address) as running:
        good = credentials_for(running, "doctor")
        work = checks.measure(checks.parse(running.urls[0]), good.username, good.password)
        assert await fault_of(work) is Fault.FORBIDDEN


@needs_turnserver
async def test_a_relay_over_tls_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`turns:` works with a certificate of a known authority, and is refused with another."""
    tls.local_ca_context(tmp_path / "ca", [], datetime.now(UTC))
    (tmp_path / "ca").chmod(0o755)
    ca = tmp_path / "ca"

    def with_tls(conf: str) -> str:
        return (
            re.sub(r"(?m)^no-tls$", "", conf)
            + f"\ncert={ca / 'server.pem'}\npkey={ca / 'server-key.pem'}\n"
        )

    async with altered_coturn(tmp_path, monkeypatch, with_tls) as running:
        good = credentials_for(running, "doctor")
        # On one port, coturn itself tells TLS from plain TCP.
        server = checks.parse(f"turns:127.0.0.1:{running.port}?transport=tcp")
        context = ssl.create_default_context(cafile=str(ca / "ca.pem"))
        measured = await checks.measure(
            server, good.username, good.password, packets=5, tls=context
        )
        assert measured.received == 5
        work = checks.measure(server, good.username, good.password)
        assert await fault_of(work) is Fault.CERTIFICATE


@pytest.mark.parametrize("query", ["", "?transport=tcp"])
async def test_a_closed_port_is_told_at_once(query: str) -> None:
    """If nothing listens on the port, the check ends without waiting for a timeout."""
    server = checks.parse(f"turn:127.0.0.1:{free_port()}{query}")
    async with asyncio.timeout(checks.ANSWER_SECONDS / 2):
        assert await fault_of(checks.measure(server, "ann", "secret")) is Fault.REFUSED
        assert await fault_of(checks.mapped_address(server)) is Fault.REFUSED


async def test_silence_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check gives up on a silent server after the time for one answer."""
    monkeypatch.setattr(checks, "ANSWER_SECONDS", 0.3)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        mute.bind(("127.0.0.1", 0))
        by_udp = checks.parse(f"turn:127.0.0.1:{mute.getsockname()[1]}")
        by_tcp = checks.parse(f"turn:127.0.0.1:{silent.getsockname()[1]}?transport=tcp")
        by_tls = checks.parse(f"turns:127.0.0.1:{silent.getsockname()[1]}")
        async with asyncio.timeout(3):
            for server in (by_udp, by_tcp, by_tls):
                assert await fault_of(checks.measure(server, "ann", "secret")) is Fault.SILENT


async def test_what_is_no_turn_server_is_one_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A server that closes the connection or answers nonsense gives one fault, and nothing is
    logged.
    """

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x01\x01\x00\x00 no STUN at all\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        for url in (f"turn:127.0.0.1:{port}?transport=tcp", f"turns:127.0.0.1:{port}"):
            fault = await fault_of(checks.measure(checks.parse(url), "ann", "secret"))
            assert fault in (Fault.UNREACHABLE, Fault.CERTIFICATE)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_an_unknown_name_is_named() -> None:
    """A host name that does not resolve has a fault of its own (RFC 6761: .invalid never
    resolves).
    """
    server = checks.parse("turn:turn.invalid")
    assert await fault_of(checks.measure(server, "ann", "secret")) is Fault.UNKNOWN_HOST
