"""What browsers load: the pages, their headers, and nothing else."""

import gzip
import json
import re
from html import unescape
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from signaling.config import Config, Video
from signaling.server import SignalingServer
from signaling.web import files, pages
from tests.running_server import running_server
from tests.signaling.transport.raw import ask, request


async def get(server: SignalingServer, path: str) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{server.local_port}{path}", raise_error=False, follow_redirects=False
    )


@pytest.mark.parametrize("page", ["sender", "receiver"])
async def test_a_page_comes_with_the_presets_of_the_configuration(
    tmp_path: Path, page: str
) -> None:
    """The meta tag holds the presets as JSON, and no placeholder remains."""
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


@pytest.mark.parametrize(
    "path",
    [
        "/pages/lib/page/../../config.yaml",
        "/pages/lib/page/%2e%2e/%2e%2e/config.yaml",
        "/pages/lib/page/..%2f..%2fconfig.yaml",
        "/pages/lib/page/%252e%252e%252fconfig.yaml",
        "/pages/lib/page/..%5c..%5cconfig.yaml",
        "/pages/lib/page/..\\..\\config.yaml",
        "/pages/lib/page/%c0%ae%c0%ae/config.yaml",
        "/pages/lib/page//etc/passwd",
        "/pages/lib/page/%2fetc%2fpasswd",
        "//etc/passwd",
        "/pages/lib/page/C:%5cboot.ini",
        "/pages/lib/signaling/signaling.js%00.css",
        "/pages/lib/signaling/signaling.js%0a",
        "/pages/lib/page/",
        "/pages/lib/../sender/sender.html",
        "/config.yaml",
        "/sender.html",
        "/.git/config",
        "http://127.0.0.1/pages/lib/signaling/signaling.js",
        "config.yaml",
    ],
)
async def test_no_path_leads_out_of_the_pages(tmp_path: Path, path: str) -> None:
    """Files that no page loads are not served, however the path is written."""
    async with running_server(Config(), tmp_path) as server:
        code, _headers, body = await ask(server.local_port, request(path))
        assert code in (400, 404)
        assert code == 400 or b"nothing here" in body


@pytest.mark.parametrize(
    "path",
    [
        "/pages/lib/page/..",
        "/pages/lib/page/.",
        "/pages/lib/page/.hidden",
        "/pages/lib/page/...",
    ],
)
async def test_what_is_no_file_of_the_pages_is_not_served(tmp_path: Path, path: str) -> None:
    """Neither a folder nor its parent is listed."""
    async with running_server(Config(), tmp_path) as server:
        code, _headers, body = await ask(server.local_port, request(path))
        assert code in (403, 404)
        assert b"sender.html" not in body


async def test_a_path_with_a_nul_byte_is_no_request(tmp_path: Path) -> None:
    """A request line with a NUL byte is not valid HTTP and is refused."""
    async with running_server(Config(), tmp_path) as server:
        code, _headers, body = await ask(
            server.local_port, request("/pages/lib/signaling/signaling.js\0.css")
        )
        assert (code, body) == (400, b"")


async def test_modules_are_javascript_and_are_checked_for_change(tmp_path: Path) -> None:
    """A module has the type that browsers require, and an ETag that saves sending it again."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, "/pages/lib/signaling/signaling.js")
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert answer.headers["Cache-Control"] == "no-cache"
        again = await AsyncHTTPClient().fetch(
            answer.effective_url,
            raise_error=False,
            headers={"If-None-Match": answer.headers["Etag"]},
        )
        assert again.code == 304


async def test_what_is_text_is_sent_compressed(tmp_path: Path) -> None:
    """Pages and modules are sent compressed, and the content stays the same."""
    async with running_server(Config(), tmp_path) as server:
        for path in ("/sender", "/pages/lib/signaling/signaling.js", "/pages/lib/page/theme.css"):
            url = f"http://127.0.0.1:{server.local_port}{path}"
            plain = await AsyncHTTPClient().fetch(url)
            packed = await AsyncHTTPClient().fetch(
                url, headers={"Accept-Encoding": "gzip"}, decompress_response=False
            )
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.body) == plain.body
            assert len(packed.body) < len(plain.body) / 2


async def test_the_root_leads_to_the_receiver_page(tmp_path: Path) -> None:
    """A person who types only the address gets a page that says what to do."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, "/")
        assert (answer.code, answer.headers["Location"]) == (302, "/receiver")


def test_the_pages_name_only_files_that_exist() -> None:
    """Every script, style sheet and picture that a page or module names exists."""
    folder = Path(__file__).parents[3] / "pages"
    named = set()
    for page in folder.rglob("*.html"):
        named |= set(re.findall(r'(?:src|href)="/pages/([^"#]+)"', page.read_text()))
    for module in folder.rglob("*.js"):
        for found in re.findall(r'(?:from |import\()"(\.[^"]+)"', module.read_text()):
            named.add(str((module.parent / found).resolve().relative_to(folder)))
    assert named
    assert {name for name in named if not (folder / name).is_file()} == set()


def test_settings_are_escaped() -> None:
    """A label from the configuration is shown as text, never as markup."""
    video = Video(presets={"x": next(iter(Video().presets.values()))}, default="x")
    assert json.loads(pages.video_settings(video))["default"] == "x"


def test_modules_come_without_the_comments_that_have_their_own_lines() -> None:
    """Code keeps its line numbers, and types before code and quoted text stay."""
    source = (
        "/**\n * Says.\n * @param {string} a\n */\n"
        'export const f = (a) => "// no comment";\n'
        "  // why\n"
        "  /** @type {X} */ (a).b = 1; // beside code\n"
        "/* one */\n"
        "f(1);\n"
    )
    lines = files.without_comments(source).split("\n")
    assert len(lines) == len(source.split("\n"))
    assert [(number, line) for number, line in enumerate(lines, 1) if line] == [
        (5, 'export const f = (a) => "// no comment";'),
        (7, "  /** @type {X} */ (a).b = 1; // beside code"),
        (9, "f(1);"),
    ]


async def test_a_module_that_the_browser_has_is_not_sent_again(tmp_path: Path) -> None:
    """A request with the current ETag gets 304 without a body."""
    async with running_server(Config(), tmp_path) as server:
        url = f"http://127.0.0.1:{server.local_port}/pages/lib/signaling/signaling.js"
        first = await AsyncHTTPClient().fetch(url)
        assert b"@param" not in first.body
        again = {"If-None-Match": first.headers["ETag"]}
        second = await AsyncHTTPClient().fetch(url, headers=again, raise_error=False)
        assert (second.code, second.body) == (304, b"")


@pytest.mark.parametrize(
    "path", ["sender", "receiver", "pages/lib/signaling/signaling.js", "pages/lib/page/theme.css"]
)
async def test_a_page_can_be_asked_about(tmp_path: Path, path: str) -> None:
    """HEAD gives the same headers as GET, without a body."""
    async with running_server(Config(), tmp_path) as server:
        url = f"http://127.0.0.1:{server.local_port}/{path}"
        full = await AsyncHTTPClient().fetch(url)
        head = await AsyncHTTPClient().fetch(url, method="HEAD")
        assert (head.code, head.body) == (200, b"")
        assert head.headers["Content-Type"] == full.headers["Content-Type"]
