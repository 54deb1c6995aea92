"""The web sites of this server: which handler serves each path, over HTTPS and over plain HTTP.

Owns the routes, the limits of HTTP itself, and the check that a request is meant for this server.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.routing import Rule
from tornado.web import Application, RequestHandler, url

from signaling.config import Config
from signaling.metrics import Metrics
from signaling.transport import events
from signaling.transport.hub import Hub
from signaling.transport.websocket import FRAME_FACTOR, SocketHandler
from signaling.web import pages, reports, trust
from signaling.web.cross_site import is_cross_site
from signaling.web.files import Files
from signaling.web.headers import SecurityHeaders, StrictSecurityHeaders
from signaling.web.hosts import CROSS_SITE, Hosts, Proxies, authority, is_local
from signaling.web.open_streams import MAX_BUFFER_BYTES
from signaling.web.pace import Pace, Paced

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""How long the headers of a request may take, and how long a connection may wait for the next
request."""

BODY_SECONDS = 20.0
"""How long the body of a request may take."""

MAX_HEADER_BYTES = 16384
MAX_BODY_BYTES = 65536


def main_site(
    config: Config,
    hub: Hub,
    metrics: Metrics,
    health: Callable[[], dict[str, Any]],
    more: Sequence[Rule],
    files: Files,
    ca_pem: Callable[[], bytes] | None,
) -> HTTPServer:
    """Return the whole site: the WebSocket, its fallback, the pages, the reports, the trust page.

    Monitors and load balancers ask for /healthz by any address, and a phone must be able to read
    the trust page under any name.

    Parameters
    ----------
    metrics: the content of /metrics.
    health: returns the content of /healthz.
    more: further routes, such as those of `api`.
    files: what the pages consist of.
    ca_pem: gives the local CA's certificate, for the trust page; None if there is no local CA.

    Raises
    ------
    SetupError: an entry of `server.hosts` or `server.trusted_proxies` is not valid.
    """
    limits = config.limits
    hosts = Hosts(config.server)

    def may_read(request: HTTPServerRequest) -> bool:
        known = hosts.why_not(request.host, None, _reached_at(request)) is None
        return known and (is_local(request) or config.server.metrics == "everyone")

    rules = [
        url("/ws", SocketHandler, {"hub": hub, "limits": limits}),
        *events.routes(hub, limits),
        *_metrics_route(config, metrics),
        *more,
        *pages.routes(files, config.video),
    ]
    public = [
        url("/healthz", reports.HealthHandler, {"report": health, "may_read": may_read}),
        *(trust.routes(ca_pem, files) if ca_pem else []),
    ]
    return _serve(
        Site(
            config,
            rules,
            public,
            default_handler_class=pages.NothingHereHandler,
            websocket_max_message_size=limits.message_bytes * FRAME_FACTOR,
        )
    )


def plain_site(config: Config, files: Files, ca_pem: Callable[[], bytes] | None) -> HTTPServer:
    """Return the site for plain HTTP on the HTTPS port: the trust page, and redirects to HTTPS.

    The parameters and exceptions are the same as for `main_site`.
    """
    public = trust.routes(ca_pem, files) if ca_pem else []
    return _serve(Site(config, [url("/.*", ToHttpsHandler)], public))


class Site(Application):
    """Routes for requests that are meant for this server, with security headers on each answer.

    The check comes before all handlers, so it covers every future handler too.

    Parameters
    ----------
    rules: for known hosts.
    public: rules whose paths are answered whatever the Host says. What they show is no secret.
    """

    def __init__(
        self, config: Config, rules: Sequence[Rule], public: Sequence[Rule], **settings: Any
    ) -> None:
        strict = config.server.tls == "files"
        super().__init__(
            [*public, *rules],
            transforms=[StrictSecurityHeaders if strict else SecurityHeaders],
            log_function=_log_request,
            **settings,
        )
        self._public = [rule.matcher for rule in public]
        self._hosts = Hosts(config.server)
        self._proxies = Proxies(config.server.trusted_proxies)
        self._pace = Pace(config.limits.requests_per_second)
        # Apart, since what is refused must not slow down the others of the same address.
        self._pace_of_refused = Pace(config.limits.requests_per_second)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Tornado's hook: choose the handler of a request once its headers are read."""
        address, request.protocol = self._proxies.client(
            request.remote_ip or "", request.protocol, request.headers
        )
        request.remote_ip = address
        reason = self._why_not(request)
        pace = self._pace if reason is None else self._pace_of_refused
        wait = 0.0 if self._proxies.trust(address) else pace.wait(address, time.monotonic())
        if wait is None:
            refusal = {"status": 429, "sentence": "Too many requests from this address."}
            return self.get_handler_delegate(request, RefusedHandler, refusal)
        if reason is not None:
            log.info("refused %s: %s", address, reason)
            refusal = {"status": 403, "sentence": reason}
            handler = self.get_handler_delegate(request, RefusedHandler, refusal)
        else:
            handler = super().find_handler(request, **kwargs)
        connection = request.connection
        if wait and isinstance(connection, HTTP1Connection):
            return Paced(handler, connection, wait)
        return handler

    def _why_not(self, request: HTTPServerRequest) -> str | None:
        if is_cross_site(request, self._hosts):
            return CROSS_SITE
        if any(matcher.match(request) is not None for matcher in self._public):
            return None
        origin = request.headers.get("Origin")
        return self._hosts.why_not(request.host, origin, _reached_at(request))


class RefusedHandler(RequestHandler):
    """Refuses a request."""

    def initialize(self, status: int, sentence: str) -> None:
        """Tornado's constructor: the status, and the reason for a person."""
        self._status = status
        self._sentence = sentence

    def prepare(self) -> None:
        """Send the reason as plain text, whatever the method."""
        self.set_status(self._status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._sentence}\n")


class ToHttpsHandler(RequestHandler):
    """Redirects to the same address with https."""

    def prepare(self) -> None:
        """Redirect; 307 keeps the method."""
        # The route makes sure that the path begins with a slash. Otherwise "GET @elsewhere
        # HTTP/1.1" would turn our host into a user name in front of another host.
        self.redirect(f"https://{authority(self.request.host)}{self.request.uri}", status=307)


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
