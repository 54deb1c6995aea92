"""What browsers load: the pages and their modules.

Finds the `pages` folder both in a checkout and in an installed wheel.
"""

import html
import json
import re
from importlib.resources import files
from pathlib import Path

from tornado.routing import Rule
from tornado.web import HTTPError, RedirectHandler, RequestHandler, StaticFileHandler, url

from signaling.config import Video

PAGES = {"/sender": "sender", "/receiver": "receiver", "/viewer": "receiver"}
"""The path of each page, and the folder of its HTML, which may look at the path."""

_MODULES = r"/pages/((?:[a-z0-9-]+/)+[a-z0-9-]+\.js)"
_ASSETS = r"/pages/((?:[a-z0-9-]+/)+[a-z0-9-]+\.(?:css|svg))"

_COMMENT = re.compile(r"^[ \t]*(//.*|/\*((?!\*/)[\s\S])*\*/[ \t]*)$", re.MULTILINE)
"""A comment on lines of its own. One with code on the same line, such as a type, stays."""


def folder() -> Path:
    """The folder of the pages: in the wheel inside this package, in a checkout beside it."""
    installed = Path(str(files("signaling"))) / "pages"
    return installed if installed.is_dir() else installed.parent.parent / "pages"


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


class PageHandler(RequestHandler):
    """One HTML page, with its settings filled in."""

    def initialize(self, page: Path, settings: str) -> None:
        """Tornado's constructor: the file, and the JSON for its meta tag."""
        self._page = page
        self._settings = settings

    def get(self) -> None:
        """The page."""
        text = self._page.read_text(encoding="utf-8")
        self.finish(text.replace("{{video}}", html.escape(self._settings)))

    head = get


def without_comments(module: str) -> str:
    """A module as browsers get it: without what is only for readers of the source.

    Comments on lines of their own become empty lines, so that the line numbers in errors are still
    those of the source.
    """
    return _COMMENT.sub(lambda found: "\n" * found.group().count("\n"), module)


class ModuleHandler(RequestHandler):
    """A module."""

    def initialize(self, folder: Path) -> None:
        """Tornado's constructor: the folder of the modules."""
        self._folder = folder

    def get(self, name: str) -> None:
        """Its text; Tornado answers 304 if the browser has it already."""
        try:
            text = (self._folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise HTTPError(404) from error
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish(without_comments(text))

    head = get


class NothingHereHandler(RequestHandler):
    """Every other path."""

    def prepare(self) -> None:
        """Say in plain text that there is nothing."""
        self.set_status(404)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("There is nothing here. Open the link that lenscast printed.\n")


def routes(video: Video) -> list[Rule]:
    """The routing rules of the pages and what they load."""
    pages = folder()
    settings = video_settings(video)
    return [
        url("/", RedirectHandler, {"url": "/receiver", "permanent": False}),
        *(
            url(
                path,
                PageHandler,
                {"page": pages / name / f"{name}.html", "settings": settings},
            )
            for path, name in PAGES.items()
        ),
        url(_MODULES, ModuleHandler, {"folder": pages}),
        url(_ASSETS, StaticFileHandler, {"path": str(pages)}),
    ]
