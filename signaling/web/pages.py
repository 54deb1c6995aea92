"""What browsers load: the pages, and their modules, style sheets and pictures."""

import functools
import html
import json

from tornado.routing import Rule
from tornado.web import RedirectHandler, RequestHandler, url

from signaling.config import Video
from signaling.web.content import Content, ContentHandler
from signaling.web.files import DIGEST, Files, Tree
from signaling.web.headers import page_policy

PAGES = {"/sender": "sender", "/receiver": "receiver", "/viewer": "receiver"}
"""The path of each page, and the folder of its HTML, which may look at the path."""

FOR_EVER = "max-age=31536000, immutable"
"""For a year, without asking (RFC 8246): what has its digest in its path never changes."""


def video_settings(video: Video) -> str:
    """The presets as JSON, as the pages read them from their meta tag."""
    presets = {
        name: {
            "label": preset.label,
            "width": preset.width,
            "height": preset.height,
            "frameRate": preset.frame_rate,
            "maxBitrate": preset.max_bitrate,
        }
        for name, preset in video.presets.items()
    }
    return json.dumps({"presets": presets, "default": video.default}, separators=(",", ":"))


class PageHandler(ContentHandler):
    """One HTML page, with its settings filled in. Browsers check it for changes each time."""

    def initialize(self, files: Files, name: str, settings: str) -> None:
        """Tornado's constructor: the path of the HTML file, and the JSON for its meta tag."""
        self._files = files
        self._name = name
        self._settings = settings

    def get(self) -> None:
        """The page."""
        tree = self._files.newest()
        if self._name in tree.inline:
            policy = page_policy(self.request.host, tree.inline[self._name])
            self.set_header("Content-Security-Policy", policy)
        self.send(_filled(tree, self._name, self._settings))

    head = get


class LoadedHandler(ContentHandler):
    """A module, a style sheet or a picture."""

    def initialize(self, files: Files) -> None:
        """Tornado's constructor."""
        self._files = files

    def get(self, digest: str | None, name: str) -> None:
        """Its content.

        The digest of another release gets 404, so that a page never mixes the modules of two:
        `pages/lib/page/loading.js` then reloads it. Without a digest, for programs that import from
        the library, browsers check for changes each time.
        """
        tree = self._files.tree if digest else self._files.newest()
        if digest not in (None, tree.digest) or name not in tree.loaded:
            nothing_here(self)
            return
        if digest:
            self.set_header("Cache-Control", FOR_EVER)
        self.send(tree.loaded[name])

    head = get


class NothingHereHandler(RequestHandler):
    """Every other path."""

    def prepare(self) -> None:
        """Say that there is nothing."""
        nothing_here(self)


def nothing_here(handler: RequestHandler) -> None:
    """Answer 404 in plain text."""
    handler.set_status(404)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.finish("There is nothing here. Open the link that lenscast printed.\n")


def loaded(files: Files, names: str = ".+") -> Rule:
    """The routing rule of what pages load.

    Parameters
    ----------
    names: a regular expression for the paths in the folder.
    """
    return url(
        rf"/(?:(?P<digest>{DIGEST})/)?pages/(?P<name>{names})", LoadedHandler, {"files": files}
    )


def routes(files: Files, video: Video) -> list[Rule]:
    """The routing rules of the pages and what they load."""
    settings = video_settings(video)
    return [
        url("/", RedirectHandler, {"url": "/receiver", "permanent": False}),
        *(
            url(
                path,
                PageHandler,
                {"files": files, "name": f"{name}/{name}.html", "settings": settings},
            )
            for path, name in PAGES.items()
        ),
        loaded(files),
    ]


@functools.lru_cache(maxsize=8)
def _filled(tree: Tree, name: str, settings: str) -> Content:
    text = tree.html[name].replace("{{video}}", html.escape(settings))
    return Content.of(text.encode(), "text/html; charset=utf-8")
