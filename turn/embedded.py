"""TURN built into this process: a `TurnServers` whose relay runs here, over UDP, TCP and TLS.

Owns the relay, its sockets, and the task that deletes what has expired.
"""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from tornado.iostream import IOStream

from turn.access import Access
from turn.limits import RelayLimits
from turn.relay import Figures, Relay
from turn.servers import Grant, IceServer
from turn.tasks import report_death
from turn.tcp import TcpConnections
from turn.udp import UdpEndpoint

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
LOOPBACK = ("127.0.0.1", "::1")


class EmbeddedTurn:
    """A STUN and TURN server on the port that serves the pages.

    It opens the UDP sockets itself. Other code accepts TCP connections and hands them over.

    Parameters
    ----------
    credential_seconds: how long credentials are valid for a new allocation.
    tls: whether `accept_stream` will get TLS connections of the main port.
    behind_proxy: whether clients reach the pages through a proxy, which does not forward TURN.
    limits: what the relay allows.
    clock: returns seconds; only goes forward.
    unix_clock: returns Unix time, which decides when credentials expire.
    """

    def __init__(
        self,
        *,
        credential_seconds: float,
        tls: bool = False,
        behind_proxy: bool = False,
        limits: RelayLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        limits = limits or RelayLimits()
        self._tls = tls
        self._behind_proxy = behind_proxy
        self._clock = clock
        access = Access(credential_seconds, limits.nonce_lifetime, unix_clock)
        self._relay = Relay(access, limits)
        self._tcp = TcpConnections(self._relay, limits, clock)
        self._udp: dict[str, UdpEndpoint] = {}
        self._unbound: set[str] = set()
        self._port = 0
        self._local_port = 0
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, addresses: Sequence[str], port: int, local_port: int) -> None:
        """Start to answer over UDP.

        Parameters
        ----------
        addresses: IP addresses of this host that clients use; loopback is always added.
        port: the number of the main port, for UDP as well as TCP.
        local_port: the TCP port that only this host can reach.
        """
        self._port = port
        self._local_port = local_port
        self.set_addresses(addresses)
        self._sweeper = asyncio.create_task(self._sweep(), name="TURN sweeper")
        self._sweeper.add_done_callback(report_death)

    async def stop(self) -> None:
        """Close all sockets and connections."""
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for endpoint in self._udp.values():
            endpoint.close()
        self._udp.clear()
        await self._tcp.close()

    def set_addresses(self, addresses: Sequence[str]) -> None:
        """Answer over UDP at these addresses and loopback, and nowhere else.

        An address that does not work is logged, and tried again at the next call.
        """
        wanted = dict.fromkeys((*LOOPBACK, *addresses))
        for address in [known for known in self._udp if known not in wanted]:
            self._udp.pop(address).close()
        self._unbound &= wanted.keys()
        for address in wanted:
            if address not in self._udp:
                self._open(address)

    def accept(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve a TCP connection that begins with STUN, and from which no byte has been read."""
        self._tcp.accept(connection, address)

    def accept_stream(self, stream: IOStream, first: bytes) -> None:
        """Serve TURN over TLS after the handshake; `first` has already been read."""
        self._tcp.accept_stream(stream, first)

    def issue(self, peer_id: str, room: str, origin: str, now: float) -> Grant:
        """Return the relay, at the address where this peer reached its page, with credentials.

        Parameters
        ----------
        peer_id: the peer that gets them.
        room: the room that it is in; it reaches nobody outside it.
        origin: scheme, host and port of the page, as that peer reached it.
        now: Unix time in seconds.
        """
        credentials = self._relay.issue(peer_id, room, now)
        host, udp_port, tcp_port = self._reached_by(origin)
        urls = [
            f"turn:{host}:{udp_port}?transport=udp",
            f"turn:{host}:{tcp_port}?transport=tcp",
        ]
        if self._tls and tcp_port != self._local_port:
            urls.append(f"turns:{host}:{tcp_port}?transport=tcp")
        relay: IceServer = {
            "urls": urls,
            "username": credentials.username,
            "credential": credentials.password,
        }
        return Grant((relay, {"urls": [f"stun:{host}:{udp_port}"]}), credentials.expires)

    def revoke(self, peer_id: str) -> None:
        """Refuse a peer's credentials from now on, and delete its allocations."""
        self._relay.revoke(peer_id)

    def describe(self) -> str:
        """Describe this TURN server to a person, in one line and without a secret."""
        if not self._unbound:
            return f"TURN: built in, UDP and TCP on port {self._port}."
        missing = ", ".join(sorted(self._unbound))
        return f"TURN: built in, TCP on port {self._port}; UDP too, but not at {missing}."

    @property
    def unsigned(self) -> Counter[str]:
        """Requests over UDP that nobody had signed, since the start: "answered" and "withheld"."""
        return self._relay.unsigned

    def figures(self) -> Figures:
        """Return counts: of allocations and connections now, of the others since the start."""
        return {**self._relay.figures(), "tcp_connections": len(self._tcp)}

    def _reached_by(self, origin: str) -> tuple[str, int, int]:
        """Return the relay's host, UDP port and TCP port for a peer that reached this origin."""
        try:
            parts = urlsplit(origin)
            host, port = parts.hostname or LOOPBACK[0], parts.port
        except ValueError:  # The Host header was not valid.
            parts, host, port = urlsplit(""), LOOPBACK[0], None
        port = port or (443 if parts.scheme == "https" else 80)
        if host == "localhost" or host.endswith(".localhost"):
            host = LOOPBACK[0]  # `localhost` may be ::1, and the local port does not listen there.
        bracketed = f"[{host}]" if ":" in host else host
        is_loopback = host in LOOPBACK
        is_local = is_loopback and port == self._local_port
        if self._behind_proxy and not is_local:
            return bracketed, self._port, self._port
        # A loopback origin may mean a tunnel (adb, ssh), which carries only its TCP port.
        return bracketed, self._port if is_loopback else port, port

    def _open(self, address: str) -> None:
        try:
            self._udp[address] = UdpEndpoint(address, self._port, self._relay, self._clock)
        except OSError as error:
            # A host without IPv6 has no ::1, and nobody uses it there.
            if address != LOOPBACK[1] and address not in self._unbound:
                self._unbound.add(address)
                log.warning(
                    "No TURN over UDP at %s, port %d: %s", address, self._port, error.strerror
                )
        else:
            self._unbound.discard(address)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock()
            self._relay.sweep(now)
            self._tcp.sweep(now)
            for endpoint in self._udp.values():
                endpoint.sweep()
