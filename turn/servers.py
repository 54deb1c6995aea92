"""Which ICE servers a peer gets: none, a fixed list, or coturn with new credentials.

Owns `TurnServers`, the common interface of all kinds of TURN, and three of its implementations.
Reads no clock: the time is an argument.
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
    """What one peer may use. `expires` is Unix time in seconds; None: it never expires."""

    ice_servers: tuple[IceServer, ...] = field(repr=False)
    expires: float | None


class TurnServers(Protocol):
    """Gives ICE servers to peers, and revokes them."""

    def issue(self, peer_id: str, room: str, origin: str, now: float) -> Grant:
        """Return the ICE servers for one peer.

        Parameters
        ----------
        peer_id: the peer that gets them.
        room: the room that it is in.
        origin: scheme, host and port of the page, as that peer reached it.
        now: Unix time in seconds.
        """

    def revoke(self, peer_id: str) -> None:
        """Revoke what a peer got, as far as possible. Called when the peer has left."""

    def describe(self) -> str:
        """Describe this kind of TURN to a person, in one line and without a secret."""


@dataclass(frozen=True)
class NoTurn:
    """No ICE servers at all."""

    def issue(self, peer_id: str, room: str, origin: str, now: float) -> Grant:
        """Return an empty grant."""
        return Grant((), None)

    def revoke(self, peer_id: str) -> None:
        """Do nothing, because nothing was issued."""

    def describe(self) -> str:
        """Describe it to a person, in one line."""
        return "TURN: none. Phone and laptop must reach each other directly."


@dataclass(frozen=True)
class StaticServers:
    """The same list for everybody, exactly as in the configuration.

    Parameters
    ----------
    ice_servers: RTCIceServer objects, user names and credentials included.
    """

    ice_servers: Sequence[IceServer] = field(repr=False)

    def issue(self, peer_id: str, room: str, origin: str, now: float) -> Grant:
        """Return a copy of the list."""
        return Grant(tuple(copy.deepcopy(server) for server in self.ice_servers), None)

    def revoke(self, peer_id: str) -> None:
        """Do nothing: credentials that everybody shares cannot be revoked for one peer."""

    def describe(self) -> str:
        """Describe it to a person, in one line and without a credential."""
        count = len(self.ice_servers)
        return f"TURN: {count} ICE server{'' if count == 1 else 's'} from the configuration."


@dataclass(frozen=True)
class Coturn:
    """A coturn server and the secret it shares with this one.

    Parameters
    ----------
    urls: its TURN URIs (RFC 7065).
    secret: coturn's `static-auth-secret`.
    lifetime: how long credentials are valid, in seconds.
    """

    urls: Sequence[str]
    secret: bytes | str = field(repr=False)
    lifetime: float

    def issue(self, peer_id: str, room: str, origin: str, now: float) -> Grant:
        """Return coturn's URLs with new credentials for this peer."""
        credentials = ephemeral(self.secret, peer_id, now, self.lifetime)
        server: IceServer = {
            "urls": list(self.urls),
            "username": credentials.username,
            "credential": credentials.password,
        }
        return Grant((server,), credentials.expires)

    def revoke(self, peer_id: str) -> None:
        """Do nothing: coturn cannot revoke REST credentials, which expire."""

    def describe(self) -> str:
        """Describe it to a person, in one line and without the secret."""
        return f"TURN: coturn at {', '.join(self.urls)}."
