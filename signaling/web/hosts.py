"""Which names a request may reach this server by, which pages may ask, and who asks behind a proxy.

Owns what is believed of the headers Host, Origin and X-Forwarded-*. Pure but for this computer's
name and addresses, which are asked for anew. Imports `errors`, `config` and `addresses`.
"""

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from signaling.config import Server
from signaling.host import addresses
from signaling.setup_error import SetupError

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE | re.ASCII)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")
_PORTS = {"http": 80, "https": 443}


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address, IPv4 as such where it stands inside IPv6; None where the text is none."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


class Hosts:
    """Decides whether a request is meant for this server, by the names it gives.

    A page of another site whose name is made to point here (DNS rebinding) would else be one of
    ours to the browser; its Host is still its own name. And a page of another site may open a
    WebSocket to any server; its Origin says where it is from (RFC 6455 10.2).

    Parameters
    ----------
    server: the names are in `hosts` and `public_url`.
    own: gives this computer's addresses, as they are now.

    Raises
    ------
    SetupError: an entry of `hosts` is no name.
    """

    def __init__(
        self, server: Server, own: Callable[[], Iterable[str]] = addresses.lan_addresses
    ) -> None:
        self._own = own
        self._names = {_checked(name, i) for i, name in enumerate(server.hosts)}
        # One that is no URL is left to the doctor, who says what it does to the phone's link.
        self._public = _origin(server.public_url or "")
        if self._public is not None:
            self._names.add(self._public[1])

    def why_not(self, host: str, origin: str | None, reached_at: str) -> str | None:
        """Why a request is not answered, as a sentence for a person; None: it is.

        Parameters
        ----------
        host: its Host header.
        origin: its Origin header. Browsers always send it with a WebSocket or a POST; who sends
            none is no browser, and could send any.
        reached_at: the address of this computer's end of the connection.
        """
        named = _split(host)
        if named is None or not self._knows(named[0], reached_at):
            name = named[0] if named else "this name"
            return (
                f"This server does not know itself by {name}. If that is right, add it to "
                "server.hosts in the configuration."
            )
        if origin is not None and not self._is_own_page(origin, *named):
            return (
                "This page is not one of this server. If it is, behind a proxy, set "
                "server.public_url in the configuration to the address it is opened by."
            )
        return None

    def _knows(self, name: str, reached_at: str) -> bool:
        if name in self._names or name == "localhost" or name in _own_names():
            return True
        address = read_address(name)
        if address is None:
            return False
        # The other end's own idea of the address comes first: asking for all of them takes longer.
        return (
            address.is_loopback
            or address == read_address(reached_at)
            or any(address == read_address(own) for own in self._own())
        )

    def _is_own_page(self, origin: str, name: str, port: int | None) -> bool:
        page = _origin(origin)
        if page is None:
            return False
        # A proxy may hide by which scheme the page came, so only host and port are compared.
        return page == self._public or page[1:] == (name, port or _PORTS[page[0]])


class Proxies:
    """Believes what trusted proxies say of the clients behind them, and nobody else.

    Parameters
    ----------
    entries: addresses and networks, as in `server.trusted_proxies`.

    Raises
    ------
    SetupError: an entry is neither.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks = [_network(entry, i) for i, entry in enumerate(entries)]

    def trust(self, address: str) -> bool:
        """Whether this address is a trusted proxy's."""
        parsed = read_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, address: str, scheme: str, headers: Mapping[str, str]) -> tuple[str, str]:
        """The address and the scheme by which a request really came.

        Parameters
        ----------
        address: where the connection is from.
        scheme: "http" or "https", of the connection.
        headers: those of the request.
        """
        if not self.trust(address):
            return address, scheme
        # Each proxy adds at the end, so what a client has made up stands before what is known.
        for hop in reversed(headers.get("X-Forwarded-For", "").split(",")):
            parsed = read_address(hop.strip())
            if parsed is None:
                break
            address = str(parsed)
            if not self.trust(address):
                break
        said = headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        return address, said if said in _PORTS else scheme


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    label = name.partition(".")[0]
    return {name, label, f"{label}.local"} if label else set()


def _split(host: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (name.rstrip("."), port) if name else None


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL of http or https."""
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    named = _split(rest.partition("/")[0])
    if not separator or scheme not in _PORTS or named is None:
        return None
    return scheme, named[0], named[1] or _PORTS[scheme]


def _checked(name: str, index: int) -> str:
    if _NAME.fullmatch(name.rstrip(".")) or read_address(name):
        return name.lower().rstrip(".")
    raise SetupError(
        f"server.hosts[{index}] must be a host's name alone, as in camera.example.org, "
        f"not {name!r}."
    )


def _network(entry: str, index: int) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise SetupError(
            f"server.trusted_proxies[{index}] must be an address or a network, as in 127.0.0.1 "
            f"or 10.0.0.0/8, not {entry!r}."
        ) from error


def is_local(request: HTTPServerRequest) -> bool:
    """Whether a request comes from this computer, and from no proxy on it."""
    # What a proxy passes on comes from the loopback address as well, trusted or not.
    address = read_address(request.remote_ip or "")
    forwarded = any(name in request.headers for name in _FORWARDED)
    return address is not None and address.is_loopback and not forwarded
