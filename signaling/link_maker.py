"""Makes the links that lead to one server, whether it runs or not."""

import ipaddress
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from signaling.config import Config
from signaling.host import addresses
from signaling.room import links
from signaling.room.links import Links
from signaling.room.room_type import RoomType
from signaling.room.terms import ALWAYS, Terms
from signaling.room_types.camera import camera

ANY_ADDRESS = ("0.0.0.0", "::")


def usual_type(config: Config) -> RoomType:
    """The kind of room of those who name none, with the limits of the configuration."""
    limits = config.rooms
    return camera(
        senders=limits.max_senders, receivers=limits.max_receivers, viewers=limits.max_viewers
    )


class LinkMaker:
    """Makes the links of one server.

    Parameters
    ----------
    config: the configuration.
    keys: makes keys; None where access is open to all.
    usual: the kind of room of those who name none.
    ports: gives the port for every device, and the one on the loopback address.
    """

    def __init__(
        self,
        config: Config,
        keys: Links | None,
        usual: RoomType,
        ports: Callable[[], tuple[int, int]],
    ) -> None:
        self._server = config.server
        self._keys = keys
        self._usual = usual
        self._ports = ports

    @property
    def home(self) -> str:
        """The room of this server: the same after every restart, until the keys are renewed."""
        return self._keys.home_room() if self._keys else links.OPEN_ROOM

    @property
    def keyed(self) -> bool:
        """Whether links carry keys; otherwise they cannot end either."""
        return self._keys is not None

    def public_origin(self) -> str:
        """Scheme, host and port by which a phone reaches the server."""
        server = self._server
        if server.public_url:
            return server.public_url.rstrip("/")
        host = server.host
        if host in ANY_ADDRESS:
            host = next(iter(addresses.lan_addresses()), "127.0.0.1")
        scheme = "http" if server.tls == "off" else "https"
        return f"{scheme}://{_bracketed(host)}:{self._ports()[0]}"

    def local_origin(self) -> str:
        """Scheme, host and port by which this computer's own browser reaches the server."""
        return f"http://127.0.0.1:{self._ports()[1]}"

    def link(
        self,
        origin: str,
        role: str,
        room: str,
        kind: RoomType | None = None,
        terms: Terms = ALWAYS,
    ) -> str:
        """The link into a room in a role.

        Parameters
        ----------
        origin: scheme, host and port.
        kind: the kind of room; None for a camera room.
        terms: what the link is good for.
        """
        kind = kind or self._usual
        path = next(path for path, asked in kind.pages.items() if asked == role)
        keyed = self._keys is not None and kind.roles[role].keyed
        scope = "" if kind is self._usual else kind.name
        key = self._keys.key(room, role, scope, terms) if self._keys and keyed else None
        return links.link(origin, path, room, key)

    def every_link(self, room: str, kind: RoomType | None = None) -> Mapping[str, str]:
        """A link for each role of a room; in this server's own room the receiver's is for the
        browser of this computer."""
        kind = kind or self._usual
        local = {"receiver"} if room == self.home and kind is self._usual else set()
        return {
            role: self.link(
                self.local_origin() if role in local else self.public_origin(), role, room, kind
            )
            for role in kind.pages.values()
        }


def is_loopback(origin: str) -> bool:
    """Whether only this computer can reach an origin."""
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
