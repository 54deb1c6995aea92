"""One-time addresses, by which a program that is started finds a link with a key.

Every user of a computer can read the arguments of every program. So a browser is started with an
address that leads to the link once, and only for the user of this server.
"""

import secrets
import time
from ipaddress import ip_address

from tornado.http1connection import HTTP1Connection
from tornado.routing import Rule
from tornado.web import RequestHandler, url

from signaling.host import loopback
from signaling.web.hosts import is_local

GOOD_SECONDS = 300.0
"""How long an address waits to be opened. A browser may take a while to start."""

_BYTES = 16
_PATH = "/open/"


class Openings:
    """The addresses that nobody has opened yet."""

    def __init__(self) -> None:
        self._targets: dict[str, tuple[str, float]] = {}

    def path(self, target: str) -> str:
        """Return a new path that leads to `target` once.

        Parameters
        ----------
        target: path and fragment on the same host.
        """
        token = secrets.token_urlsafe(_BYTES)
        self._targets[token] = target, time.monotonic() + GOOD_SECONDS
        return f"{_PATH}{token}"

    def knows(self, token: str) -> bool:
        """Whether a token still leads somewhere."""
        _target, until = self._targets.get(token, ("", 0.0))
        return time.monotonic() < until

    def take(self, token: str) -> str:
        """Return where a known token leads, for the last time."""
        target, _until = self._targets.pop(token)
        return target

    def routes(self) -> list[Rule]:
        """The routing rule of these addresses."""
        return [url(rf"{_PATH}([\w-]+)", OpeningHandler, {"openings": self})]


class OpeningHandler(RequestHandler):
    """Leads a browser on to the link."""

    def initialize(self, openings: Openings) -> None:
        """Tornado's constructor."""
        self._openings = openings

    def get(self, token: str) -> None:
        """Redirect, or say why not."""
        self.set_header("Cache-Control", "no-store")
        if self._openings.knows(token) and self._is_this_user():
            self.redirect(self._openings.take(token))
            return
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "This address works once, and only for the user who started lenscast. Open the link "
            "that lenscast printed.\n"
        )

    def _is_this_user(self) -> bool:
        connection = self.request.connection
        if not is_local(self.request) or not isinstance(connection, HTTP1Connection):
            return False
        try:
            near, far = (
                connection.stream.socket.getsockname(),
                connection.stream.socket.getpeername(),
            )
            return loopback.is_this_user(_end(far), _end(near))
        except (OSError, AttributeError):  # The client has already left.
            return False


def _end(address: tuple[str, int]) -> tuple[str, int]:
    parsed = ip_address(address[0])
    return str(getattr(parsed, "ipv4_mapped", None) or parsed), address[1]
