"""The server as a whole: its two ports, links, HTTPS, and health."""

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from aioice.turn import TurnClientUdpProtocol, create_turn_endpoint
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from signaling import config
from signaling.config import Config
from signaling.server import SignalingServer
from signaling.setup_error import SetupError
from tests.running_server import running_server
from tests.signaling.transport.client import client
from tests.signaling.transport.raw import SECONDS
from tests.turn.coturn_server import Inbox


async def get(url: str, folder: Path | None = None) -> HTTPResponse:
    trust = {"ca_certs": str(folder / "ca.pem")} if folder else {}
    return await AsyncHTTPClient().fetch(url, raise_error=False, follow_redirects=False, **trust)


async def test_health_counts_rooms_and_peers(tmp_path: Path) -> None:
    """/healthz answers with counts as JSON, on both ports."""
    settings = config.from_values({"access": "open", "turn": {"mode": "none"}})
    async with running_server(settings, tmp_path) as server, client(server.receiver_link) as peer:
        await peer.register("receiver")
        for url in (f"http://127.0.0.1:{server.local_port}", f"https://127.0.0.1:{server.port}"):
            answer = await get(f"{url}/healthz", tmp_path)
            said = json.loads(answer.body)
            assert said["uptime"] >= 0
            del said["uptime"]
            assert said == {
                "status": "ok",
                "version": "0.1.0",
                "rooms": 1,
                "peers": 1,
                "senders": 0,
                "receivers": 1,
                "turn": "none",
            }


async def test_health_has_the_relay_s_figures(tmp_path: Path) -> None:
    """With the embedded relay, /healthz holds its counts."""
    async with running_server(Config(), tmp_path) as server:
        said = json.loads((await get(f"http://127.0.0.1:{server.local_port}/healthz")).body)
        assert said["turn"] == "embedded"
        assert said["relay"]["allocations"] == 0
        assert {"packets", "bytes", "drops", "refusals"} <= set(said["relay"])


async def test_the_embedded_relay_is_named_by_how_a_client_came(tmp_path: Path) -> None:
    """A client gets the relay on its page's port, UDP first and then TCP; the laptop's own
    browser gets the local port.
    """
    async with running_server(config.from_values({"access": "open"}), tmp_path) as server:
        async with client(server.receiver_link) as peer:
            relay, stun = (await peer.register("receiver"))["turnConfig"]["iceServers"]
        assert relay["urls"] == [
            f"turn:127.0.0.1:{server.port}?transport=udp",
            f"turn:127.0.0.1:{server.local_port}?transport=tcp",
        ]
        assert stun == {"urls": [f"stun:127.0.0.1:{server.port}"]}


async def test_stun_is_answered_on_both_ports_over_tcp_and_on_the_main_one_over_udp(
    tmp_path: Path,
) -> None:
    """The port of the pages is the relay's too, and UDP answers come from the address that was
    asked.
    """
    async with running_server(Config(), tmp_path) as server:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        for port in (server.port, server.local_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bytes(request))
            answer = stun.parse_message(await asyncio.wait_for(reader.read(1000), SECONDS))
            assert answer.transaction_id == request.transaction_id
            writer.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            asking.connect(("127.0.0.1", server.port))
            asking.send(bytes(request))
            loop = asyncio.get_running_loop()
            answer = stun.parse_message(
                await asyncio.wait_for(loop.sock_recv(asking, 1000), SECONDS)
            )
            assert answer.attributes["XOR-MAPPED-ADDRESS"] == asking.getsockname()


async def test_plain_http_on_the_secure_port_is_sent_to_https(tmp_path: Path) -> None:
    """A plain HTTP request is redirected to the same address with https."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(f"http://127.0.0.1:{server.port}/sender?relay=1")
        assert answer.code == 307
        assert answer.headers["Location"] == f"https://127.0.0.1:{server.port}/sender?relay=1"


async def test_the_trust_page_is_there_by_plain_http_and_by_https(tmp_path: Path) -> None:
    """A phone that does not trust the certificate yet can read how to trust it."""
    async with running_server(Config(), tmp_path) as server:
        for scheme in ("http", "https"):
            answer = await get(f"{scheme}://127.0.0.1:{server.port}/trust", tmp_path)
            assert answer.code == 200


async def test_the_certificate_is_good_for_the_address_of_the_phone_s_link(tmp_path: Path) -> None:
    """If the CA is trusted, the phone's link opens without a warning."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server.sender_link.split("#")[0], tmp_path)
        assert answer.code == 200


async def test_the_local_port_listens_on_loopback_alone(tmp_path: Path) -> None:
    """Only this computer can reach the port without HTTPS."""
    async with running_server(Config(), tmp_path) as server:
        addresses = {s.getsockname()[0] for s in (p._listener for p in server._ports)}
        assert addresses == {"0.0.0.0", "127.0.0.1"}
        assert server._ports[1]._listener.getsockname()[0] == "127.0.0.1"


async def test_without_tls_the_port_speaks_plain_http(tmp_path: Path) -> None:
    """Behind a proxy that speaks HTTPS, there is no certificate, no redirect and no trust page."""
    settings = config.from_values(
        {"server": {"tls": "off", "public_url": "https://camera.example/"}, "access": "open"}
    )
    async with running_server(settings, tmp_path) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert (await get(f"{url}/sender")).code == 200
        assert (await get(f"{url}/trust")).code == 404
        assert server.sender_link == "https://camera.example/sender"
        assert not (tmp_path / "ca.pem").exists()


async def test_a_certificate_of_one_s_own_is_used(tmp_path: Path) -> None:
    """With `tls: files`, the server uses the operator's certificate and offers no CA."""
    async with running_server(Config(), tmp_path / "made") as _other:
        pass
    settings = config.from_values(
        {
            "server": {
                "tls": "files",
                "certificate": str(tmp_path / "made" / "server.pem"),
                "private_key": str(tmp_path / "made" / "server-key.pem"),
            }
        }
    )
    async with running_server(settings, tmp_path / "own") as server:
        answer = await get(f"https://127.0.0.1:{server.port}/healthz", tmp_path / "made")
        assert answer.code == 200
        url = f"https://127.0.0.1:{server.port}/trust"
        assert (await get(url, tmp_path / "made")).code == 404


async def test_turn_over_tls_is_offered_and_works_with_a_certificate_of_one_s_own(
    tmp_path: Path,
) -> None:
    """With `tls: files`, the port of the pages also accepts TURN inside TLS."""
    async with running_server(Config(), tmp_path / "made") as _other:
        pass
    files = {
        "tls": "files",
        "certificate": str(tmp_path / "made" / "server.pem"),
        "private_key": str(tmp_path / "made" / "server-key.pem"),
    }
    settings = config.from_values({"server": files, "access": "open"})
    async with running_server(settings, tmp_path / "own") as server:
        grant = server.turn.issue(
            "peer", server.room, f"https://127.0.0.1:{server.port}", time.time()
        )
        relay = grant.ice_servers[0]
        assert relay["urls"][2] == f"turns:127.0.0.1:{server.port}?transport=tcp"
        transport, _protocol = await create_turn_endpoint(
            asyncio.DatagramProtocol,
            ("127.0.0.1", server.port),
            relay["username"],
            relay["credential"],
            ssl=ssl.create_default_context(cafile=str(tmp_path / "made" / "ca.pem")),
            transport="tcp",
        )
        assert server.health()["relay"]["allocations"] == 1
        transport.close()
        async with asyncio.timeout(SECONDS):
            while server.health()["relay"]["allocations"]:
                await asyncio.sleep(0.02)


async def test_the_relay_keeps_rooms_apart(tmp_path: Path) -> None:
    """Two peers of different rooms that permit each other exchange nothing through the relay; two
    of the same room do.
    """
    async with (
        running_server(config.from_values({"access": "open"}), tmp_path) as server,
        client(server.receiver_link) as ann,
        client(server.receiver_link) as bob,
        client(server.receiver_link) as eve,
        contextlib.AsyncExitStack() as stack,
    ):
        ends = []
        for peer, room in ((ann, "one"), (bob, "one"), (eve, "other")):
            told = (await peer.register("sender", room=room))["turnConfig"]["iceServers"][0]
            ends.append(await stack.enter_async_context(relay_client(server, told)))
        addresses = [await end.connect() for end in ends]
        inbox = ends[0].receiver = Inbox()
        for other in (1, 2):
            await ends[0].send_data(b"open", addresses[other])  # Binds a channel, so permits it.
            await ends[other].send_data(b"other room" if other == 2 else b"my room", addresses[0])
        await ends[2].send_data(b"other room", addresses[0])
        await ends[1].send_data(b"last", addresses[0])
        async with asyncio.timeout(SECONDS):
            arrived = [(await inbox.received.get())[0] for _ in range(2)]
        assert arrived == [b"my room", b"last"]
        drops = server.health()["relay"]["drops"]
        assert drops == {"no permission": 4}


@contextlib.asynccontextmanager
async def relay_client(
    server: SignalingServer, told: dict[str, Any]
) -> AsyncIterator[TurnClientUdpProtocol]:
    """A client of the relay with what a peer was told; it has no allocation yet."""
    to = ("127.0.0.1", server.port)
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: TurnClientUdpProtocol(to, told["username"], told["credential"], 600, 500),
        remote_addr=to,
    )
    try:
        yield protocol
    finally:
        if protocol.relayed_address is not None:
            await protocol.delete()
        transport.close()


async def test_a_new_address_gets_into_the_certificate_while_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the laptop changes networks, the certificate is renewed and the links change."""
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.05)
    found = ["192.168.1.2"]
    monkeypatch.setattr("signaling.host.addresses.lan_addresses", lambda: list(found))
    async with running_server(Config(), tmp_path) as server:
        before = await certificate_names(server, tmp_path)
        found[:] = ["10.0.0.7"]
        async with asyncio.timeout(SECONDS):
            while (after := await certificate_names(server, tmp_path)) == before:
                await asyncio.sleep(0.02)
        assert "10.0.0.7" not in before
        assert "10.0.0.7" in after
        assert server.sender_link.startswith("https://10.0.0.7:")


async def test_the_relay_follows_a_new_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the laptop changes networks, UDP is answered at its new address and no longer at the
    old one.
    """
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.05)
    found = ["127.0.0.2"]
    monkeypatch.setattr("signaling.host.addresses.lan_addresses", lambda: list(found))
    async with running_server(Config(), tmp_path) as server:
        assert await answers(server, "127.0.0.2")
        found[:] = ["127.0.0.3"]
        async with asyncio.timeout(SECONDS):
            while not await answers(server, "127.0.0.3"):
                await asyncio.sleep(0.02)
        assert not await answers(server, "127.0.0.2")


async def test_the_relay_listens_where_the_server_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If `server.host` is one address, UDP is not answered at the others."""
    monkeypatch.setattr("signaling.host.addresses.lan_addresses", lambda: ["127.0.0.3"])
    settings = config.from_values({"server": {"host": "127.0.0.2"}})
    async with running_server(settings, tmp_path) as server:
        assert await answers(server, "127.0.0.2")
        assert not await answers(server, "127.0.0.3")


async def answers(server: SignalingServer, address: str) -> bool:
    """Whether a STUN request over UDP is answered from the address that was asked."""
    request = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect((address, server.port))
        asking.send(request)
        try:
            async with asyncio.timeout(SECONDS):
                return bool(await asyncio.get_running_loop().sock_recv(asking, 1000))
        except (TimeoutError, ConnectionRefusedError):
            return False


async def test_the_public_name_stands_in_the_certificate(tmp_path: Path) -> None:
    """The local certificate is valid for the public name that phones open."""
    settings = config.from_values({"server": {"public_url": "https://camera.example:8443"}})
    async with running_server(settings, tmp_path) as server:
        assert "camera.example" in await certificate_names(server, tmp_path)


async def certificate_names(server: SignalingServer, folder: Path) -> set[str]:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return {value for _kind, value in certificate["subjectAltName"]}


async def test_stopping_ends_every_socket_in_time(tmp_path: Path) -> None:
    """Every client is closed with 1001, even one that has not registered yet."""
    settings = config.from_values({"access": "open"})
    async with (
        running_server(settings, tmp_path) as server,
        client(server.receiver_link) as registered,
        client(server.receiver_link) as silent,
    ):
        await registered.register("sender")
        started = time.monotonic()
        closing = asyncio.ensure_future(server.stop())
        assert (await registered.closed())[0] == 1001
        assert (await silent.closed())[0] == 1001
        await closing
        assert time.monotonic() - started < 4
        assert b'lenscast_connections{transport="websocket"} 0.0' in server.metrics.text()


async def test_both_ports_are_free_again_when_one_could_not_be_had(tmp_path: Path) -> None:
    """A start that fails leaves no port open."""
    async with running_server(Config(), tmp_path) as first:
        settings = config.from_values({"server": {"port": 0, "local_port": first.local_port}})
        second = SignalingServer(settings, tmp_path)
        with pytest.raises(SetupError, match="is in use"):
            await second.start()
        await second.stop()


async def test_open_access_has_a_secret_too(tmp_path: Path) -> None:
    """Even if links have no keys, a client can come back after a restart of the server."""
    settings = config.from_values({"access": "open"})
    async with (
        running_server(settings, tmp_path) as server,
        client(server.receiver_link) as peer,
    ):
        first = await peer.register("sender")
        await server.stop()
    async with (
        running_server(settings, tmp_path) as server,
        client(server.receiver_link) as peer,
    ):
        second = await peer.register("sender", resume=first["resume"])
    assert (second["id"], second["resumed"]) == (first["id"], True)


async def test_the_metrics_are_those_of_this_server(tmp_path: Path) -> None:
    """Rooms, peers by role and the relay's figures are looked up on each request."""
    settings = config.from_values({"access": "open"})
    async with running_server(settings, tmp_path) as server, client(server.receiver_link) as peer:
        await peer.register("sender")
        lines = server.metrics.text().decode().splitlines()
        assert "lenscast_rooms 1.0" in lines
        assert 'lenscast_peers{role="sender"} 1.0' in lines
        assert "lenscast_relay_allocations 0.0" in lines
        assert 'lenscast_connections{transport="websocket"} 1.0' in lines
