"""Checks the headers Host, Origin and X-Forwarded-* of each request.

Decides which names clients may use for this server, which pages may send requests, and which client
is behind a proxy. Looks up this computer's name and addresses each time; otherwise pure.
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

CROSS_SITE = (
    "This request comes from a page of another site. If the page is this server's own, behind a "
    "proxy, set server.public_url in the configuration to its address."
)

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"([^\s@\\/?#\[\]:]+|\[[0-9a-f:.]+\])(:\d*)?", re.IGNORECASE | re.ASCII)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")
_PORTS = {"http": 80, "https": 443}


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address; return None for any other text. IPv4 inside IPv6 becomes plain IPv4."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


class Hosts:
    """Decides whether a request is meant for this server.

    Another site can make its own name point to this server (DNS rebinding). To the browser, its
    pages and ours are then the same site, but the Host header still names the other site. And a
    page of another site may open a WebSocket to any server; its Origin header says which site the
    page is from (RFC 6455 10.2).

    Parameters
    ----------
    server: the configuration; the names are in `hosts` and `public_url`.
    own: returns the addresses that this computer has now.

    Raises
    ------
    SetupError: an entry of `hosts` is not a name.
    """

    def __init__(
        self, server: Server, own: Callable[[], Iterable[str]] = addresses.lan_addresses
    ) -> None:
        self._own = own
        self._names = {_checked(name, i) for i, name in enumerate(server.hosts)}
        # An invalid URL is ignored here; `lenscast doctor` says what it does to the phone's link.
        self._public = _origin(server.public_url or "")
        if self._public is not None:
            self._names.add(self._public[1])

    def why_not(self, host: str, origin: str | None, reached_at: str) -> str | None:
        """Return why the server refuses a request, as a sentence for a person; None: it accepts it.

        Parameters
        ----------
        host: its Host header.
        origin: its Origin header. Browsers always send one with a WebSocket or a POST. A client
            that sends none is not a browser, and could send any value.
        reached_at: the address of this computer that the connection came to.
        """
        named = _split(host)
        if named is None or not self._knows(named[0], reached_at):
            name = named[0] if named else "in this request"
            return (
                f"This server does not know the name {name}. If it is a name of this server, "
                "add it to server.hosts in the configuration."
            )
        if origin is not None and not self.is_own_page(origin, host):
            return CROSS_SITE
        return None

    def is_own_page(self, origin: str, host: str) -> bool:
        """Whether an Origin header is that of a page of this server.

        Parameters
        ----------
        host: the Host header of the same request.
        """
        page, named = _origin(origin), _split(host)
        if page is None or named is None:
            return False
        # A proxy may hide the scheme of the page, so only host and port are compared.
        return page == self._public or page[1:] == (named[0], named[1] or _PORTS[page[0]])

    def _knows(self, name: str, reached_at: str) -> bool:
        if name in self._names or name == "localhost" or name in _own_names():
            return True
        address = read_address(name)
        if address is None:
            return False
        # The address that the connection came to is compared first: listing all takes longer.
        return (
            address.is_loopback
            or address == read_address(reached_at)
            or any(address == read_address(own) for own in self._own())
        )


class Proxies:
    """Believes trusted proxies about the clients behind them, and nobody else.

    Parameters
    ----------
    entries: addresses and networks, as in `server.trusted_proxies`.

    Raises
    ------
    SetupError: an entry is neither of the two.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks = [_network(entry, i) for i, entry in enumerate(entries)]

    def trust(self, address: str) -> bool:
        """Whether this address belongs to a trusted proxy."""
        parsed = read_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, address: str, scheme: str, headers: Mapping[str, str]) -> tuple[str, str]:
        """Return the real address of the client, and the scheme that it used.

        Parameters
        ----------
        address: the address that the connection comes from.
        scheme: "http" or "https", as on the connection.
        headers: the headers of the request.
        """
        if not self.trust(address):
            return address, scheme
        # Each proxy adds its entry at the end, so invented entries of a client come first.
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


def authority(host: str) -> str:
    """A Host header as it stands in a URL: nothing but a name or an address, and its port.

    Parameters
    ----------
    host: one that `Hosts.why_not` accepts.
    """
    name, port = _split(host) or ("", None)
    name = f"[{name}]" if ":" in name else name
    return name if port is None else f"{name}:{port}"


def _split(host: str) -> tuple[str, int | None] | None:
    if not _HOST.fullmatch(host):
        return None
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (name.rstrip("."), port) if name else None


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an http or https URL; None for any other text."""
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
        f"server.hosts[{index}] must be only the name of a host, such as camera.example.org, "
        f"not {name!r}."
    )


def _network(entry: str, index: int) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise SetupError(
            f"server.trusted_proxies[{index}] must be an address or a network, such as "
            f"127.0.0.1 or 10.0.0.0/8, not {entry!r}."
        ) from error


def is_local(request: HTTPServerRequest) -> bool:
    """Whether a request comes from this computer, and from no proxy on it."""
    # What a proxy passes on comes from the loopback address as well, trusted or not.
    address = read_address(request.remote_ip or "")
    forwarded = any(name in request.headers for name in _FORWARDED)
    return address is not None and address.is_loopback and not forwarded
