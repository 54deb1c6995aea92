"""turn.embedded: what peers get, and real clients of the running relay."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from aioice.turn import TurnClientTcpProtocol, TurnClientUdpProtocol
from tornado.iostream import SSLIOStream

from signaling.host import tls
from tests.signaling.transport.raw import SECONDS
from tests.turn.client import RunningTurn, channel_data, running_turn, send_indication
from tests.turn.coturn_server import Inbox, TurnClient, refusal
from turn import embedded
from turn.allocations import RELAY_HOST
from turn.embedded import EmbeddedTurn
from turn.limits import RelayLimits
from turn.servers import TurnServers

needs_uclient = pytest.mark.skipif(
    shutil.which("turnutils_uclient") is None, reason="coturn's turnutils_uclient is missing"
)

Address = tuple[str, int]


# What peers get


@asynccontextmanager
async def told(**options: Any) -> AsyncIterator[EmbeddedTurn]:
    """A relay that was started with ports 8443 and 8080, on no network address."""
    turn = EmbeddedTurn(credential_seconds=600, **options)
    turn._port, turn._local_port = 8443, 8080
    yield turn


@pytest.mark.parametrize(
    ("origin", "host", "udp", "tcp"),
    [
        ("https://192.168.1.20:8443", "192.168.1.20", 8443, 8443),
        ("https://name.example", "name.example", 443, 443),
        ("http://name.example", "name.example", 80, 80),
        ("https://mapped.example:9000", "mapped.example", 9000, 9000),
        ("https://[fd00::2]:8443", "[fd00::2]", 8443, 8443),
        ("http://127.0.0.1:8080", "127.0.0.1", 8443, 8080),
        ("http://localhost:8080", "127.0.0.1", 8443, 8080),
        ("http://cam.localhost:8080", "127.0.0.1", 8443, 8080),
        ("https://localhost:8443", "127.0.0.1", 8443, 8443),
        ("http://localhost:9090", "127.0.0.1", 8443, 9090),
        ("https://[::1]:8443", "[::1]", 8443, 8443),
        ("", "127.0.0.1", 8443, 80),
        ("https://[bad", "127.0.0.1", 8443, 80),
        ("https://host:badport", "127.0.0.1", 8443, 80),
    ],
)
async def test_urls(origin: str, host: str, udp: int, tcp: int) -> None:
    """The relay's URLs name the address where the peer reached its page, UDP first."""
    async with told() as turn:
        relay, stun_server = turn.issue("ann", "room", origin, 1000).ice_servers
    assert relay["urls"] == [
        f"turn:{host}:{udp}?transport=udp",
        f"turn:{host}:{tcp}?transport=tcp",
    ]
    assert stun_server == {"urls": [f"stun:{host}:{udp}"]}


@pytest.mark.parametrize(
    ("origin", "host", "udp", "tcp"),
    [
        ("https://name.example", "name.example", 8443, 8443),
        ("https://localhost", "127.0.0.1", 8443, 8443),
        ("http://127.0.0.1:8080", "127.0.0.1", 8443, 8080),
    ],
)
async def test_urls_behind_a_proxy(origin: str, host: str, udp: int, tcp: int) -> None:
    """A proxy does not forward TURN, so the URLs name the server's own port, whatever the origin
    is.
    """
    async with told(behind_proxy=True) as turn:
        urls = turn.issue("ann", "room", origin, 1000).ice_servers[0]["urls"]
    assert urls == [f"turn:{host}:{udp}?transport=udp", f"turn:{host}:{tcp}?transport=tcp"]


async def test_urls_with_tls() -> None:
    """TURN over TLS comes last, and never on the local port, which has no TLS."""
    async with told(tls=True) as turn:
        far = turn.issue("ann", "room", "https://192.0.2.1:8443", 1000).ice_servers[0]["urls"]
        near = turn.issue("ann", "room", "http://localhost:8080", 1000).ice_servers[0]["urls"]
    assert far[2:] == ["turns:192.0.2.1:8443?transport=tcp"]
    assert near[2:] == []


async def test_grants() -> None:
    """Credentials belong to the peer and expire, and no secret is shown."""
    async with told() as turn:
        servers: TurnServers = turn
        grant = servers.issue("ann", "room", "https://192.0.2.1:8443", 1000)
        relay = grant.ice_servers[0]
        assert relay["username"] == "1600:ann"
        assert grant.expires == 1600
        assert relay["credential"] not in repr(grant) + repr(turn) + turn.describe()
        assert turn.describe() == "TURN: built in, UDP and TCP on port 8443."
        servers.revoke("ann")
        servers.revoke("never seen")


# Real clients


@asynccontextmanager
async def client(
    running: RunningTurn, peer_id: str, transport: str, *, password: str | None = None
) -> AsyncIterator[TurnClient]:
    """Connect an aioice client with credentials, but without an allocation."""
    username, good = running.credentials(peer_id)
    to = (running.host, running.port)
    loop = asyncio.get_running_loop()
    connection: asyncio.BaseTransport
    protocol: TurnClient
    if transport == "tcp":
        connection, protocol = await loop.create_connection(
            lambda: TurnClientTcpProtocol(to, username, password or good, 600, 500), *to
        )
    else:
        connection, protocol = await loop.create_datagram_endpoint(
            lambda: TurnClientUdpProtocol(to, username, password or good, 600, 500),
            remote_addr=to,
        )
    protocol.receiver = Inbox()
    try:
        yield protocol
    finally:
        if protocol.relayed_address is not None:
            await protocol.delete()
        connection.close()


async def arriving(at: TurnClient) -> tuple[bytes, Address]:
    """Wait for the next data at a client."""
    assert isinstance(at.receiver, Inbox)
    return await asyncio.wait_for(at.receiver.received.get(), SECONDS)


async def ask(by: TurnClient, method: stun.Method, to: Address, **attributes: int) -> None:
    """Send a request that names a peer."""
    request = stun.Message(method, stun.Class.REQUEST)
    request.attributes["XOR-PEER-ADDRESS"] = to
    for name, value in attributes.items():
        request.attributes[name.replace("_", "-")] = value
    await by.request_with_retry(request)


@pytest.mark.parametrize("second", ["udp", "tcp"])
@pytest.mark.parametrize("first", ["udp", "tcp"])
async def test_two_clients(first: str, second: str) -> None:
    """Over UDP, TCP and both mixed, aioice's clients exchange data of any size through channels."""
    async with (
        running_turn() as running,
        client(running, "ann", first) as ann,
        client(running, "bob", second) as bob,
    ):
        a, b = await ann.connect(), await bob.connect()
        assert a[0] == b[0] == RELAY_HOST
        await bob.channel_bind(0x4777, a)
        bob.channel_to_peer[0x4777] = a
        for size in (1, 2, 3, 4, 1200):
            await ann.send_data(bytes(size), b)
            assert await arriving(bob) == (bytes(size), a)
            bob._send(channel_data(0x4777, b"x" * size))
            assert await arriving(ann) == (b"x" * size, b)


@pytest.mark.parametrize("second", ["udp", "tcp"])
@pytest.mark.parametrize("first", ["udp", "tcp"])
async def test_two_clients_by_indications(first: str, second: str) -> None:
    """Over UDP, TCP and both mixed, with permissions only, a Send indication arrives as a Data
    indication.
    """
    async with (
        running_turn() as running,
        client(running, "ann", first) as ann,
        client(running, "bob", second) as bob,
    ):
        a, b = await ann.connect(), await bob.connect()
        for one, other in ((ann, b), (bob, a)):
            await ask(one, stun.Method.CREATE_PERMISSION, other)
            # aioice accepts data only from peers with a channel; the relay has none here.
            one.peer_to_channel[other] = 0
        for size in (1, 2, 3, 4, 1200):
            ann._send(send_indication(b[1], bytes(size)))
            assert await arriving(bob) == (bytes(size), a)
            bob._send(send_indication(a[1], bytes(size)))
            assert await arriving(ann) == (bytes(size), b)


async def test_refusals_reach_a_client() -> None:
    """Over real sockets, the relay refuses a wrong password, and an address that is not its own."""
    async with running_turn() as running:
        async with client(running, "eve", "udp", password="wrong") as eve:
            assert await refusal(eve.connect()) == 401
        async with client(running, "ann", "tcp") as ann:
            await ann.connect()
            for host in ("127.0.0.1", "169.254.169.254", "224.0.0.1"):
                assert await refusal(ask(ann, stun.Method.CREATE_PERMISSION, (host, 9))) == 403
        assert running.turn.figures()["refusals"] == {"401": 3, "403": 3}


async def test_revoked_while_connected() -> None:
    """A peer that has left loses its allocation, and the relay drops what it sends."""
    async with running_turn() as running, client(running, "ann", "udp") as ann:
        await ann.connect()
        running.turn.revoke("ann")
        assert running.turn.figures()["allocations"] == 0
        assert await refusal(ask(ann, stun.Method.CREATE_PERMISSION, (RELAY_HOST, 9))) == 401
        running.credentials("ann")  # So that the client can delete its allocation.
        with contextlib.suppress(stun.TransactionFailed):
            await ann.delete()
        ann.relayed_address = None


async def test_over_tls(tmp_path: Path) -> None:
    """After the TLS handshake, a stream is served like a TCP connection."""
    server_side, client_side = _contexts(tmp_path)
    async with running_turn() as running:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            loop = asyncio.get_running_loop()

            async def serve() -> None:
                connection, _ = await loop.sock_accept(listener)
                wrapped = server_side.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
                stream = SSLIOStream(wrapped)
                running.turn.accept_stream(stream, await stream.read_bytes(1))

            serving = asyncio.create_task(serve())
            username, password = running.credentials("ann")
            to = (running.host, listener.getsockname()[1])
            connection, protocol = await loop.create_connection(
                lambda: TurnClientTcpProtocol(to, username, password, 600, 500),
                *to,
                ssl=client_side,
            )
            await protocol.connect()
            await serving
            assert running.turn.figures()["allocations"] == 1
            await protocol.delete()
            connection.close()
            await _until(lambda: running.turn.figures()["tcp_connections"] == 0)


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make both TLS contexts, with a certificate for them."""
    (folder / "state").mkdir(mode=0o700)
    server = tls.local_ca_context(folder / "state", ["127.0.0.1"], datetime.now(UTC))
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_mode = ssl.CERT_NONE
    return server, client_side


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


@needs_uclient
@pytest.mark.parametrize("by", [[], ["-s"]], ids=["channels", "indications"])
@pytest.mark.parametrize("transport", [[], ["-t"]], ids=["udp", "tcp"])
async def test_coturn_s_client(transport: list[str], by: list[str]) -> None:
    """turnutils_uclient, with four clients in pairs, loses no packet."""
    async with running_turn() as running:
        username, password = running.credentials("ann")
        # -c: no pairs of allocations for RTCP, because they need a reserved port.
        told = ["-u", username, "-w", password, "-p", str(running.port), "-y", "-c"]
        load = ["-m", "4", "-n", "50", "-l", "300", "-z", "10"]
        process = await asyncio.create_subprocess_exec(
            *("turnutils_uclient", *told, *load, *transport, *by, running.host),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            printed = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert re.search(r"tot_send_msgs=200, tot_recv_msgs=200", printed), printed
        assert "Total lost packets 0 (0.000000%)" in printed
        figures = running.turn.figures()
        assert figures["packets"] == 200
        assert figures["drops"] == {}


# Addresses and the life of a server


async def test_addresses_come_and_go() -> None:
    """Allocations at an address that is gone are deleted, and loopback stays."""
    async with running_turn(host="127.0.0.2") as running:
        async with client(running, "ann", "udp") as ann:
            await ann.connect()
            running.turn.set_addresses([])
            assert running.turn.figures()["allocations"] == 0
            running.turn.set_addresses(["127.0.0.2"])
            with contextlib.suppress(stun.TransactionFailed):
                await ann.delete()
            ann.relayed_address = None
        loopback = RunningTurn(running.turn, "127.0.0.1", running.port)
        async with client(loopback, "bob", "udp") as bob:
            await bob.connect()


async def test_an_address_that_cannot_be_bound(caplog: pytest.LogCaptureFixture) -> None:
    """An address that cannot be bound is logged once, described and tried again; the others are
    served.
    """
    async with running_turn() as running:
        for _ in range(2):
            running.turn.set_addresses(["192.0.2.99"])
        assert [r.message for r in caplog.records if "192.0.2.99" in r.message] == [
            f"No TURN over UDP at 192.0.2.99, port {running.port}: Cannot assign requested address"
        ]
        assert running.turn.describe().endswith("but not at 192.0.2.99.")
        running.turn.set_addresses([])
        assert running.turn.describe().endswith(f"UDP and TCP on port {running.port}.")


async def test_allocations_end_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeper deletes expired allocations, even if no packet comes."""
    monkeypatch.setattr(embedded, "SWEEP_SECONDS", 0.01)
    now = [0.0]
    async with (
        running_turn(clock=lambda: now[0]) as running,
        client(running, "ann", "udp") as ann,
    ):
        await ann.connect()
        now[0] = 599
        await asyncio.sleep(0.05)
        assert running.turn.figures()["allocations"] == 1
        now[0] = 600
        await _until(lambda: running.turn.figures()["allocations"] == 0)
        ann.relayed_address = None
        assert ann.refresh_task
        ann.refresh_task.cancel()


async def test_the_death_of_the_sweeper_is_noticed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the sweeper fails, the log says so."""
    monkeypatch.setattr(embedded, "SWEEP_SECONDS", 0)

    def broken() -> float:
        raise RuntimeError("no clock")

    async with running_turn(clock=broken):
        await _until(lambda: "the TURN sweeper failed" in caplog.text)


async def test_clients_come_and_go() -> None:
    """After a few seconds of clients that leave in every possible way, nothing of them is left."""
    descriptors = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    tasks = len(asyncio.all_tasks())
    async with running_turn(RelayLimits(bytes_per_second=10**9)) as running:
        end = time.monotonic() + 3
        number = 0
        while time.monotonic() < end:
            number += 1
            await _one_call(running, number)
        assert number > 5
        await _until(lambda: running.turn.figures()["tcp_connections"] == 0)
        figures = running.turn.figures()
        assert figures["allocations"] == 0
        assert running.turn._relay._table._owners == {}
        for endpoint in running.turn._udp.values():
            endpoint.sweep()
            assert endpoint._clients == {}
    await _until(lambda: len(asyncio.all_tasks()) <= tasks)
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) <= descriptors


async def _one_call(running: RunningTurn, number: int) -> None:
    kinds = ("udp", "tcp") if number % 2 else ("tcp", "udp")
    names = f"a{number}", f"b{number}"
    async with (
        client(running, names[0], kinds[0]) as ann,
        client(running, names[1], kinds[1]) as bob,
    ):
        a, b = await ann.connect(), await bob.connect()
        await ask(bob, stun.Method.CREATE_PERMISSION, a)
        bob.peer_to_channel[a] = 0
        for i in range(20):
            await ann.send_data(b"%d" % i, b)
            assert await arriving(bob) == (b"%d" % i, a)
        if number % 3 == 0:
            running.turn.revoke(names[0])
            running.credentials(names[0])
    for name in names:
        running.turn.revoke(name)
