"""One room: who is in it, who meets whom, and who makes the offers.

Owns these relations; what follows from messages is decided in `rooms` and `changes`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from signaling.room.deliveries import Delivery
from signaling.room.documents import Documents
from signaling.room.history import History
from signaling.room.messages import PeerConnected, PeerInfo, Routed, ServerMessage, State
from signaling.room.refusal import Code, Refusal
from signaling.room.room_type import Role, RoomType
from signaling.room.terms import ALWAYS, Terms


@dataclass(slots=True, eq=False)
class Peer:
    """One peer in a room.

    Attributes
    ----------
    asked: the role that its link asks for.
    given: the role that it had when it came.
    origin: scheme, host and port by which it reached the server.
    mark: stands for where it came from last; None where that is not known.
    since: when it came, in milliseconds of Unix time.
    refresh_at: when it needs fresh TURN credentials, in seconds of Unix time.
    terms: what the link that it came by is good for.
    lost_at: when it is lost unless it comes back; None while it is here.
    candidates: how many it has sent since its last offer or answer.
    state: the last state that it told everyone.
    heard: the number of what was said last before it was cut off; 0 where its role has changed
        since, so that others are there whom it hears.
    unseen_by: those who have come to hear of it since it was cut off.
    """

    id: str
    asked: str
    given: str
    role: Role
    room: "Room"
    name: str | None
    origin: str
    mark: str | None
    since: int
    refresh_at: float | None = None
    terms: Terms = ALWAYS
    lost_at: float | None = None
    candidates: int = 0
    state: Mapping[str, Any] | None = None
    heard: int = 0
    unseen_by: set[str] = field(default_factory=set)

    @property
    def away(self) -> bool:
        """Whether it was cut off, and may come back."""
        return self.lost_at is not None


@dataclass(slots=True, eq=False)
class Room:
    """One room and what it remembers.

    Attributes
    ----------
    inherited: it may have been there before this process, and its peers may still be on their way
        back.
    decided: the peers whose role or removal this process has decided.
    empty_since: when its last peer left, or it was made, in seconds of a clock that never jumps;
        None while somebody is in it.
    entered: whether anybody has ever been in it.
    """

    code: str
    type: RoomType
    documents: Documents
    history: History
    inherited: bool
    decided: set[str] = field(default_factory=set)
    empty_since: float | None = None
    entered: bool = False
    peers: dict[str, Peer] = field(default_factory=dict)

    def met_by(self, peer: Peer) -> list[Peer]:
        """Those that a peer hears of."""
        return [p for p in self.peers.values() if p.role.name in peer.role.meets and p is not peer]

    def hearers(self, peer: Peer) -> list[Peer]:
        """Those that hear of a peer."""
        return [p for p in self.peers.values() if peer.role.name in p.role.meets and p is not peer]

    def with_role(self, name: str) -> list[Peer]:
        """The peers of one role, those who came first before the others."""
        found = [peer for peer in self.peers.values() if peer.role.name == name]
        return sorted(found, key=lambda peer: peer.since)

    def info(self, peer: Peer, to: Peer) -> PeerInfo:
        """What one peer may know of another."""
        return PeerInfo(peer.id, peer.role.name, peer.name, peer.away, offers(to, peer))

    def announce(self, peer: Peer, to: Iterable[Peer], *, back: bool = False) -> Iterator[Delivery]:
        """Tell others that a peer is here, and what it shows of itself.

        Parameters
        ----------
        back: they know that already, except those who have come to hear of it meanwhile.
        """
        here = {
            True: PeerConnected(peer.role.name, peer.id, peer.name, offers=True),
            False: PeerConnected(peer.role.name, peer.id, peer.name),
        }
        for other in to:
            known = back and other.id not in peer.unseen_by
            yield Delivery(other.id, here[offers(other, peer)], known)
            if peer.state is not None and not known:
                yield Delivery(other.id, State(peer.state, from_=peer.id))

    def targets(self, peer: Peer, message: Routed) -> list[Peer]:
        """The peers that a message is for.

        Raises
        ------
        Refusal: with the codes unknown-target or ambiguous-target.
        """
        if message.to is not None:
            return [self.named(peer, message.to)]
        if isinstance(message, State):
            return self.hearers(peer)
        others = self.met_by(peer)
        # Who is away is meant only where nobody else can be: it may never come back.
        others = [other for other in others if not other.away] or others
        if len(others) == 1:
            return others
        if not others:
            raise Refusal(Code.UNKNOWN_TARGET, "There is nobody here whom this could be for.")
        raise Refusal(Code.AMBIGUOUS_TARGET, 'Several peers are here: name one in "to".')

    def named(self, peer: Peer, peer_id: str) -> Peer:
        """The peer with an id, if this one meets it.

        Raises
        ------
        Refusal: with the code unknown-target.
        """
        other = self.peers.get(peer_id)
        if other is None or other is peer or other.role.name not in peer.role.meets:
            raise Refusal(Code.UNKNOWN_TARGET, "The peer this message is for is not here.")
        return other


def offers(peer: Peer, other: Peer) -> bool:
    """Whether a peer makes the offers to another one: exactly one of two that meet does.

    Whoever publishes does; where both publish, the one whose id sorts first. So offers never cross,
    not after a resume or a restart of the server either.
    """
    if other.role.name not in peer.role.meets or peer.role.name not in other.role.meets:
        return False
    if peer.role.publishes != other.role.publishes:
        return peer.role.publishes
    return peer.role.publishes and peer.id < other.id


def each(peers: Iterable[Peer], message: ServerMessage) -> Iterator[Delivery]:
    """The same message to several peers: one object, so that it is encoded once."""
    return (Delivery(peer.id, message) for peer in peers)
