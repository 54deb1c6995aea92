"""What browsers load: the pages, their headers, and nothing else."""

import gzip
import json
import re
from html import unescape
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from signaling import pages
from signaling.config import Config, Video
from signaling.server import SignalingServer
from tests.running_server import running_server


async def get(server: SignalingServer, path: str) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{server.local_port}{path}", raise_error=False, follow_redirects=False
    )


@pytest.mark.parametrize("page", ["sender", "receiver"])
async def test_a_page_comes_with_the_presets_of_the_configuration(
    tmp_path: Path, page: str
) -> None:
    """The meta tag holds the presets as JSON, and no placeholder is left."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, f"/{page}")
        text = answer.body.decode()
        assert answer.code == 200
        assert "{{" not in text
        found = re.search(r'<meta\s+name="lenscast:video"\s+content="([^"]*)"', text)
        assert found
        video = json.loads(unescape(found[1]))
        assert video["default"] == "high"
        assert video["presets"]["hd"] == {
            "label": "HD",
            "width": 1920,
            "height": 1080,
            "frameRate": 30,
            "maxBitrate": 4_000_000,
        }


@pytest.mark.parametrize("path", ["/sender", "/receiver", "/js/socket.js", "/css/theme.css", "/x"])
async def test_everything_comes_with_the_security_headers(tmp_path: Path, path: str) -> None:
    """A strict policy with nothing inline, and the rest, on pages, modules and errors."""
    async with running_server(Config(), tmp_path) as server:
        headers = (await get(server, path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert f"connect-src 'self' ws://127.0.0.1:{server.local_port}" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "camera=(self)" in headers["Permissions-Policy"]


def test_a_host_header_cannot_write_into_the_policy() -> None:
    """What is no host name stays out of the header."""
    policy = pages.security_headers("evil.example; script-src *")["Content-Security-Policy"]
    assert "evil" not in policy
    assert "connect-src 'self';" in policy


@pytest.mark.parametrize("host", ["192.0.2.1:8443", "[2001:db8::1]:8443", "laptop.local"])
def test_a_proper_host_is_named_in_the_policy(host: str) -> None:
    """The WebSocket of the host itself is allowed by name."""
    policy = pages.security_headers(host)["Content-Security-Policy"]
    assert f"connect-src 'self' ws://{host} wss://{host};" in policy


@pytest.mark.parametrize(
    "path",
    [
        "/js/../../config.yaml",
        "/js/%2e%2e/%2e%2e/config.yaml",
        "/js/..%2f..%2fconfig.yaml",
        "/js//etc/passwd",
        "/js/",
        "/css/../sender.html",
        "/config.yaml",
        "/sender.html",
        "/.git/config",
    ],
)
async def test_no_path_leads_out_of_the_pages(tmp_path: Path, path: str) -> None:
    """Files that no page loads are not served."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, path)
        assert answer.code == 404
        assert b"nothing here" in answer.body


async def test_modules_are_javascript_and_are_checked_for_change(tmp_path: Path) -> None:
    """A module has the type that browsers demand, and an ETag that saves sending it again."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, "/js/socket.js")
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert answer.headers["Cache-Control"] == "no-cache"
        again = await AsyncHTTPClient().fetch(
            answer.effective_url,
            raise_error=False,
            headers={"If-None-Match": answer.headers["Etag"]},
        )
        assert again.code == 304


async def test_what_is_text_is_sent_compressed(tmp_path: Path) -> None:
    """Pages and modules take a fraction of their size on the way, and come out whole."""
    async with running_server(Config(), tmp_path) as server:
        for path in ("/sender", "/js/socket.js", "/css/theme.css"):
            url = f"http://127.0.0.1:{server.local_port}{path}"
            plain = await AsyncHTTPClient().fetch(url)
            packed = await AsyncHTTPClient().fetch(
                url, headers={"Accept-Encoding": "gzip"}, decompress_response=False
            )
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.body) == plain.body
            assert len(packed.body) < len(plain.body) / 2


async def test_the_root_leads_to_the_receiver_page(tmp_path: Path) -> None:
    """Who types the address alone gets a page that says what to do."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, "/")
        assert (answer.code, answer.headers["Location"]) == (302, "/receiver")


def test_the_pages_name_only_files_that_exist() -> None:
    """Every script, style sheet and picture that a page or a module names is there."""
    folder = pages.folder()
    named = set()
    for page in folder.glob("*.html"):
        named |= set(re.findall(r'(?:src|href)="/((?:js|css|img)/[^"#]+)"', page.read_text()))
    for module in (folder / "js").glob("*.js"):
        for found in re.findall(r'from "\./([^"]+)"', module.read_text()):
            named.add(f"js/{found}")
    assert named
    assert {name for name in named if not (folder / name).is_file()} == set()


def test_settings_are_escaped() -> None:
    """A label from the configuration is text, never markup."""
    video = Video(presets={"x": next(iter(Video().presets.values()))}, default="x")
    assert json.loads(pages.video_settings(video))["default"] == "x"
