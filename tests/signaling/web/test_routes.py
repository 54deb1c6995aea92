"""Which requests the site answers, whichever handler they are for."""

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from signaling import config
from signaling.config import Config
from signaling.host import tls
from signaling.server import SignalingServer
from signaling.setup_error import SetupError
from tests.running_server import running_server
from tests.signaling.transport.client import Client
from tests.signaling.transport.raw import ask, request

OPEN = Config(access="open")
EVIL = "evil.example"


def serving(**server: Any) -> Config:
    return dataclasses.replace(OPEN, server=dataclasses.replace(OPEN.server, **server))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sender",
        "/receiver",
        "/pages/lib/signaling/signaling.js",
        "/metrics",
        "/ws",
        "/events",
        "/nothing",
    ],
)
async def test_a_name_made_to_point_here_is_refused(tmp_path: Path, path: str) -> None:
    """A foreign Host (DNS rebinding) is refused on every path with something to protect, and the
    message names the key for one's own names.
    """
    async with running_server(OPEN, tmp_path) as server:
        code, headers, body = await ask(server.local_port, request(path, host=EVIL))
    assert code == 403
    assert headers["content-type"].startswith("text/plain")
    assert b"server.hosts" in body


@pytest.mark.parametrize("path", ["/healthz", "/trust", "/pages/trust/trust.css"])
async def test_what_holds_nothing_to_take_is_open_to_any_name(tmp_path: Path, path: str) -> None:
    """A monitor, and a phone that opens the trust page, may use any name."""
    async with running_server(OPEN, tmp_path) as server:
        assert (await ask(server.local_port, request(path, host=EVIL)))[0] == 200


async def test_the_way_to_https_is_shown_to_known_names_only(tmp_path: Path) -> None:
    """The redirect to HTTPS works only for known names, and leads nowhere else, whatever the
    request says.
    """
    async with running_server(OPEN, tmp_path) as server:
        for path in ("/sender", "/healthz", "/trusted", "/pages/trust/trust.cssx"):
            assert (await ask(server.port, request(path, host=EVIL)))[0] == 403
        host = f"127.0.0.1:{server.port}"
        for target in ("@evil.example", "http://evil.example/", "/x"):
            code, headers, _body = await ask(server.port, request(target, host=host))
            assert code == (307 if target == "/x" else 404)
            assert re.fullmatch(
                rf"https://{host}(/.*)?", headers.get("location", f"https://{host}")
            )


async def test_without_a_trust_page_its_paths_lead_known_names_only(tmp_path: Path) -> None:
    """With the operator's own certificate, the plain side redirects no foreign name either."""
    tls.local_ca_context(tmp_path / "made", ["127.0.0.1"], datetime.now(UTC))
    files = {
        "tls": "files",
        "certificate": str(tmp_path / "made" / "server.pem"),
        "private_key": str(tmp_path / "made" / "server-key.pem"),
    }
    async with running_server(serving(**files), tmp_path / "own") as server:
        for path in ("/trust", "/trust/lenscast-ca.crt", "/pages/trust/trust.css", "/healthz"):
            assert (await ask(server.port, request(path, host=EVIL)))[0] == 403


async def test_a_redirect_repeats_nothing_but_name_and_port(tmp_path: Path) -> None:
    """What a browser might read as another host is no name of this server."""
    async with running_server(OPEN, tmp_path) as server:
        for host in (
            "evil.example\\@127.0.0.1",
            "evil.example@127.0.0.1",
            "127.0.0.1\\.evil.example",
        ):
            code, headers, _body = await ask(server.port, request("/sender", host=host))
            assert code in (400, 403)
            assert "location" not in headers


async def test_a_name_of_the_configuration_is_let_in(tmp_path: Path) -> None:
    """The names in `server.hosts` and the host of `server.public_url` belong to this server."""
    settings = serving(hosts=["camera.example"], public_url="https://other.example:9000")
    async with running_server(settings, tmp_path) as server:
        for host in ("camera.example", "other.example", f"camera.example:{server.local_port}"):
            assert (await ask(server.local_port, request("/sender", host=host)))[0] == 200


async def open_socket(server: SignalingServer, **headers: str) -> Client:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"ws://127.0.0.1:{server.local_port}/ws"
    return Client(await websocket_connect(HTTPRequest(url, headers=named)))


async def test_a_socket_of_another_site_s_page_is_refused(tmp_path: Path) -> None:
    """A WebSocket from another site's page gets 403; pages of this server and other programs may
    connect.
    """
    async with running_server(OPEN, tmp_path) as server:
        here = f"http://127.0.0.1:{server.local_port}"
        for origin in ("https://evil.example", "null", f"http://localhost:{server.local_port}"):
            with pytest.raises(HTTPClientError) as refused:
                await open_socket(server, Origin=origin)
            assert refused.value.code == 403
        for headers in ({"Origin": here}, {}):
            peer = await open_socket(server, **headers)
            await peer.register("sender")
            peer.socket.close()


@pytest.mark.parametrize("path", ["/send", "/bye"])
async def test_a_post_of_another_site_s_page_is_refused(tmp_path: Path, path: str) -> None:
    """Only pages of this server can send requests that change something."""
    async with running_server(OPEN, tmp_path) as server:

        async def post(origin: str) -> int:
            message = request(path, f"Origin: {origin}", method="POST", body=b"x")
            return (await ask(server.local_port, message))[0]

        assert await post("https://evil.example") == 403
        assert await post("http://127.0.0.1") == 404  # That session does not exist.


async def test_behind_a_proxy_the_public_page_may_ask(tmp_path: Path) -> None:
    """If a proxy puts its own name into Host, the Origin of `public_url` is accepted."""
    settings = serving(tls="off", public_url="https://camera.example")
    async with running_server(settings, tmp_path) as server:
        message = request(
            "/send", "Origin: https://camera.example", method="POST", host="127.0.0.1", body=b"x"
        )
        assert (await ask(server.port, message))[0] == 404


async def test_what_a_trusted_proxy_says_reaches_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub gets the client's address and scheme from a trusted proxy only, and nothing
    carries over to the next request of the connection.
    """
    said = {"X_Forwarded_For": "1.2.3.4, 203.0.113.9", "X_Forwarded_Proto": "https"}
    for proxies, expected in (
        (["127.0.0.0/8"], ("https://", "203.0.113.9")),
        (["192.0.2.1"], ("http://", "127.0.0.1")),
    ):
        async with running_server(serving(trusted_proxies=proxies), tmp_path) as server:
            seen: list[tuple[str, str]] = []
            connect = server.hub.connect

            def note(
                origin: str,
                address: str,
                *rest: Any,
                seen: list[tuple[str, str]] = seen,
                connect: Any = connect,
            ) -> Any:
                seen.append((origin, address))
                return connect(origin, address, *rest)

            monkeypatch.setattr(server.hub, "connect", note)
            peer = await open_socket(server, **said)
            await peer.register("sender")
            peer.socket.close()
            ((origin, address),) = seen
            assert origin.startswith(expected[0])
            assert address == expected[1]


@pytest.mark.parametrize(
    "server",
    [{"trusted_proxies": ["nginx"]}, {"hosts": ["https://x"]}],
)
def test_a_setting_that_makes_no_sense_stops_the_start(
    tmp_path: Path, server: dict[str, Any]
) -> None:
    """An invalid setting is reported before anything listens."""
    with pytest.raises(SetupError, match=f"server.{next(iter(server))}"):
        SignalingServer(config.from_values({"server": server, "turn": {"mode": "none"}}), tmp_path)
