"""Which ICE servers a peer is told of: none, a fixed list, or coturn with fresh credentials.

Owns `TurnServers`, the interface behind which the kinds of TURN look alike, and three of its
implementations. Imports `turn.credentials` only, and reads no clock: the time is an argument.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from turn.credentials import ephemeral

IceServer = dict[str, Any]
"""One RTCIceServer of the W3C WebRTC specification: urls, username, credential."""


@dataclass(frozen=True)
class Grant:
    """What one peer may use. `expires` in seconds of Unix time; None: it never expires."""

    ice_servers: tuple[IceServer, ...] = field(repr=False)
    expires: float | None


class TurnServers(Protocol):
    """Hands out ICE servers to peers and takes them back."""

    def issue(self, peer_id: str, origin: str, now: float) -> Grant:
        """Return the ICE servers for one peer.

        Parameters
        ----------
        peer_id: whom they are for.
        origin: scheme, host and port by which that peer reached its page.
        now: the time, in seconds of Unix time.
        """

    def revoke(self, peer_id: str) -> None:
        """Take back what was issued to a peer, as far as that is possible; it has left."""

    def describe(self) -> str:
        """Say in one line, for a person, what TURN there is; never a secret."""


@dataclass(frozen=True)
class NoTurn:
    """No ICE servers at all."""

    def issue(self, peer_id: str, origin: str, now: float) -> Grant:
        """Return an empty grant."""
        return Grant((), None)

    def revoke(self, peer_id: str) -> None:
        """Nothing was issued."""

    def describe(self) -> str:
        """Say in one line, for a person, what TURN there is."""
        return "TURN: none. Phone and laptop must reach each other directly."


@dataclass(frozen=True)
class StaticServers:
    """The same list for everybody, as it stands in the configuration.

    Parameters
    ----------
    ice_servers: RTCIceServer objects, user names and credentials included.
    """

    ice_servers: Sequence[IceServer] = field(repr=False)

    def issue(self, peer_id: str, origin: str, now: float) -> Grant:
        """Return a copy of the list."""
        return Grant(tuple(copy.deepcopy(server) for server in self.ice_servers), None)

    def revoke(self, peer_id: str) -> None:
        """Credentials that everybody shares cannot be taken from one peer."""

    def describe(self) -> str:
        """Say in one line, for a person, what TURN there is; never a credential."""
        count = len(self.ice_servers)
        return f"TURN: {count} ICE server{'' if count == 1 else 's'} from the configuration."


@dataclass(frozen=True)
class Coturn:
    """A coturn server and the secret it shares with this one.

    Parameters
    ----------
    urls: its TURN URIs (RFC 7065).
    secret: coturn's `static-auth-secret`.
    lifetime: for how long credentials are good, in seconds.
    """

    urls: Sequence[str]
    secret: bytes | str = field(repr=False)
    lifetime: float

    def issue(self, peer_id: str, origin: str, now: float) -> Grant:
        """Return coturn's URLs with fresh credentials for this peer."""
        credentials = ephemeral(self.secret, peer_id, now, self.lifetime)
        server: IceServer = {
            "urls": list(self.urls),
            "username": credentials.username,
            "credential": credentials.password,
        }
        return Grant((server,), credentials.expires)

    def revoke(self, peer_id: str) -> None:
        """Coturn knows no revocation of REST credentials: they expire."""

    def describe(self) -> str:
        """Say in one line, for a person, what TURN there is; never the secret."""
        return f"TURN: coturn at {', '.join(self.urls)}."
