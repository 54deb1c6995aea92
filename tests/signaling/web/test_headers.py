"""The security headers on every answer."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from signaling import config
from signaling.config import Config
from signaling.web import headers
from tests.running_server import running_server
from tests.signaling.transport.raw import ask, request


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (request("/sender"), 200),
        (request("/pages/lib/signaling/signaling.js"), 200),
        (request("/pages/lib/page/theme.css"), 200),
        (request("/trust"), 200),
        (request("/trust/lenscast-ca.crt"), 200),
        (request("/healthz"), 200),
        (request("/metrics"), 200),
        (request("/"), 302),
        (request("/nothing"), 404),
        (request("/pages/lib/page/nothing.js"), 404),
        (request("/sender", method="POST", body=b"x"), 405),
        (request("/sender", host="evil.example"), 403),
        (request("/send", method="POST", body=b"{}"), 404),
        (request("/ws"), 400),
        (request("/pages/lib/page/%2e%2e"), 404),
    ],
)
async def test_every_answer_has_them(tmp_path: Path, message: bytes, status: int) -> None:
    """Pages, files, reports, redirects and all kinds of errors have the headers, and none names
    the software.
    """
    async with running_server(Config(), tmp_path) as server:
        code, found, _body = await ask(server.local_port, message)
    assert code == status
    assert found["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in found["content-security-policy"]
    assert "camera=(self)" in found["permissions-policy"]
    assert found["cross-origin-opener-policy"] == "same-origin"
    assert found["cross-origin-resource-policy"] == "same-origin"
    assert found["referrer-policy"] == "no-referrer"
    assert found["x-content-type-options"] == "nosniff"
    assert "cache-control" in found
    assert "server" not in found
    assert "strict-transport-security" not in found


async def test_the_way_to_https_has_them(tmp_path: Path) -> None:
    """The redirect from plain HTTP on the secure port has the headers."""
    async with running_server(Config(), tmp_path) as server:
        code, found, _body = await ask(server.port, request("/sender"))
    assert code == 307
    assert found["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in found["content-security-policy"]


async def test_a_handler_s_own_header_stays(tmp_path: Path) -> None:
    """The trust page, which has no script, allows none; reports are never cached."""
    async with running_server(Config(), tmp_path) as server:
        _code, found, _body = await ask(server.local_port, request("/trust"))
        assert "script-src" not in found["content-security-policy"]
        _code, found, _body = await ask(server.local_port, request("/healthz"))
        assert found["cache-control"] == "no-store"


def test_a_host_header_cannot_write_into_the_policy() -> None:
    """A Host header that is not a host name does not get into the policy."""
    policy = headers.security_headers("evil.example; script-src *")["Content-Security-Policy"]
    assert "evil" not in policy
    assert "connect-src 'self';" in policy


async def test_the_one_script_within_a_page_is_allowed_by_its_hash(tmp_path: Path) -> None:
    """In the page for phones, and nowhere else; nothing else inline is."""
    async with running_server(Config(), tmp_path) as server:
        _code, found, body = await ask(server.local_port, request("/sender"))
        (script,) = re.findall(r"<script>([^<]*)</script>", body.decode())
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'self' 'sha256-{digest}';" in found["content-security-policy"]
        for path in ("/receiver", "/viewer", "/nothing"):
            _code, found, body = await ask(server.local_port, request(path))
            assert "script-src 'self';" in found["content-security-policy"]
            assert b"<script>" not in body


@pytest.mark.parametrize("host", ["192.0.2.1:8443", "[2001:db8::1]:8443", "laptop.local"])
def test_a_proper_host_is_named_in_the_policy(host: str) -> None:
    """The policy allows the WebSocket of the host by name."""
    policy = headers.security_headers(host)["Content-Security-Policy"]
    assert f"connect-src 'self' ws://{host} wss://{host};" in policy


async def test_https_for_good_is_asked_for_with_a_certificate_of_one_s_own_only(
    tmp_path: Path,
) -> None:
    """HSTS is sent only with the operator's own certificate: with it, nobody could continue past
    the local CA's warning.
    """

    async def strict(port: int) -> str | None:
        answer = await AsyncHTTPClient().fetch(
            f"https://127.0.0.1:{port}/sender", ca_certs=str(tmp_path / "made" / "ca.pem")
        )
        return answer.headers.get("Strict-Transport-Security")

    async with running_server(Config(), tmp_path / "made") as server:
        assert await strict(server.port) is None
    files = {
        "tls": "files",
        "certificate": str(tmp_path / "made" / "server.pem"),
        "private_key": str(tmp_path / "made" / "server-key.pem"),
    }
    async with running_server(config.from_values({"server": files}), tmp_path / "own") as server:
        assert await strict(server.port) == headers.HSTS
        _code, found, _body = await ask(server.local_port, request("/sender"))
        assert "strict-transport-security" not in found
