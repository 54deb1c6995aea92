"""The files of the pages: under a path with a digest, and read again only when they change."""

import gzip
import re
import shutil
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from signaling.config import Config
from signaling.server import SignalingServer
from signaling.web import content, files
from signaling.web.files import Files
from tests.running_server import running_server

PAGES = Path(__file__).parents[3] / "pages"


async def get(server: SignalingServer, path: str, **headers: str) -> HTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{server.local_port}{path}",
        headers=named,
        raise_error=False,
        decompress_response=False,
    )


async def named(server: SignalingServer, page: str) -> list[str]:
    """What the HTML of a page loads."""
    text = (await get(server, page)).body.decode()
    return re.findall(r'(?:src|href)="(/[^"#]*pages/[^"]+)"', text)


@pytest.mark.parametrize("page", ["/sender", "/receiver", "/viewer", "/trust"])
async def test_what_pages_load_never_has_to_be_asked_for_again(tmp_path: Path, page: str) -> None:
    """All that the HTML names is under one digest, and browsers keep it without asking."""
    async with running_server(Config(), tmp_path) as server:
        paths = await named(server, page)
        assert paths
        digests = {path.split("/pages/")[0] for path in paths}
        assert len(digests) == 1
        assert re.fullmatch(r"/[0-9a-f]{16}", digests.pop())
        for path in paths:
            answer = await get(server, path)
            assert answer.code == 200
            assert answer.headers["Cache-Control"] == "max-age=31536000, immutable"


async def test_html_is_checked_for_change_each_time(tmp_path: Path) -> None:
    """A page has an ETag, packed or not, and who shows it again gets 304 without a body."""
    async with running_server(Config(), tmp_path) as server:
        seen = set()
        for accepted in ("gzip", "identity"):
            first = await get(server, "/sender", Accept_Encoding=accepted)
            assert first.headers["Cache-Control"] == "no-cache"
            etag = first.headers["ETag"]
            again = await get(server, "/sender", Accept_Encoding=accepted, If_None_Match=etag)
            assert (again.code, again.body) == (304, b"")
            seen.add(etag)
        assert len(seen) == 2


async def test_a_page_never_mixes_two_releases(tmp_path: Path) -> None:
    """Under the digest of another release there is nothing; the page then loads again."""
    async with running_server(Config(), tmp_path) as server:
        answer = await get(server, "/0123456789abcdef/pages/sender/main.js")
        assert answer.code == 404
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_nothing_is_read_or_compressed_for_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the server runs, requests for modules and styles touch no file."""
    async with running_server(Config(), tmp_path) as server:
        paths = await named(server, "/sender")

        def never(*_arguments: object, **_named: object) -> bytes:
            raise AssertionError

        monkeypatch.setattr(Path, "read_bytes", never)
        monkeypatch.setattr(Path, "read_text", never)
        monkeypatch.setattr(Path, "open", never)
        monkeypatch.setattr(gzip, "compress", never)
        monkeypatch.setattr(content, "digest", never)
        for path in paths:
            for accepted in ("gzip", "identity"):
                assert (await get(server, path, Accept_Encoding=accepted)).code == 200


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the pages that may be changed, and a clock that is always a second further."""
    monkeypatch.setattr(files, "LOOK_SECONDS", 0.0)
    return shutil.copytree(PAGES, tmp_path / "pages")


@pytest.mark.parametrize("name", ["lib/page/names.js", "sender/sender.html", "lib/page/theme.css"])
def test_a_change_on_disk_is_seen(checkout: Path, name: str) -> None:
    """A changed file changes the digest, and its new content is served."""
    served = Files(checkout)
    before = served.tree
    assert served.newest() is before
    with (checkout / name).open("a") as file:
        file.write("\n/* changed */ x\n")
    after = served.newest()
    assert after.digest != before.digest
    assert f"/{after.digest}/pages/" in after.html["sender/sender.html"]
    if name in after.loaded:
        assert b"/* changed */ x" in after.loaded[name].body


def test_a_removed_file_is_gone(checkout: Path) -> None:
    """What is no longer there is not served from memory."""
    served = Files(checkout)
    (checkout / "lib" / "page" / "names.js").unlink()
    assert "lib/page/names.js" not in served.newest().loaded


def test_a_file_that_cannot_be_read_leaves_the_old_ones(
    checkout: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While an editor replaces a file, the pages of before are served."""
    served = Files(checkout)
    before = served.tree
    (checkout / "lib" / "page" / "names.js").write_bytes(b"\xff")
    assert served.newest() is before
    assert "cannot be read yet" in caplog.text


def test_pages_are_not_looked_at_for_every_request(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is looked at once a second at most."""
    monkeypatch.setattr(files, "LOOK_SECONDS", 3600.0)
    served = Files(checkout)
    (checkout / "lib" / "page" / "names.js").write_text("changed")
    assert served.newest() is served.tree
    assert served.newest().loaded["lib/page/names.js"].body != b"changed"


def test_html_is_no_file_to_load(checkout: Path) -> None:
    """Under the digest there are only modules, style sheets and pictures."""
    (checkout / "sender" / "notes.txt").write_text("x")
    (checkout / "sender" / ".hidden.js").write_text("x")
    assert {Path(name).suffix for name in Files(checkout).tree.loaded} <= {".js", ".css", ".svg"}
    assert "sender/.hidden.js" not in Files(checkout).tree.loaded
