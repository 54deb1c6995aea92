"""Whom a signaling client has met, and the news of them after its connection was broken."""

from collections import deque
from collections.abc import Iterable

from signaling.room.messages import (
    PeerConnected,
    PeerDisconnected,
    PeerInfo,
    Registered,
    ServerMessage,
    TurnConfig,
)

LOST_SECONDS = 60.0
"""A peer that is not in the room after a resume may still be on its way back, as after a restart
of the server. After this time it is lost. A client tries to come back for no longer."""


class Roster:
    """Keeps track of who came and who went, so that the user notices no broken connection.

    Attributes
    ----------
    met: the role of each peer that was announced and is not gone, by its id.
    """

    def __init__(self) -> None:
        self.met: dict[str, str] = {}
        self._offers: dict[str, bool] = {}
        self._missing: dict[str, float] = {}  # Which of them were not listed; when they are lost.
        self._news: deque[ServerMessage] = deque()

    @property
    def due(self) -> float | None:
        """When `news` will have something to tell, even if no message comes: in seconds of the
        clock that `news` is given. None: never."""
        return min(self._missing.values(), default=None)

    def offers_to(self, peer_id: str) -> bool:
        """Whether this client makes the offers to a peer, as the server says."""
        return self._offers.get(peer_id, False)

    def news(self, now: float) -> ServerMessage | None:
        """The next message to tell the user of the client, besides those from the server.

        Parameters
        ----------
        now: seconds of a clock that does not go back.
        """
        self._lose(peer for peer, lost_at in list(self._missing.items()) if lost_at <= now)
        return self._news.popleft() if self._news else None

    def take(self, message: ServerMessage, me: Registered) -> bool:
        """Take note of a message from the server.

        Parameters
        ----------
        message: any message.
        me: the server's newest answer to this client.

        Returns
        -------
        Whether it is news. That a peer is away for a while, or is announced again, is not.
        """
        if isinstance(message, PeerConnected | PeerDisconnected):
            self._missing.pop(message.id, None)
        match message:
            case PeerConnected():
                known = message.id in self.met
                self.met[message.id] = message.peer
                self._offers[message.id] = makes_the_offers(message, me)
                return not known
            case PeerDisconnected(reason="away"):
                return False
            case PeerDisconnected():
                self._forget(message.id)
        return True

    def came_back(self, me: Registered, now: float) -> None:
        """The client has another connection.

        Parameters
        ----------
        me: the server's answer. Unless it says `resumed` this is a new peer, and everyone else
            is new to it.
        now: as for `news`.
        """
        if not me.resumed:
            self._lose(list(self.met))
        self._news.append(TurnConfig(me.ice_servers))
        if me.resumed:
            self._compare(me, now)

    def _compare(self, me: Registered, now: float) -> None:
        """Find out what was said into a connection that was broken already."""
        listed = {peer.id for peer in me.peers}
        self._missing = {
            peer: self._missing.get(peer, now + LOST_SECONDS)
            for peer in self.met
            if peer not in listed
        }
        for peer in me.peers:
            if peer.away:
                continue
            announced = PeerConnected(peer.role, peer.id, peer.name, peer.offers)
            if self.take(announced, me):
                self._news.append(announced)
            self._offers[peer.id] = makes_the_offers(peer, me)

    def _lose(self, peers: Iterable[str]) -> None:
        for peer in peers:
            self._missing.pop(peer, None)
            self._news.append(PeerDisconnected(self.met[peer], peer, "lost"))
            self._forget(peer)

    def _forget(self, peer: str) -> None:
        self.met.pop(peer, None)
        self._offers.pop(peer, None)


def makes_the_offers(peer: PeerConnected | PeerInfo, me: Registered) -> bool:
    """Whether this client makes the offers to a peer.

    A server that does not say so to anybody knows camera rooms alone: there the sender does.
    """
    return peer.offers or (me.limits is None and me.role == "sender")
