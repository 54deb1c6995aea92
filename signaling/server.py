"""The signaling server: puts the parts together, starts them, and stops them.

Owns the ports and what they lead to; the one place that knows all parts of `signaling`.
"""

import asyncio
import functools
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tornado.routing import Rule

import signaling
from signaling import log_lines
from signaling.audit import Audit
from signaling.config import Config
from signaling.host import addresses, state_folder, tls
from signaling.host.audit_file import AuditFile
from signaling.host.journal import Journal
from signaling.link_maker import ANY_ADDRESS, LinkMaker, is_loopback, usual_type
from signaling.metrics import Metrics
from signaling.room import links
from signaling.room.departures import Departures
from signaling.room.messages import Invite
from signaling.room.room_type import RoomType
from signaling.room.rooms import Rooms, Settings
from signaling.room.seals import Seals
from signaling.setup_error import SetupError
from signaling.transport.guard import Guard
from signaling.transport.hub import Hub
from signaling.turn_mode import turn_servers
from signaling.web import api, routes
from signaling.web.entrance import PlainEntrance, TlsEntrance
from signaling.web.files import Files
from signaling.web.hosts import Proxies
from signaling.web.open_streams import OpenStreams
from signaling.web.opening import Openings
from signaling.web.port import Port, bind
from turn.embedded import EmbeddedTurn
from turn.tasks import report_death

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0
STOP_SECONDS = 1.0


class SignalingServer:
    """One running server.

    Parameters
    ----------
    config: the configuration.
    folder: the state folder (secret, certificates).
    more_types: kinds of room besides those of Lenscast.

    Raises
    ------
    SetupError: the secret or a certificate cannot be read.
    """

    def __init__(
        self, config: Config, folder: Path, *, more_types: Sequence[RoomType] = ()
    ) -> None:
        self.config = config
        self._folder = folder
        secret = state_folder.load_secret(folder)
        self._keys = None if config.access == "open" else links.Links(secret)
        self._audit_file = AuditFile(Path(config.log.audit)) if config.log.audit else None
        self._audit = Audit(self._audit_file.write if self._audit_file else None, time.time)
        self.turn = turn_servers(config)
        self._relay = self.turn if isinstance(self.turn, EmbeddedTurn) else None
        context = self._make_context()
        self.metrics = Metrics()
        self._types = (usual_type(config), *more_types)
        self.links = LinkMaker(
            config, self._keys, self._types[0], lambda: (self.port, self.local_port)
        )
        self._seals = Seals(secret)
        self.rooms = self._make_rooms(self._seals)
        guard = Guard(config.limits)
        self.hub = Hub(self.rooms, config.limits, guard, self.metrics, audit=self._audit)
        self._made: dict[str, RoomType] = {}
        self.metrics.watch(
            rooms=lambda: self.hub.counts().rooms,
            peers=lambda: self.hub.counts().by_role,
            relay=self._relay.figures if self._relay else None,
            waiting=lambda: guard.waiting(time.monotonic()),
            away_bytes=self.hub.away_bytes,
            held_back=log_lines.held_back,
        )
        self._ca_pem = tls.ca_certificate(folder) if config.server.tls == "local-ca" else b""
        ca_pem = (lambda: self._ca_pem) if self._ca_pem else None
        self._openings = Openings()
        more, files = [*self._api(guard), *self._openings.routes()], Files()
        self._main = routes.main_site(
            config, self.hub, self.metrics, self.health, more, files, ca_pem
        )
        self._plain = routes.plain_site(config, files, ca_pem)
        self._streams = OpenStreams(config.limits, Proxies(config.server.trusted_proxies))
        self._entrance = self._make_entrance(context) if context else None
        self._ports: list[Port] = []
        self._ticker: asyncio.Task[None] | None = None
        self._started = time.monotonic()

    @property
    def room(self) -> str:
        """The code of this server's own room."""
        return self.links.home

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
        return self.link(f"http://127.0.0.1:{self.local_port}", "receiver", self.room)

    @property
    def sender_link(self) -> str:
        """The link of the sender page, for the phone."""
        return self.link(self.public_origin(), "sender", self.room)

    @property
    def viewer_link(self) -> str:
        """The link of the page that only watches, for other devices."""
        return self.link(self.public_origin(), "viewer", self.room)

    def opening(self, role: str) -> str:
        """A path on the local port that leads this user's browser into the room, once."""
        return self._openings.path(self.link("", role, self.room))

    def link(self, origin: str, role: str, room: str, kind: RoomType | None = None) -> str:
        """The link into a room in a role.

        Parameters
        ----------
        origin: scheme, host and port.
        kind: the kind of room; None for a camera room.
        """
        return self.links.link(origin, role, room, kind)

    def open_room(self, type_name: str | None, code: str) -> RoomType:
        """Make a room that can be entered by this code; gives its kind.

        Raises
        ------
        Refusal: there is no such kind of room, or no place for another.
        """
        return self.rooms.open(type_name, code, time.monotonic())

    def new_room(self, type_name: str | None) -> dict[str, Any]:
        """Make a room with a fresh code: {"room", "links": {role: link}}.

        Raises
        ------
        Refusal: as for `open_room`.
        """
        code = links.new_code()
        kind = self.open_room(type_name, code)
        self._made[code] = kind
        if len(self._made) > self.config.rooms.max_rooms:
            del self._made[next(iter(self._made))]
        origin = self.public_origin()
        made = {role: self.link(origin, role, code, kind) for role in kind.pages.values()}
        return {"room": code, "links": made}

    def known_rooms(self) -> dict[str, RoomType]:
        """The rooms that an operator may want to hear of, and their kinds: this server's own, those
        that were made since it runs, and those with somebody in them."""
        there = {room.code: room.type for room in self.rooms.all()}
        # Where a code is enough, the room of one that has expired is not there any more.
        made = {code: kind for code, kind in self._made.items() if kind.code_hours is None}
        return {self.room: self._types[0], **made, **there}

    def end_room(self, code: str) -> None:
        """End a room for everyone in it; its links open nothing while this process runs."""
        self._made.pop(code, None)
        self.hub.decide(functools.partial(self.rooms.close, code))

    def remove_peer(self, peer_id: str) -> None:
        """Put a peer out of its room, if there is one with this id."""
        self.hub.decide(functools.partial(self.rooms.remove, peer_id))

    def renew_keys(self) -> bool:
        """Take the secret that is in the state folder now: older links end, and whoever came by
        them is put out. Rooms whose links hold keys keep their codes.

        Returns
        -------
        False: access is open; links hold no keys, and nothing has ended.

        Raises
        ------
        SetupError: the secret cannot be read.
        """
        if self._keys is None:
            return False
        secret = state_folder.load_secret(self._folder)
        self._keys.renew(secret)
        self._seals.renew(secret)
        self.hub.decide(self.rooms.renew)
        return True

    def renew_authority(self) -> str | None:
        """Use the certificate authority that is in the state folder now, or make one.

        Returns
        -------
        Its fingerprint; None: this server uses no authority of its own.

        Raises
        ------
        SetupError: a file cannot be read or written; the old certificate stays in use.
        """
        context = self._make_context()
        if not self._ca_pem or self._entrance is None or context is None:
            return None
        self._ca_pem = tls.ca_certificate(self._folder)
        self._entrance.context = context
        return tls.fingerprint(self._ca_pem)

    def public_origin(self) -> str:
        """Scheme, host and port by which a phone reaches this server."""
        return self.links.public_origin()

    def advice(self) -> list[str]:
        """What a person should know before the phone opens its link, a line each."""
        if self.config.server.tls != "local-ca":
            return []
        lines = [
            "  The phone warns about this laptop's certificate: continue past the warning,",
            f"  or install the certificate: {self._trust_address()}",
        ]
        if is_loopback(self.public_origin()):
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
        self._ports = [self._open_to_all(everyone), self._open_in_plain(local)]
        if self._relay:
            await self._relay.start(self._addresses(), self.port, self.local_port)
        self._ticker = asyncio.create_task(self._tick(), name="ticker")
        self._ticker.add_done_callback(report_death)

    async def stop(self) -> None:
        """Tell every client (close code 1001), and close all sockets, within 2 s."""
        for port in self._ports:
            port.close()
        if self._entrance:
            self._entrance.close()
        if self._ticker:
            self._ticker.cancel()
        await self.hub.close(STOP_SECONDS)
        if self._relay:
            await self._relay.stop()
        for http in (self._main, self._plain):
            await http.close_all_connections()
        self._audit.close()
        if self._audit_file:
            # The disk may be slow, and this process may do more than serve.
            await asyncio.to_thread(self._audit_file.close)

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
            **({"relay": self._relay.figures()} if self._relay else {}),
        }

    def _trust_address(self) -> str:
        return self.public_origin().replace("https:", "http:", 1) + "/trust"

    def _make_rooms(self, seals: Seals) -> Rooms:
        limits = self.config.limits
        journal = Journal(self._folder / "departures")
        told = {
            "resume": limits.resume_seconds,
            "rate": limits.messages_per_second,
            "burst": limits.message_burst,
        }
        return Rooms(
            self._types,
            Settings(
                max_rooms=self.config.rooms.max_rooms,
                max_candidates=limits.candidates_per_session,
                resume_seconds=limits.resume_seconds,
                told=told,
            ),
            keys=self._keys,
            turn=self.turn,
            unix_time=time.time,
            invite=self._invite,
            seals=seals,
            started=time.monotonic(),
            departures=Departures(journal.lines(), journal),
        )

    def _api(self, guard: Guard) -> list[Rule]:
        leads, refused = self.rooms.leads, self.hub.count_refusal
        return api.routes(self.new_room, leads, guard, refused, time.monotonic)

    def _invite(self, kind: RoomType, role: str, room: str, origin: str) -> Invite:
        if self.config.server.public_url or is_loopback(origin):
            origin = self.public_origin()
        return Invite(self.link(origin, role, room, kind))

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
                names = [*self._addresses(), *self._public_name(), *server.hosts]
                return tls.local_ca_context(self._folder, names, datetime.now(UTC))

    def _addresses(self) -> list[str]:
        host = self.config.server.host
        return addresses.lan_addresses() if host in ANY_ADDRESS else [host]

    def _public_name(self) -> list[str]:
        name = urlsplit(self.config.server.public_url or "").hostname
        return [name] if name else []

    def _make_entrance(self, context: ssl.SSLContext) -> TlsEntrance:
        by_tls = self._relay.accept_stream if self._relay else None
        silence = self.config.limits.first_byte_seconds
        return TlsEntrance(self._main, context, streams=self._streams, turn=by_tls, silence=silence)

    def _open_to_all(self, listener: socket.socket) -> Port:
        if self._entrance is None:
            return self._open_in_plain(listener)
        return Port(
            listener,
            silence=self.config.limits.first_byte_seconds,
            silent_per_address=self.config.limits.connections_per_address,
            http=PlainEntrance(self._plain, self._streams).accept,
            tls=self._entrance.accept,
            stun=self._relay.accept if self._relay else None,
        )

    def _open_in_plain(self, listener: socket.socket) -> Port:
        return Port(
            listener,
            silence=self.config.limits.first_byte_seconds,
            silent_per_address=self.config.limits.connections_per_address,
            http=PlainEntrance(self._main, self._streams).accept,
            stun=self._relay.accept if self._relay else None,
        )

    async def _tick(self) -> None:
        known = self._addresses()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.hub.tick()
            if (names := self._addresses()) != known:
                known = names
                log.info("This computer's addresses are now %s.", ", ".join(names) or "none")
                self._renew_certificate()
                if self._relay:
                    self._relay.set_addresses(names)

    def _renew_certificate(self) -> None:
        if self.config.server.tls != "local-ca":
            return
        try:
            context = self._make_context()
        except SetupError as error:
            log.error("The old certificate stays in use: %s", error)
        else:
            if self._entrance and context:
                self._entrance.context = context
