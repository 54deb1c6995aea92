"""`lenscast doctor`: its lines for a healthy computer and for each fault, and its exit code."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ifaddr
import psutil
import pytest

from signaling import doctor
from signaling import server as server_module
from signaling.config import Config, Server, Turn, from_values
from signaling.doctor import certificates, network, own_host, ports, visit
from signaling.doctor.findings import Finding, Verdict
from signaling.doctor.ports import PortState
from signaling.host import addresses, tls
from signaling.server import SignalingServer
from tests.ports import free_port
from tests.running_server import running_server
from tests.signaling.test_serve import environment, serving
from tests.signaling.transport.client import client
from tests.turn.coturn_server import RunningCoturn, needs_turnserver, running_coturn
from tests.turn.test_checks import altered_coturn, open_to_all

needs_network = pytest.mark.skipif(
    not addresses.lan_addresses(), reason="this computer has no address but loopback"
)

ANY_PORTS = {"port": 0, "local_port": 0}


def settings(**sections: Any) -> Config:
    """A configuration with any free ports and no TURN, unless the sections say otherwise."""
    values = {"turn": {"mode": "none"}, **sections}
    return from_values({**values, "server": {**ANY_PORTS, **values.get("server", {})}})


def using(coturn: RunningCoturn, **others: Any) -> dict[str, Any]:
    """The section `turn` for a coturn server."""
    return {
        "mode": "coturn",
        "coturn": {"urls": list(coturn.urls), "secret": coturn.secret, **others},
    }


def only(findings: list[Finding], check: str, verdict: Verdict = Verdict.BROKEN) -> str:
    """The text of the only finding that a check has with this verdict."""
    (found,) = [one for one in findings if one.check == check and one.verdict is verdict]
    return found.sentence()


def broken(findings: list[Finding]) -> set[str]:
    """The checks that found something broken, which the exit code agrees with."""
    names = {one.check for one in findings if one.verdict is Verdict.BROKEN}
    assert doctor.exit_code(findings) == bool(names)
    return names


def run(folder: Path, *options: str, code: int) -> str:
    """Run the command as a user does, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "lenscast", "doctor", *options],
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=30,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@needs_network
@needs_turnserver
async def test_a_healthy_computer(tmp_path: Path) -> None:
    """Each check has a line, all lines are ok or a note, and the exit code is 0."""
    async with running_coturn(tmp_path) as coturn:
        file = tmp_path / "c.yaml"
        file.write_text("\n".join([*coturn.config_lines(), f"server: {json.dumps(ANY_PORTS)}"]))
        said = await asyncio.to_thread(run, tmp_path, "--config", str(file), code=0)
    lines = said.splitlines()
    assert {line[:8] for line in lines} <= {"ok      ", "note    "}
    for check in (
        *("LAN address", "server.port", "server.local_port", "laptop's link", "phone's link"),
        *("certificate", "STUN", "TURN over UDP", "TURN over TCP", "TURN password"),
    ):
        assert [line for line in lines if line.startswith(f"ok      {check} ")], check
    assert f"{addresses.lan_addresses()[0]} (" in said
    assert "100 of 100 packets came back, median round trip " in said
    assert "\x1b" not in said


@needs_network
def test_a_running_server_is_the_one_that_is_checked(tmp_path: Path) -> None:
    """Its ports count as fine, and the checks use its certificate, rooms and relay."""
    with serving(tmp_path) as (_process, said):
        ports = ["--port", str(said["port"]), "--local-port", str(said["local_port"])]
        found = json.loads(run(tmp_path, "--json", *ports, code=0))
        texts = {one["check"]: one["text"] for one in found}
        assert {one["verdict"] for one in found} == {"ok"}
        for name in ("port", "local_port"):
            assert "is running on it" in texts[f"port {said[name]}"]
        assert f":{said['port']}" in texts["phone's link"]
        relays = [one["text"] for one in found if one["check"] == "TURN over UDP"]
        assert len(relays) == 2
        assert all(f":{said['port']}?transport=udp" in text for text in relays)


async def test_the_checks_leave_nothing_behind(tmp_path: Path) -> None:
    """Afterwards a running server has no further peer, room or allocation."""
    async with running_server(Config(), tmp_path) as server:
        ports = Server(port=server.port, local_port=server.local_port)
        await doctor.examine(Config(server=ports), tmp_path)
        async with client(server.receiver_link) as someone:  # It is answered after they have left.
            await someone.send(type="nothing")
            await someone.receive_type("error")
        health = server.health()
        assert (health["rooms"], health["peers"]) == (0, 0)
        assert health["relay"]["allocations"] == 0


async def test_a_port_of_another_program(tmp_path: Path) -> None:
    """The line names the program and its process, and a command that uses another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        findings = await doctor.examine(settings(server={"local_port": number}), tmp_path)
        said = only(findings, f"port {number}")
    assert "in use by another program" in said
    assert f"pid {os.getpid()}). Stop it, or use another port: lenscast --local-port " in said
    assert broken(findings) - {"LAN address"} == {f"port {number}"}


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
HEALTH = b'{"status": "ok", "version": "9.9", "turn": "none"}'


@asynccontextmanager
async def program(answer: Iterable[bytes]) -> AsyncIterator[int]:
    """Run a program that answers each connection with these bytes; give its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        with contextlib.suppress(OSError):
            for part in answer:
                writer.write(part)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def look_at(answer: Iterable[bytes]) -> PortState:
    """What `ports.look` finds where a program answers like this."""
    async with program(answer) as number:
        return await ports.look("127.0.0.1", number, "server.local_port")


async def test_a_lenscast_server_is_known_by_its_health() -> None:
    """Its version is in the line, and its address and kind of TURN are known for further checks."""
    found = await look_at([HEAD + HEALTH])
    assert found.finding.verdict is Verdict.OK
    assert found.finding.text == "Lenscast 9.9 is running on it"
    assert str(found.origin).startswith("http://127.0.0.1:")
    assert found.turn == "none"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b'{"status": "ok"}',
        HEAD + HEALTH.replace(b"ok", b"odd"),
        HEAD + b"[]",
        HEAD + b"<html>",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_other_programs_are_not_taken_for_lenscast(answer: bytes) -> None:
    """A program that answers in another way, or not over HTTP, is another program."""
    found = await look_at([answer])
    assert found.finding.verdict is Verdict.BROKEN
    assert found.finding.text.startswith("in use by another program")
    assert (found.usable, found.origin) == (False, None)


async def test_a_program_that_redirects_to_lenscast() -> None:
    """A program that sends browsers on to a Lenscast server is not that server."""
    async with program([HEAD + HEALTH]) as number:
        head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{number}/healthz\r\n\r\n"
        found = await look_at([head.encode()])
    assert found.finding.text.startswith("in use by another program")


async def test_a_program_that_answers_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor stops reading after a limited amount, long before its time is up."""
    monkeypatch.setattr(visit, "ANSWER_SECONDS", 60.0)
    part = b" " * 65536
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield HEAD
        while True:
            sent += len(part)
            yield part

    found = await asyncio.wait_for(look_at(endless()), 10)
    assert found.finding.text.startswith("in use by another program")
    assert sent < 50_000_000  # What the kernel holds between the two ends is part of it.


async def test_a_program_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor gives up after a time."""
    monkeypatch.setattr(visit, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        number = mute.getsockname()[1]
        looking = ports.look("127.0.0.1", number, "server.local_port")
        found = await asyncio.wait_for(looking, 10)
    assert found.finding.text.startswith("in use by another program")


async def test_a_lenscast_server_of_another_user(tmp_path: Path) -> None:
    """With another secret in its state folder it does not accept the doctor, and a line says so."""
    async with running_server(settings(), tmp_path / "theirs") as server:
        numbers = {"port": server.port, "local_port": server.local_port}
        findings = await doctor.examine(settings(server=numbers), tmp_path / "ours")
    said = only(findings, "laptop's link")
    assert ".." not in said
    assert "Another user started this server, or it uses another state folder." in said


def other_certificate(folder: Path, names: list[str], now: datetime) -> dict[str, str]:
    """Settings for the operator's own certificate, made at another time or for other names."""
    tls.local_ca_context(folder, names, now)
    pair = (str(folder / "server.pem"), str(folder / "server-key.pem"))
    return {"tls": "files", "certificate": pair[0], "private_key": pair[1]}


@needs_network
async def test_an_own_certificate_that_has_expired(tmp_path: Path) -> None:
    """The line says so, though the issuer is unknown as well."""
    long_ago = datetime.now(UTC) - timedelta(days=500)
    server = other_certificate(tmp_path / "own", addresses.lan_addresses(), long_ago)
    findings = await doctor.examine(settings(server=server), tmp_path)
    assert broken(findings) == {"certificate"}
    said = only(findings, "certificate")
    assert "has expired. Renew it, and set server.certificate and server.private_key" in said


@needs_network
async def test_an_own_certificate_for_another_name(tmp_path: Path) -> None:
    """A link with an address needs a certificate that includes the address."""
    server = other_certificate(tmp_path / "own", ["camera.example.org"], datetime.now(UTC))
    findings = await doctor.examine(settings(server=server), tmp_path)
    assert broken(findings) == {"certificate"}
    said = only(findings, "certificate")
    assert f"it is not valid for {addresses.lan_addresses()[0]}" in said
    assert "Set server.public_url to a name in the certificate" in said


@needs_network
async def test_an_own_certificate_of_an_unknown_issuer_is_a_note(tmp_path: Path) -> None:
    """Phones may trust it even if this computer does not."""
    server = other_certificate(tmp_path / "own", addresses.lan_addresses(), datetime.now(UTC))
    findings = await doctor.examine(settings(server=server), tmp_path)
    assert broken(findings) == set()
    assert "Phones warn about it too" in only(findings, "certificate", Verdict.NOTE)


@needs_network
async def test_a_running_server_whose_certificate_lacks_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate was made before the network came; a restart fixes it."""
    tls.local_ca_context(tmp_path, addresses.lan_addresses(), datetime.now(UTC))
    (tmp_path / "server.pem").unlink()
    with monkeypatch.context() as before:
        before.setattr(addresses, "lan_addresses", list)
        server = SignalingServer(settings(), tmp_path)
    await server.start()
    try:
        numbers = {"port": server.port, "local_port": server.local_port}
        findings = await doctor.examine(settings(server=numbers), tmp_path)
    finally:
        await server.stop()
    assert broken(findings) == {"certificate"}
    said = only(findings, "certificate")
    assert said.startswith(f"it is not valid for {addresses.lan_addresses()[0]}")
    assert said.endswith("Restart Lenscast to get one that includes this address.")


@needs_network
async def test_an_authority_that_may_not_sign_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public address that came later needs another authority, and the line says how."""
    monkeypatch.setattr(addresses, "lan_addresses", lambda: ["10.0.0.7"])
    SignalingServer(settings(), tmp_path)
    monkeypatch.setattr(addresses, "lan_addresses", lambda: ["203.0.113.7"])
    shown = ssl.SSLCertVerificationError()
    shown.verify_code = 64
    found = certificates._bad("203.0.113.7", shown, True, tmp_path)
    assert found.verdict is Verdict.BROKEN
    assert "may not sign for it" in found.remedy
    assert f"remove ca.pem and ca-key.pem from {tmp_path}" in found.remedy


@needs_network
async def test_an_authority_that_expires_soon(tmp_path: Path) -> None:
    """Thirty days before its end, the line says when that is and what to do."""
    then = datetime.now(UTC) - timedelta(days=710)
    tls.local_ca_context(tmp_path, addresses.lan_addresses(), then)
    findings = await doctor.examine(settings(), tmp_path)
    assert broken(findings) == set()
    said = only(findings, "certificate", Verdict.NOTE)
    assert f"expires on {then + timedelta(days=729):%Y-%m-%d} (in 18 days)" in said
    assert "phones that trusted the old one must trust the new one" in said
    assert f"remove ca.pem and ca-key.pem from {tmp_path}" in said


@needs_network
async def test_a_lenscast_server_is_known_at_a_lan_address_too(tmp_path: Path) -> None:
    """There it tells strangers no version, but it is still no other program."""
    own = addresses.lan_addresses()[0]
    async with running_server(settings(server={"host": own}), tmp_path) as server:
        found = await ports.look(own, server.port, "server.port")
    assert found.finding.verdict is Verdict.OK
    assert found.finding.text == "Lenscast is running on it"
    assert found.origin == f"https://{own}:{server.port}"


@needs_network
async def test_a_running_server_whose_certificate_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has run too long shows an old certificate; a restart fixes it."""

    class LongAgo(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(days=500)

    with monkeypatch.context() as then:
        then.setattr(server_module, "datetime", LongAgo)
        server = SignalingServer(settings(), tmp_path)
    await server.start()
    try:
        numbers = {"port": server.port, "local_port": server.local_port}
        findings = await doctor.examine(settings(server=numbers), tmp_path)
    finally:
        await server.stop()
    assert broken(findings) == {"certificate"}
    assert "has expired. Restart Lenscast" in only(findings, "certificate")


def test_without_https_there_is_no_camera() -> None:
    """A phone's link over plain HTTP is a fault, and so is a public URL without https."""
    plain = settings(server={"tls": "off"})
    found = network.phone_link("http://192.0.2.77:8443", plain)
    assert found.verdict is Verdict.BROKEN
    assert found.text.startswith("http://192.0.2.77:8443 is not HTTPS")
    assert "does not allow the camera" in found.text
    assert "Set server.tls to local-ca" in found.remedy
    assert "server.public_url" in found.remedy

    public = settings(server={"tls": "off", "public_url": "http://192.0.2.77:80"})
    found = network.phone_link("http://192.0.2.77:80", public)
    assert found.verdict is Verdict.BROKEN
    assert "Set server.public_url to an https address" in found.remedy


@needs_network
async def test_a_proxy_that_does_not_forward_the_websocket(tmp_path: Path) -> None:
    """If a public URL answers, but not on /ws, the proxy is at fault."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    proxy = other_certificate(tmp_path / "proxy", addresses.lan_addresses(), datetime.now(UTC))
    context = tls.own_context(Path(proxy["certificate"]), Path(proxy["private_key"]))
    address = addresses.lan_addresses()[0]
    async with await asyncio.start_server(answer, address, 0, ssl=context) as web:
        port = web.sockets[0].getsockname()[1]
        public = {"tls": "off", "public_url": f"https://{address}:{port}"}
        findings = await doctor.examine(settings(server=public), tmp_path)
    said = only(findings, "phone's link")
    assert "answers the WebSocket /ws with error 404" in said
    assert "Make the proxy forward /ws" in said


async def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address a phone cannot open anything."""
    monkeypatch.setattr(addresses, "lan_addresses", list)
    findings = await doctor.examine(settings(), tmp_path)
    assert broken(findings) == {"LAN address"}
    assert only(findings, "LAN address") == (
        "no network found. Connect this computer to the phone's Wi-Fi."
    )


@needs_network
async def test_only_virtual_interfaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that only containers can reach is worth a note."""
    address = addresses.lan_addresses()[0]
    bridge = ifaddr.Adapter("docker0", "docker0", [ifaddr.IP(address, 24, "docker0")])
    monkeypatch.setattr(addresses, "lan_addresses", lambda: [address])
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [bridge])
    findings = await doctor.examine(settings(), tmp_path)
    assert broken(findings) == set()
    said = only(findings, "LAN address", Verdict.NOTE)
    assert said.startswith(f"{address} (docker0): only virtual networks")


@pytest.mark.parametrize("url", ["camera.example.org", "https://:1", "https://a:x", "https://a..b"])
async def test_a_public_url_that_cannot_be_opened(tmp_path: Path, url: str) -> None:
    """The line repeats it, and gives an example of a good one."""
    findings = await doctor.examine(settings(server={"public_url": url}), tmp_path)
    assert broken(findings) == {"phone's link"}
    said = only(findings, "phone's link")
    assert said.startswith(f"server.public_url is {url}, ")
    assert "https://camera.example.org" in said


async def test_listening_on_loopback_only(tmp_path: Path) -> None:
    """A phone cannot reach such a server, unless there is a public URL for it."""
    findings = await doctor.examine(settings(server={"host": "127.0.0.1"}), tmp_path)
    assert broken(findings) == {"LAN address"}
    assert "Set server.host to 0.0.0.0" in only(findings, "LAN address")


@needs_network
async def test_no_turn_is_a_note(tmp_path: Path) -> None:
    """Most networks need no relay."""
    findings = await doctor.examine(settings(), tmp_path)
    assert broken(findings) == set()
    assert "set turn.mode" in only(findings, "TURN", Verdict.NOTE)


@needs_network
async def test_a_turn_server_that_is_not_there(tmp_path: Path) -> None:
    """The line names the URL, what was found and the setting; the exit code is 1."""
    url = f"turn:127.0.0.1:{free_port()}"
    turn = {"mode": "coturn", "coturn": {"urls": [url], "secret": "s"}}
    findings = await doctor.examine(settings(turn=turn), tmp_path)
    assert broken(findings) == {"TURN over UDP"}
    said = only(findings, "TURN over UDP")
    assert said.startswith(f"{url} refuses the connection: nothing listens on that port.")
    assert "Start coturn there" in said
    assert "turn.coturn.urls" in said


@needs_network
@needs_turnserver
async def test_another_secret_than_coturns(tmp_path: Path) -> None:
    """The line names the two settings that must be the same, and never shows the secret."""
    async with running_coturn(tmp_path) as coturn:
        turn = using(coturn, secret="not the same")
        findings = await doctor.examine(settings(turn=turn), tmp_path)
    assert broken(findings) == {"TURN over UDP", "TURN over TCP"}
    said = only(findings, "TURN over UDP")
    assert "does not accept the credentials" in said
    assert "turn.coturn.secret" in said
    assert "static-auth-secret" in said
    assert "not the same" not in said


@needs_turnserver
async def test_a_system_that_hides_who_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only root may see the sockets, the line says so, and it says what clients reach."""

    def refused(_kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr("psutil.net_connections", refused)
    async with running_coturn(tmp_path) as coturn:
        findings = await doctor.examine(settings(turn=using(coturn)), tmp_path)
    said = only(findings, "coturn's host", Verdict.NOTE)
    assert "127.0.0.1" in said
    assert "only root" in said


async def test_sockets_that_take_packets_from_anybody() -> None:
    """Of this computer's UDP sockets, those count that other programs have open at an address or at
    all of them, and that are not tied to one other address.
    """
    script = (
        "import socket; "
        "made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]; "
        "at = ('127.0.0.1', '0.0.0.0', '127.0.0.2', '127.0.0.1'); "
        "[one.bind((host, 0)) for one, host in zip(made, at)]; "
        "made[3].connect(('127.0.0.1', 9)); "
        "print(*(s.getsockname()[1] for s in made), flush=True); input()"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        said = " ".join(own_host.listening("127.0.0.1", besides=3478))
    finally:
        await process.communicate(b"\n")
    assert [f"(port {port})" in said for port in line.decode().split()] == [
        *(True, True, False, False)
    ]


@needs_network
@needs_turnserver
async def test_an_open_relay_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that anybody can use is broken, even if packets get through."""
    async with altered_coturn(tmp_path, monkeypatch, open_to_all) as coturn:
        findings = await doctor.examine(settings(turn=using(coturn)), tmp_path)
    assert broken(findings) == {"TURN password"}
    said = next(one.sentence() for one in findings if one.check == "TURN password")
    assert "gives an allocation without credentials, so anybody can use it (an open relay)" in said
    assert "remove no-auth" in said


@needs_network
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"urls": "turn://turn.example.org"}, "browsers refuse the whole list"),
        ({"url": "stun:stun.example.org"}, "an entry without urls"),
        ({"urls": ["turn:turn.invalid"], "username": 1, "credential": 2}, "turn.ice_servers"),
        ({"urls": "stun:stun.invalid"}, "has a name that is not known"),
    ],
)
async def test_a_static_list_with_a_fault(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    """Servers listed in the configuration are checked too; the line names the setting."""
    turn = {"mode": "static", "ice_servers": [entry]}
    findings = await doctor.examine(settings(turn=turn), tmp_path)
    assert doctor.exit_code(findings) == 1
    (finding,) = [one for one in findings if one.verdict is Verdict.BROKEN]
    assert said in finding.sentence()
    assert "turn.ice_servers" in finding.remedy


@needs_network
async def test_a_program_on_the_built_in_relays_udp_port(tmp_path: Path) -> None:
    """If the port is free for TCP but not for UDP, the line says that the relay cannot answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        embedded = settings(server={"port": port}, turn={"mode": "embedded"})
        findings = await doctor.examine(embedded, tmp_path)
    assert "TURN over UDP" in broken(findings)
    said = only(findings, "TURN over UDP")
    assert f"turn:127.0.0.1:{port}?transport=udp does not answer within 3 s." in said
    assert "Another program may be using that UDP port" in said


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    """The error is a line like any other, without a traceback."""
    file = tmp_path / "c.yaml"
    file.write_text("server: {prot: 1}\n")
    said = run(tmp_path, "--config", str(file), code=1)
    assert said.startswith("NOT OK  set-up  ")
    assert "Did you mean server.port?" in said
    assert len(said.splitlines()) == 1


def test_a_port_out_of_range(tmp_path: Path) -> None:
    """The line names the option."""
    said = run(tmp_path, "--port", "70000", code=1)
    assert said == "NOT OK  set-up  --port must be a port number from 0 to 65535.\n"


def test_a_damaged_secret(tmp_path: Path) -> None:
    """A reason why the server cannot start is a line too."""
    (tmp_path / "lenscast").mkdir(mode=0o700)
    (tmp_path / "lenscast" / "secret").write_bytes(b"short")
    file = tmp_path / "c.yaml"
    file.write_text(f"server: {json.dumps(ANY_PORTS)}\n")
    said = run(tmp_path, "--config", str(file), code=1)
    assert "NOT OK  start " in said
    assert "Remove it and start again" in said


def test_colours_are_for_terminals() -> None:
    """Verdicts are coloured on request, and the columns are aligned in both cases."""
    findings = [Finding(Verdict.OK, "a", "x"), Finding(Verdict.BROKEN, "longer", "y.", "Do z.")]
    assert doctor.lines(findings, colour=False) == [
        "ok      a       x",
        "NOT OK  longer  y. Do z.",
    ]
    assert doctor.lines(findings, colour=True) == [
        "\x1b[32mok    \x1b[0m  a       x",
        "\x1b[31mNOT OK\x1b[0m  longer  y. Do z.",
    ]


@needs_network
async def test_a_healthy_start_logs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If all is well, the checks at the start log nothing, and nobody joins a room."""
    caplog.set_level(logging.INFO)
    async with running_server(Config(), tmp_path) as server:
        await asyncio.wait_for(doctor.watch(server, tmp_path), 10)
        assert server.health()["relay"]["allocations"] == 0
    assert not caplog.records


@needs_network
async def test_a_start_with_problems_logs_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the first problem, how to fix it, how many more there are, and the command."""
    url = f"turn:127.0.0.1:{free_port()}"
    turn = Turn(mode="static", ice_servers=[{"urls": [url, "turn://"]}])
    async with running_server(Config(turn=turn), tmp_path) as server:
        await asyncio.wait_for(doctor.watch(server, tmp_path), 10)
    (record,) = [one for one in caplog.records if one.name.startswith("signaling.doctor")]
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert "\n" not in said
    assert said.endswith(" (1 more problem.) For details, run `lenscast doctor`.")


async def test_the_checks_at_the_start_can_be_cancelled(tmp_path: Path) -> None:
    """While they wait for a server that does not answer, they end when they are cancelled."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        url = f"turn:127.0.0.1:{mute.getsockname()[1]}"
        turn = Turn(mode="static", ice_servers=[{"urls": url}])
        async with running_server(Config(turn=turn), tmp_path) as server:
            task = doctor.watch(server, tmp_path)
            # The first request shows that they have started.
            await asyncio.get_running_loop().run_in_executor(None, mute.recv, 1000)
            task.cancel()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 20)
            assert task.cancelled()
