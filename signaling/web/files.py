"""The files of the folder `pages`: read, stripped and compressed once, never for a request.

Owns what browsers load under a path with a digest, `/DIGEST/pages/...`. There is one digest for the
whole folder, so relative imports of modules keep working. The content of such a path never changes,
so browsers need not ask for it again.
"""

import functools
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from signaling.web.content import Content, digest

log = logging.getLogger(__name__)

DIGEST = r"[0-9a-f]{16}"
"""What the digest in a path looks like."""

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The files that browsers may load, by suffix. HTML is only served at the paths of the pages."""

LOOK_SECONDS = 1.0
"""A checkout's folder is looked at for changes at most this often."""

_NAME = re.compile(r"(?:[a-z0-9-]+/)+[a-z0-9-]+\.[a-z]+")
_COMMENT = re.compile(r"^[ \t]*(//.*|/\*((?!\*/)[\s\S])*\*/[ \t]*)$", re.MULTILINE)
"""A comment on lines of its own. One with code on the same line, such as a type, stays."""

_INLINE = re.compile(r'<script src="/pages/([^"]+)"></script>')
"""Where HTML names a script that is no module: its text is written into the page, so that it runs
before anything else has been loaded."""

_LOADS = re.compile(r'((?:src|href)=")/pages/')
"""Where HTML names a file that it loads."""


@dataclass(frozen=True, eq=False, slots=True)
class Tree:
    """The folder as it was at one moment.

    Attributes
    ----------
    digest: of all names and contents, HTML included.
    loaded: what is served under the digest, by its path in the folder.
    html: the text of each HTML file, by its path. It names the files that it loads by the digest.
    inline: the text of the script within an HTML file, where there is one, by that file's path.
    """

    digest: str
    loaded: Mapping[str, Content]
    html: Mapping[str, str]
    inline: Mapping[str, str]


class Files:
    """The files of the pages.

    Parameters
    ----------
    folder: where they are; None: those of this installation.

    Raises
    ------
    OSError: a file cannot be read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _installed()
        # A wheel may be replaced under a running server, which must not mix two releases.
        self._watched = self._folder != _in_wheel()
        self._looked = time.monotonic()
        self.tree = _read(self._folder, _stamps(self._folder))

    def newest(self) -> Tree:
        """The files as they were on disk a second ago, at the earliest. Each page asks for this."""
        now = time.monotonic()
        if self._watched and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                self.tree = _read(self._folder, _stamps(self._folder))
            except (OSError, UnicodeDecodeError) as error:
                # A file is being replaced; the next look finds it.
                log.warning("The changed pages cannot be read yet: %s", error)
        return self.tree


def without_comments(module: str) -> str:
    """A module as browsers get it: without what is only for readers of the source.

    That is a third of the bytes of a page. Comments on lines of their own become empty lines, so
    that the line numbers in errors are still those of the source.
    """
    return _COMMENT.sub(lambda found: "\n" * found.group().count("\n"), module)


def _in_wheel() -> Path:
    return Path(str(files("signaling"))) / "pages"


def _installed() -> Path:
    """The folder of the pages: in the wheel inside the package, in a checkout beside it."""
    inside = _in_wheel()
    return inside if inside.is_dir() else inside.parent.parent / "pages"


_Stamps = tuple[tuple[str, int, int], ...]


def _stamps(folder: Path) -> _Stamps:
    """Path, time of modification and size of each file; they tell when anything has changed."""
    found = []
    for parent, _folders, names in os.walk(folder, onerror=_raise):
        for name in names:
            path = Path(parent, name)
            status = path.stat()
            within = path.relative_to(folder).as_posix()
            found.append((within, status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


@functools.lru_cache(maxsize=2)
def _read(folder: Path, stamps: _Stamps) -> Tree:
    raw = {name: (folder / name).read_bytes() for name, _modified, _size in stamps}
    total = digest(part for name, body in raw.items() for part in (name.encode(), body))
    html, inline = {}, {}
    for name, body in raw.items():
        if name.endswith(".html"):
            text = body.decode()
            if found := _INLINE.search(text):
                inline[name] = _served(found[1], raw[found[1]]).decode()
                text = text.replace(found[0], f"<script>{inline[name]}</script>")
            html[name] = _LOADS.sub(rf"\g<1>/{total}/pages/", text)
    loaded = {
        name: Content.of(_served(name, body), TYPES[Path(name).suffix])
        for name, body in raw.items()
        if Path(name).suffix in TYPES and _NAME.fullmatch(name)
    }
    return Tree(total, loaded, html, inline)


def _served(name: str, body: bytes) -> bytes:
    return without_comments(body.decode()).encode() if name.endswith(".js") else body


def _raise(error: OSError) -> None:
    raise error
