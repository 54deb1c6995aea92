"""The trust page, its two files, and its layout in a browser without JavaScript."""

import plistlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.async_api import Page, async_playwright
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from signaling.host import tls
from signaling.web import trust

PAGES = Path(__file__).parents[3] / "pages"
CHROMIUM = Path("/usr/bin/chromium")
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:"
PATHS = [
    "/trust",
    "/trust/lenscast-ca.crt",
    "/trust/lenscast.mobileconfig",
    "/pages/trust/trust.css",
]


class Outline(HTMLParser):
    """What the tests need of the page: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str, attribute: str) -> list[str]:
        return [found.get(attribute) or "" for tag, found in self.tags if tag == name]


@pytest.fixture
def ca_pem(tmp_path: Path) -> bytes:
    """The CA of a new state folder."""
    tls.local_ca_context(tmp_path / "state", ["192.168.1.20"], datetime.now(UTC))
    return tls.ca_certificate(tmp_path / "state")


@asynccontextmanager
async def serving(ca_pem: bytes) -> AsyncIterator[str]:
    """Serve only these routes, over plain HTTP; returns the address."""
    server = HTTPServer(Application(trust.routes(lambda: ca_pem, PAGES)))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()


async def fetch(ca_pem: bytes, path: str, method: str = "GET") -> HTTPResponse:
    async with serving(ca_pem) as address:
        return await AsyncHTTPClient().fetch(
            f"{address}{path}", method=method, raise_error=False, allow_nonstandard_methods=True
        )


async def outline(ca_pem: bytes) -> Outline:
    return Outline((await fetch(ca_pem, "/trust")).body.decode())


@pytest.mark.parametrize("path", PATHS[:-1])
async def test_policy(ca_pem: bytes, path: str) -> None:
    """The page and its files allow no scripts at all."""
    headers = (await fetch(ca_pem, path)).headers
    assert headers["Content-Security-Policy"].startswith(POLICY)


@pytest.mark.parametrize("path", PATHS)
async def test_head(ca_pem: bytes, path: str) -> None:
    """HEAD gives the status and type of GET, and no body."""
    full, head = await fetch(ca_pem, path), await fetch(ca_pem, path, "HEAD")
    assert (full.code, head.code, head.body) == (200, 200, b"")
    assert head.headers["Content-Type"] == full.headers["Content-Type"]


async def test_other_methods(ca_pem: bytes) -> None:
    """POST is refused, under the same policy."""
    answer = await fetch(ca_pem, "/trust", "POST")
    assert answer.code == 405
    assert answer.headers["Content-Security-Policy"].startswith(POLICY)


async def test_only_its_own_styles(ca_pem: bytes) -> None:
    """Only the page's own style sheets are served."""
    assert (await fetch(ca_pem, "/pages/lib/page/theme.css")).code == 200
    assert (await fetch(ca_pem, "/pages/receiver/receiver.css")).code == 404


async def test_page_names_ca_and_fingerprint(ca_pem: bytes) -> None:
    """The page shows the CA's name and the whole SHA-256 fingerprint."""
    text = (await outline(ca_pem)).text
    assert tls.fingerprint(ca_pem) in text
    assert "Lenscast local CA (" in text


async def test_name_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup in the CA's name is shown as text."""
    monkeypatch.setattr(tls, "_host_label", lambda: "<img src=x>")
    ca = tls._new_ca(tls._parse_p256_key(tls._new_key()), datetime.now(UTC))
    page = await outline(ca.public_bytes(Encoding.PEM))
    assert "Lenscast local CA (<img src=x>)" in page.text
    assert "img" not in [tag for tag, _ in page.tags]


async def test_page_needs_no_javascript(ca_pem: bytes) -> None:
    """The page has no script, inline style or event handler, which the policy would block."""
    tags = (await outline(ca_pem)).tags
    assert not {"script", "style"} & {tag for tag, _ in tags}
    names = {name for _, attributes in tags for name in attributes}
    assert not [name for name in names if name == "style" or name.startswith("on")]


async def test_links(ca_pem: bytes) -> None:
    """The page links to both files and to the sender page, and every jump has its target."""
    page = await outline(ca_pem)
    links = page.all("a", "href")
    assert {"/trust/lenscast-ca.crt", "/trust/lenscast.mobileconfig", "/sender"} <= set(links)
    identifiers = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link[1:] for link in links if link.startswith("#")} <= identifiers


async def test_headings(ca_pem: bytes) -> None:
    """The page has one first-level heading, skips no level, and uses ordered lists for steps."""
    tags = [tag for tag, _ in (await outline(ca_pem)).tags]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("ol") == 2


async def test_settings_to_tap(ca_pem: bytes) -> None:
    """The page names the settings of both systems in the order in which to tap them."""
    text = " ".join((await outline(ca_pem)).text.split())
    for path in (
        ("Settings", "General", "VPN & Device Management"),
        ("Settings", "General", "About", "Certificate Trust Settings"),
        (
            "Settings",
            "Security",
            "Encryption & credentials",
            "Install a certificate",
            "CA certificate",
        ),
    ):
        assert " \u203a ".join(path) in text


async def test_android_certificate(ca_pem: bytes) -> None:
    """The file for Android is the CA as DER, with the type that Android installs."""
    answer = await fetch(ca_pem, "/trust/lenscast-ca.crt")
    assert answer.headers["Content-Type"] == "application/x-x509-ca-cert"
    assert x509.load_der_x509_certificate(answer.body) == x509.load_pem_x509_certificate(ca_pem)


async def test_ios_profile(ca_pem: bytes) -> None:
    """The file for iOS is a removable configuration profile with the CA as a root certificate."""
    answer = await fetch(ca_pem, "/trust/lenscast.mobileconfig")
    assert answer.headers["Content-Type"] == "application/x-apple-aspen-config"
    profile = plistlib.loads(answer.body)
    assert profile["PayloadType"] == "Configuration"
    assert profile["PayloadRemovalDisallowed"] is False
    (root,) = profile["PayloadContent"]
    assert root["PayloadType"] == "com.apple.security.root"
    ca = x509.load_pem_x509_certificate(ca_pem)
    assert x509.load_der_x509_certificate(root["PayloadContent"]) == ca
    for payload in (profile, root):
        assert payload["PayloadVersion"] == 1
        assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", payload["PayloadUUID"])
        assert payload["PayloadIdentifier"]


def test_profile_is_stable(ca_pem: bytes, tmp_path: Path) -> None:
    """One CA always gives the same profile; another CA gives other identifiers."""
    tls.local_ca_context(tmp_path / "other", [], datetime.now(UTC))
    assert trust.profile(ca_pem) == trust.profile(ca_pem)
    seen = []
    for pem in (ca_pem, tls.ca_certificate(tmp_path / "other")):
        profile = plistlib.loads(trust.profile(pem))
        for payload in (profile, *profile["PayloadContent"]):
            seen += [payload["PayloadUUID"], payload["PayloadIdentifier"]]
    assert len(set(seen)) == 8


@asynccontextmanager
async def opened(ca_pem: bytes, width: int) -> AsyncIterator[Page]:
    """Open the page in Chromium without JavaScript, `width` CSS pixels wide."""
    async with serving(ca_pem) as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(
            viewport={"width": width, "height": 844}, java_script_enabled=False
        )
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        await page.goto(f"{address}/trust")
        yield page
        assert not complaints
        await browser.close()


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")
@pytest.mark.parametrize("width", [320, 390, 1440])
async def test_layout(ca_pem: bytes, width: int) -> None:
    """Without JavaScript, nothing is cut off at the side, and every button is 48 pixels high."""
    async with opened(ca_pem, width) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        for button in await page.locator("a.button:visible").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 48
