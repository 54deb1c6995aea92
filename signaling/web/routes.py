"""The web sites of this server: which handler serves each path, over HTTPS and over plain HTTP.

Owns the routes, the limits of HTTP itself, and the check that a request is meant for this server.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.routing import Rule
from tornado.web import Application, GZipContentEncoding, RequestHandler, url

from signaling.config import Config
from signaling.metrics import Metrics
from signaling.transport import events
from signaling.transport.hub import Hub
from signaling.transport.websocket import FRAME_FACTOR, SocketHandler
from signaling.web import pages, reports, trust
from signaling.web.headers import SecurityHeaders, StrictSecurityHeaders
from signaling.web.hosts import Hosts, Proxies
from signaling.web.open_streams import MAX_BUFFER_BYTES

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""How long the headers of a request may take, and how long a connection may wait for the next
request."""

BODY_SECONDS = 20.0
"""How long the body of a request may take."""

MAX_HEADER_BYTES = 16384
MAX_BODY_BYTES = 65536

OPEN_PATHS = ("/healthz", "/trust", *(f"/pages/{name}" for name in trust.STYLES))
"""Paths that are answered whatever Host and Origin say, because they hold nothing that a stranger
could use. Monitors and load balancers ask for /healthz by any address, and a phone must be able to
read the trust page and its style sheets under any name."""


def main_site(
    config: Config,
    hub: Hub,
    metrics: Metrics,
    health: Callable[[], dict[str, Any]],
    more: Sequence[Rule],
    ca_pem: Callable[[], bytes] | None,
) -> HTTPServer:
    """Return the whole site: the WebSocket, its fallback, the pages, the reports, the trust page.

    Parameters
    ----------
    metrics: the content of /metrics.
    health: returns the content of /healthz.
    more: further routes, such as those of `api`.
    ca_pem: gives the local CA's certificate, for the trust page; None if there is no local CA.

    Raises
    ------
    SetupError: an entry of `server.hosts` or `server.trusted_proxies` is not valid.
    """
    limits = config.limits
    rules = [
        url("/ws", SocketHandler, {"hub": hub, "limits": limits}),
        *events.routes(hub, limits),
        url("/healthz", reports.HealthHandler, {"report": health}),
        *_metrics_route(config, metrics),
        *more,
        *pages.routes(config.video),
        *(trust.routes(ca_pem, pages.folder()) if ca_pem else []),
    ]
    return _serve(
        Site(
            config,
            rules,
            default_handler_class=pages.NothingHereHandler,
            websocket_max_message_size=limits.message_bytes * FRAME_FACTOR,
        )
    )


def plain_site(config: Config, ca_pem: Callable[[], bytes] | None) -> HTTPServer:
    """Return the site for plain HTTP on the HTTPS port: the trust page, and redirects to HTTPS.

    The parameters and exceptions are the same as for `main_site`.
    """
    rules = trust.routes(ca_pem, pages.folder()) if ca_pem else []
    return _serve(Site(config, [*rules, url("/.*", ToHttpsHandler)]))


class Site(Application):
    """Routes for requests that are meant for this server, with security headers on each answer.

    The check comes before all handlers, so it covers every future handler too.
    """

    def __init__(self, config: Config, rules: Sequence[Rule], **settings: Any) -> None:
        strict = config.server.tls == "files"
        super().__init__(
            list(rules),
            # Compression is safe: no answer holds both a secret and a stranger's text (BREACH).
            transforms=[
                StrictSecurityHeaders if strict else SecurityHeaders,
                GZipContentEncoding,
            ],
            log_function=_log_request,
            **settings,
        )
        self._hosts = Hosts(config.server)
        self._proxies = Proxies(config.server.trusted_proxies)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Tornado's hook: choose the handler of a request once its headers are read."""
        request.remote_ip, request.protocol = self._proxies.client(
            request.remote_ip or "", request.protocol, request.headers
        )
        if not request.path.startswith(OPEN_PATHS):
            origin = request.headers.get("Origin")
            reason = self._hosts.why_not(request.host, origin, _reached_at(request))
            if reason is not None:
                log.info("refused %s: %s", request.remote_ip, reason)
                return self.get_handler_delegate(request, RefusedHandler, {"sentence": reason})
        return super().find_handler(request, **kwargs)


class RefusedHandler(RequestHandler):
    """Refuses a request that is not meant for this server."""

    def initialize(self, sentence: str) -> None:
        """Tornado's constructor: the reason, for a person."""
        self._sentence = sentence

    def prepare(self) -> None:
        """Send the reason as plain text, whatever the method."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._sentence}\n")


class ToHttpsHandler(RequestHandler):
    """Redirects to the same address with https."""

    def prepare(self) -> None:
        """Redirect; 307 keeps the method."""
        # The route makes sure that the path begins with a slash. Otherwise "GET @elsewhere
        # HTTP/1.1" would turn our host into a user name in front of another host.
        self.redirect(f"https://{self.request.host}{self.request.uri}", status=307)


def _metrics_route(config: Config, metrics: Metrics) -> list[Rule]:
    readers = config.server.metrics
    if readers == "off":
        return []
    return [url("/metrics", reports.MetricsHandler, {"metrics": metrics, "readers": readers})]


def _reached_at(request: HTTPServerRequest) -> str:
    connection = request.connection
    if not isinstance(connection, HTTP1Connection):
        return ""
    try:
        return str(connection.stream.socket.getsockname()[0])
    except (OSError, AttributeError):  # The client has already left.
        return ""


def _serve(site: Site) -> HTTPServer:
    return HTTPServer(
        site,
        idle_connection_timeout=IDLE_SECONDS,
        body_timeout=BODY_SECONDS,
        max_header_size=MAX_HEADER_BYTES,
        max_body_size=MAX_BODY_BYTES,
        max_buffer_size=MAX_BUFFER_BYTES,
    )


def _log_request(handler: RequestHandler) -> None:
    request = handler.request
    level = logging.INFO if handler.get_status() >= 500 else logging.DEBUG
    # Only the path: a query may hold anything that somebody pasted there.
    log.log(level, "%d %s %s", handler.get_status(), request.method, request.path)
