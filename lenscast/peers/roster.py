"""Whom a signaling client has met, and what it is still to be told of them after a break."""

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
"""Who is not in the room after a resume may still be on the way, as after a restart of the server;
after that it is lost. No shorter than a client's own time to come back."""


class Roster:
    """Keeps who came and who went, so that a broken connection goes unnoticed.

    Attributes
    ----------
    met: the role of each peer that was announced and is not gone, by its id.
    """

    def __init__(self) -> None:
        self.met: dict[str, str] = {}
        self._offers: dict[str, bool] = {}
        self._missing: dict[str, float] = {}  # Who of them was not listed, and when it is lost.
        self._news: deque[ServerMessage] = deque()

    @property
    def due(self) -> float | None:
        """When `news` has something to tell though no message came, in seconds of the clock that
        `news` gets; None: never."""
        return min(self._missing.values(), default=None)

    def offers_to(self, peer_id: str) -> bool:
        """Whether this client makes the offers to a peer, as the server says."""
        return self._offers.get(peer_id, False)

    def news(self, now: float) -> ServerMessage | None:
        """The next message that the user of the client is to be told, apart from what comes.

        Parameters
        ----------
        now: seconds of a clock that does not go back.
        """
        self._lose(peer for peer, lost_at in list(self._missing.items()) if lost_at <= now)
        return self._news.popleft() if self._news else None

    def take(self, message: ServerMessage, me: Registered) -> bool:
        """Note a message that came.

        Parameters
        ----------
        message: any message.
        me: the server's newest answer to this client.

        Returns
        -------
        Whether it is news: who is away for a while, or is announced once more, is none.
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
        me: the server's answer. Where it has not resumed this is a new peer, for whom everyone
            else is new too.
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
