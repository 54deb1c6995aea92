"""Delivers what follows from a message: in order, and without letting one peer crowd out another.

Owns who is refused because too much of its waits for somebody else, and who is cut off because it
does not read.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from signaling.room import messages
from signaling.room.deliveries import Delivery, Dismissal, Outcome
from signaling.room.messages import (
    Answer,
    Control,
    DocumentVersion,
    IceCandidate,
    Offer,
    PeerConnected,
    PeerDisconnected,
    Say,
    ServerMessage,
    State,
)
from signaling.transport.away import AwaySeats
from signaling.transport.connection import Connection
from signaling.transport.outbox import About, News

SLOW_SECONDS = 10.0
"""A client that has taken nothing for this long, and for which too much waits, is cut off. One that
still reads is given time, and who sends it too much is refused."""


class Post:
    """Puts messages where they belong.

    Parameters
    ----------
    connections: those of all peers, by their ids.
    away: the seats of those that are away.
    cut_off: ends the connection of a client that does not read; its peer is away then.
    dismiss: ends a client that was put out of its room.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        away: AwaySeats,
        cut_off: Callable[[Connection], None],
        dismiss: Callable[[Dismissal], None],
    ) -> None:
        self._connections = connections
        self._away = away
        self._cut_off = cut_off
        self._dismiss = dismiss
        self._due: deque[Outcome] = deque()
        self._delivering = False
        self._held_back: set[str] = set()
        self._behind: set[str] = set()

    def deliver(self, outcomes: Iterable[Outcome], by: str = "") -> bool:
        """Deliver in order. What follows from a delivery, as when a client is cut off that does not
        read, waits until those before it are done.

        Parameters
        ----------
        by: the peer from whose message they follow.

        Returns
        -------
        False: something that comes from that peer did not fit, and has not reached everyone.
        """
        self._due.extend(outcomes)
        if self._delivering:
            return True
        self._delivering = True
        try:
            self._deliver_due()
        finally:
            self._delivering = False
        if not self._held_back:
            return True
        whole = by not in self._held_back
        self._held_back.clear()
        return whole

    def caught_up(self) -> list[str]:
        """Those for whom something did not fit, and for whom nothing waits any more; each once."""
        found = [peer_id for peer_id in self._behind if not self._waits(peer_id)]
        self._behind.difference_update(found)
        return found

    def _waits(self, peer_id: str) -> bool:
        connection = self._connections.get(peer_id)
        return connection is not None and connection.outbox.size > 0

    def _deliver_due(self) -> None:
        # The same message to many is one object, and is encoded once.
        message: ServerMessage | None = None
        text = ""
        while self._due:
            outcome = self._due.popleft()
            if isinstance(outcome, Dismissal):
                self._dismiss(outcome)
                continue
            if outcome.message is not message:
                message = outcome.message
                text = messages.encode(message)
            self._put(outcome, text)

    def _put(self, delivery: Delivery, text: str) -> None:
        peer_id = delivery.peer_id
        connection = self._connections.get(peer_id)
        if connection is not None and connection.outbox.pass_on(text):
            return
        source, lasting = _nature(delivery.message)
        if connection is None:
            kept = not lasting or peer_id not in self._away or self._away.put(peer_id, text, source)
            if not kept and source is not None:
                self._held_back.add(source)
            return
        about = _about(delivery)
        if connection.outbox.put(text, source=source, lasting=lasting, about=about):
            return
        if source is None or connection.outbox.stalled(SLOW_SECONDS):
            self._cut_off(connection)
            self._put(delivery, text)  # It is away, if it is a peer.
            return
        self._held_back.add(source)
        self._behind.add(peer_id)


def _nature(message: ServerMessage) -> tuple[str | None, bool]:
    """Which peer a message comes from (None: the server itself has to say it), and whether it is
    kept for a peer that is away.

    What is not kept, the rooms tell it again when it comes back: who is there, states, documents,
    what was said to all.
    """
    match message:
        case IceCandidate() | Offer() | Answer() | Control():
            return message.from_, True
        case State():
            return message.from_, False
        case Say():
            return message.from_, message.private
        case DocumentVersion():
            return message.by, False
        case _:
            return None, False


def _about(delivery: Delivery) -> About | None:
    """The peer without which a message means nothing. What people say and ask for stays."""
    message = delivery.message
    match message:
        case PeerConnected():
            return About(message.id, News.AWAY_OR_BACK if delivery.known else News.CAME)
        case PeerDisconnected():
            away = message.reason == "away"
            return About(message.id, News.AWAY_OR_BACK if away else News.GONE)
        case IceCandidate() | Offer() | Answer() | State() if message.from_ is not None:
            return About(message.from_, News.ITS_OWN)
        case _:
            return None
