"""POST /api/qr: a link's code is drawn when somebody looks at it."""

from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from signaling.config import Config
from signaling.host import qr
from signaling.server import SignalingServer
from signaling.web import api
from tests.running_server import running_server
from tests.signaling.transport.client import client
from tests.signaling.transport.raw import SECONDS


async def draw(server: SignalingServer, body: bytes) -> HTTPResponse:
    """Ask for the code of a text."""
    return await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{server.local_port}/api/qr",
        method="POST",
        body=body,
        request_timeout=SECONDS,
        raise_error=False,
    )


async def test_a_link_is_drawn(tmp_path: Path) -> None:
    """The answer is its code as an SVG document, which nobody keeps."""
    async with running_server(Config(), tmp_path) as server:
        answer = await draw(server, server.sender_link.encode())
        assert (answer.code, answer.body.decode()) == (200, qr.svg(server.sender_link))
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", [b"", b"x" * (api.MAX_QR_TEXT + 1), b"\xff", b"\0" * 62])
async def test_what_is_no_short_text_is_not_drawn(tmp_path: Path, body: bytes) -> None:
    """The answer is 400: a long text would take the processor much longer than a link."""
    async with running_server(Config(), tmp_path) as server:
        assert (await draw(server, body)).code == 400


async def test_drawing_has_a_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One address that asks for too many codes at once is refused."""
    monkeypatch.setattr("signaling.web.api.QR_CODES_PER_SECOND", 1e-3)
    async with running_server(Config(), tmp_path) as server:
        assert [(await draw(server, b"x")).code for _ in range(2)] == [200, 429]


async def test_registering_draws_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver is told the links alone."""
    monkeypatch.setattr("signaling.host.qr.modules", lambda _text: pytest.fail("drawn"))
    async with running_server(Config(access="open"), tmp_path) as server:
        async with client(server.receiver_link) as peer:
            registered = await peer.register("receiver")
        assert set(registered["invite"]) == {"url"}
        assert set(registered["invites"]["viewer"]) == {"url"}
