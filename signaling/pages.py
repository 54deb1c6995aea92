"""What browsers load: the pages and their modules, with the headers that keep them safe.

Finds the `pages` folder in a checkout and in an installed wheel alike.
"""

import html
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from tornado.routing import Rule
from tornado.web import RedirectHandler, RequestHandler, StaticFileHandler, url

from signaling.config import Video

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_ASSETS = r"/((?:js|css|img)/[a-z0-9._-]+)"


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


def security_headers(host: str) -> dict[str, str]:
    """The headers of every page and module.

    Parameters
    ----------
    host: the Host header of the request.
    """
    # Safari before 15.4 does not take 'self' to mean the WebSocket of the same host (WebKit
    # bug 201591), so the host is named as well.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": f"'self'{sockets}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), "
        "picture-in-picture=(self), screen-wake-lock=(self), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # The next release's page must not meet this one's modules; an ETag makes it cheap.
        "Cache-Control": "no-cache",
    }


class PageHandler(RequestHandler):
    """One HTML page, its settings filled in."""

    def initialize(self, page: Path, settings: str) -> None:
        """Tornado's constructor: the file, and the JSON for its meta tag."""
        self._page = page
        self._settings = settings

    def set_default_headers(self) -> None:
        """The security headers, on errors too."""
        _set(self)

    def get(self) -> None:
        """The page."""
        text = self._page.read_text(encoding="utf-8")
        self.finish(text.replace("{{video}}", html.escape(self._settings)))


class AssetHandler(StaticFileHandler):
    """A module, a style sheet or a picture."""

    def set_extra_headers(self, path: str) -> None:
        """The security headers; Tornado's own are about caching."""
        _set(self)
        # The registry of some systems says text/plain, which a module must not be.
        if path.endswith(".js"):
            self.set_header("Content-Type", "text/javascript; charset=utf-8")


class HealthHandler(RequestHandler):
    """/healthz: how the server is, for people and for monitors."""

    def initialize(self, report: Callable[[], dict[str, Any]]) -> None:
        """Tornado's constructor: a function that gives the report."""
        self._report = report

    def get(self) -> None:
        """The report as JSON."""
        self.set_header("Cache-Control", "no-store")
        self.finish(self._report())


class NothingHereHandler(RequestHandler):
    """Every other path."""

    def set_default_headers(self) -> None:
        """The security headers."""
        _set(self)

    def prepare(self) -> None:
        """Say so, in plain text."""
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
            url(f"/{name}", PageHandler, {"page": pages / f"{name}.html", "settings": settings})
            for name in ("sender", "receiver")
        ),
        url(_ASSETS, AssetHandler, {"path": str(pages)}),
    ]


def _set(handler: RequestHandler) -> None:
    for name, value in security_headers(handler.request.host).items():
        handler.set_header(name, value)
