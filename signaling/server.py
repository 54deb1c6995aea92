"""The signaling server: puts the parts together, starts them, and stops them.

Owns the ports and what they lead to; the one place that knows all parts of `signaling`.
"""

import asyncio
import functools
import ipaddress
import logging
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.routing import Rule
from tornado.web import Application, RequestHandler, url

import signaling
from signaling import addresses, links, pages, qr, state, tls, trust
from signaling.config import Config
from signaling.config import Turn as TurnSettings
from signaling.errors import SetupError
from signaling.hub import Hub
from signaling.port import MAX_BUFFER_BYTES, Port, bind, hand_to_http, hand_to_tls
from signaling.protocol import Invite
from signaling.rooms import Rooms
from signaling.websocket import MAX_FRAME, SocketHandler
from turn.servers import Coturn, NoTurn, StaticServers, TurnServers

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0
STOP_SECONDS = 1.0
IDLE_SECONDS = 75.0
MAX_HEADER_BYTES = 16384
MAX_BODY_BYTES = 65536
ANY_ADDRESS = ("0.0.0.0", "::")


class SignalingServer:
    """One running server.

    Parameters
    ----------
    config: the configuration.
    folder: the state folder (secret, certificates).

    Raises
    ------
    SetupError: the secret or a certificate cannot be read.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self._folder = folder
        self._keys = None if config.access == "open" else links.Links(state.load_secret(folder))
        self.room = self._keys.home_room() if self._keys else links.OPEN_ROOM
        self.turn = turn_servers(config.turn)
        self._context = self._make_context()
        self.hub = Hub(self._make_rooms(), config.limits)
        self._ports: list[Port] = []
        self._http: list[HTTPServer] = []
        self._app = self._serve(self._application())
        self._ticker: asyncio.Task[None] | None = None
        self._started = time.monotonic()

    @property
    def port(self) -> int:
        """The port for every device."""
        return self._ports[0].number

    @property
    def local_port(self) -> int:
        """The port for this laptop's own browser, on the loopback address."""
        return self._ports[1].number

    @property
    def receiver_link(self) -> str:
        """The link of the receiver page, for this laptop's browser."""
        return self._link(f"http://127.0.0.1:{self.local_port}", "receiver", self.room)

    @property
    def sender_link(self) -> str:
        """The link of the sender page, for the phone."""
        return self._link(self.public_origin(), "sender", self.room)

    def public_origin(self) -> str:
        """Scheme, host and port by which a phone reaches this server."""
        server = self.config.server
        if server.public_url:
            return server.public_url.rstrip("/")
        host = server.host
        if host in ANY_ADDRESS:
            host = next(iter(addresses.lan_addresses()), "127.0.0.1")
        return f"{self._scheme}://{_bracketed(host)}:{self.port}"

    def advice(self) -> list[str]:
        """What a person should know before the phone opens its link, a line each."""
        if self.config.server.tls != "local-ca":
            return []
        lines = [
            "  The phone warns once that it does not know this laptop's certificate: continue,",
            f"  or trust it for good at {self._trust_address()}",
        ]
        if _is_loopback(self.public_origin()):
            lines.append("  No network was found: connect this laptop to the phone's Wi-Fi.")
        return lines

    async def start(self) -> None:
        """Listen on both ports.

        Raises
        ------
        SetupError: a port is in use or not allowed.
        """
        server = self.config.server
        everyone = bind(server.host, server.port, "server.port")
        try:
            local = bind("127.0.0.1", server.local_port, "server.local_port")
        except SetupError:
            everyone.close()
            raise
        silence = self.config.limits.first_byte_seconds
        app = functools.partial(hand_to_http, self._app)
        redirects = functools.partial(hand_to_http, self._serve(self._redirects()))
        self._ports = [
            Port(everyone, silence=silence, tls=None, http=app)
            if self._context is None
            else Port(everyone, silence=silence, tls=self._accept_tls, http=redirects),
            Port(local, silence=silence, tls=None, http=app),
        ]
        self._ticker = asyncio.create_task(self._tick(), name="ticker")
        self._ticker.add_done_callback(_report_death)

    async def stop(self) -> None:
        """Tell every client (close code 1001), and close all sockets, within 2 s."""
        for port in self._ports:
            port.close()
        if self._ticker:
            self._ticker.cancel()
        await self.hub.close(STOP_SECONDS)
        for http in self._http:
            await http.close_all_connections()

    def health(self) -> dict[str, Any]:
        """What /healthz answers."""
        counts = self.hub.counts()
        return {
            "status": "ok",
            "version": signaling.__version__,
            "uptime": round(time.monotonic() - self._started, 1),
            "rooms": counts.rooms,
            "peers": counts.peers,
            "senders": counts.by_role["sender"],
            "receivers": counts.by_role["receiver"],
            "turn": self.config.turn.mode,
        }

    @property
    def _scheme(self) -> str:
        return "http" if self._context is None else "https"

    def _trust_address(self) -> str:
        return self.public_origin().replace("https:", "http:", 1) + "/trust"

    def _link(self, origin: str, role: str, room: str) -> str:
        key = self._keys.key(room, role) if self._keys else None
        fragment = links.fragment(room, key)
        return f"{origin}/{role}{'#' if fragment else ''}{fragment}"

    def _make_rooms(self) -> Rooms:
        limits = self.config.rooms
        return Rooms(
            max_rooms=limits.max_rooms,
            capacity={"sender": limits.max_senders, "receiver": limits.max_receivers},
            keys=self._keys,
            turn=self.turn,
            invite=self._invite,
        )

    def _invite(self, room: str, origin: str) -> Invite:
        server = self.config.server
        if server.public_url or _is_loopback(origin):
            origin = self.public_origin()
        link = self._link(origin, "sender", room)
        return Invite(link, qr.svg(link))

    def _make_context(self) -> ssl.SSLContext | None:
        server = self.config.server
        match server.tls:
            case "off":
                return None
            case "files":
                return tls.own_context(
                    Path(server.certificate or ""), Path(server.private_key or "")
                )
            case "local-ca":
                return tls.local_ca_context(self._folder, self._names(), datetime.now(UTC))

    def _names(self) -> list[str]:
        host = self.config.server.host
        own = [] if host in ANY_ADDRESS else [host]
        return [*own, *addresses.lan_addresses()]

    def _application(self) -> Application:
        limits = self.config.limits
        rules = [
            url("/ws", SocketHandler, {"hub": self.hub, "limits": limits}),
            url("/healthz", pages.HealthHandler, {"report": self.health}),
            *pages.routes(self.config.video),
            *self._trust_routes(),
        ]
        return Application(
            rules,
            default_handler_class=pages.NothingHereHandler,
            websocket_max_message_size=limits.message_bytes * MAX_FRAME,
            log_function=_log_request,
        )

    def _redirects(self) -> Application:
        return Application(
            [*self._trust_routes(), url("/.*", ToHttpsHandler)], log_function=_log_request
        )

    def _trust_routes(self) -> list[Rule]:
        if self.config.server.tls != "local-ca":
            return []
        return trust.routes(tls.ca_certificate(self._folder), pages.folder())

    def _serve(self, application: Application) -> HTTPServer:
        http = HTTPServer(
            application,
            idle_connection_timeout=IDLE_SECONDS,
            max_header_size=MAX_HEADER_BYTES,
            max_body_size=MAX_BODY_BYTES,
            max_buffer_size=MAX_BUFFER_BYTES,
        )
        self._http.append(http)
        return http

    def _accept_tls(self, connection: socket.socket, address: tuple[str, int]) -> None:
        if self._context is not None:
            hand_to_tls(self._app, self._context, connection, address)

    async def _tick(self) -> None:
        known = self._names()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.hub.tick()
            if self.config.server.tls == "local-ca" and (names := self._names()) != known:
                known = names
                log.info("This computer's addresses are now %s.", ", ".join(names) or "none")
                self._renew_certificate()

    def _renew_certificate(self) -> None:
        try:
            self._context = self._make_context()
        except SetupError as error:
            log.error("The old certificate stays in use: %s", error)


def turn_servers(settings: TurnSettings) -> TurnServers:
    """What the configuration says of TURN.

    Raises
    ------
    SetupError: the file with coturn's secret cannot be read, or is empty.
    """
    match settings.mode:
        case "none":
            return NoTurn()
        case "static":
            return StaticServers(settings.ice_servers)
        case "coturn":
            coturn = settings.coturn
            secret = coturn.secret or _read_secret(Path(coturn.secret_file or ""))
            return Coturn(coturn.urls, secret, settings.credential_seconds)


def _read_secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SetupError(
            f"Cannot read the secret in {path} (turn.coturn.secret_file): {reason}."
        ) from error
    if not secret:
        raise SetupError(f"The secret in {path} (turn.coturn.secret_file) is empty.")
    return secret


class ToHttpsHandler(RequestHandler):
    """Plain HTTP on the port that speaks HTTPS: the same address, with https."""

    def prepare(self) -> None:
        """Redirect; 307 keeps the method."""
        self.redirect(f"https://{self.request.host}{self.request.uri}", status=307)


def _is_loopback(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _log_request(handler: RequestHandler) -> None:
    request = handler.request
    level = logging.INFO if handler.get_status() >= 500 else logging.DEBUG
    # The path alone: a query may hold what somebody pasted there.
    log.log(level, "%d %s %s", handler.get_status(), request.method, request.path)


def _report_death(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the %s failed", task.get_name(), exc_info=error)
