"""The web sites of this server: what each path leads to, over HTTPS and over plain HTTP.

Owns routes and the limits of HTTP itself; what stands behind a path is its handler's.
"""

import logging
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, url

from signaling import pages, trust
from signaling.config import Config
from signaling.entrance import MAX_BUFFER_BYTES
from signaling.hub import Hub
from signaling.websocket import MAX_FRAME, SocketHandler

log = logging.getLogger(__name__)

IDLE_SECONDS = 75.0
MAX_HEADER_BYTES = 16384
MAX_BODY_BYTES = 65536


def main_site(
    config: Config, hub: Hub, health: Callable[[], dict[str, Any]], ca_pem: bytes | None
) -> HTTPServer:
    """Everything: the WebSocket, the pages, the report of health, the trust page.

    Parameters
    ----------
    health: gives what /healthz answers.
    ca_pem: the local CA's certificate, for the trust page; None where there is no such CA.
    """
    limits = config.limits
    rules = [
        url("/ws", SocketHandler, {"hub": hub, "limits": limits}),
        url("/healthz", pages.HealthHandler, {"report": health}),
        *pages.routes(config.video),
        *(trust.routes(ca_pem, pages.folder()) if ca_pem else []),
    ]
    return _serve(
        Application(
            rules,
            default_handler_class=pages.NothingHereHandler,
            websocket_max_message_size=limits.message_bytes * MAX_FRAME,
            log_function=_log_request,
            # Nothing that is sent holds both a secret and a stranger's text (BREACH).
            compress_response=True,
        )
    )


def plain_site(ca_pem: bytes | None) -> HTTPServer:
    """What plain HTTP gets on the port that speaks HTTPS: the trust page, and the way to https."""
    rules = trust.routes(ca_pem, pages.folder()) if ca_pem else []
    return _serve(Application([*rules, url("/.*", ToHttpsHandler)], log_function=_log_request))


class ToHttpsHandler(RequestHandler):
    """The same address, with https."""

    def prepare(self) -> None:
        """Redirect; 307 keeps the method."""
        self.redirect(f"https://{self.request.host}{self.request.uri}", status=307)


def _serve(application: Application) -> HTTPServer:
    return HTTPServer(
        application,
        idle_connection_timeout=IDLE_SECONDS,
        max_header_size=MAX_HEADER_BYTES,
        max_body_size=MAX_BODY_BYTES,
        max_buffer_size=MAX_BUFFER_BYTES,
    )


def _log_request(handler: RequestHandler) -> None:
    request = handler.request
    level = logging.INFO if handler.get_status() >= 500 else logging.DEBUG
    # The path alone: a query may hold what somebody pasted there.
    log.log(level, "%d %s %s", handler.get_status(), request.method, request.path)
