"""Rooms: who is in which one, who may say what to whom, and what follows from it.

Pure: a message and the time go in, a list of deliveries comes out; no await, no socket. Who has to
be back by when goes by a clock that never jumps, what TURN servers check by Unix time. Imports
`errors`, `protocol`, `links`, `resume` and the interface of `turn`. Knows no use of a room: what a
role may do is data, in `ROLES`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from signaling.room import links
from signaling.room.messages import (
    Answer,
    ClientMessage,
    Control,
    IceCandidate,
    Invite,
    Offer,
    PeerConnected,
    PeerDisconnected,
    PeerInfo,
    Register,
    Registered,
    Routed,
    ServerMessage,
    State,
    TurnConfig,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.resume import ResumeTokens
from turn.servers import TurnServers


@dataclass(frozen=True)
class Role:
    """What the peers of one kind may do.

    Attributes
    ----------
    sends: the types of message that it may send to another peer.
    broadcasts: those of them that go to everyone it meets when they name nobody.
    meets: the roles that it is told of, and may send to.
    invites: the role whose link it is given, to bring that peer in.
    """

    name: str
    sends: frozenset[str]
    broadcasts: frozenset[str]
    meets: frozenset[str]
    invites: str | None


ROLES = {
    role.name: role
    for role in (
        Role(
            "sender",
            sends=frozenset({Offer.type, IceCandidate.type, State.type}),
            broadcasts=frozenset({State.type}),
            meets=frozenset({"receiver"}),
            invites=None,
        ),
        Role(
            "receiver",
            sends=frozenset({Answer.type, IceCandidate.type, Control.type}),
            broadcasts=frozenset(),
            meets=frozenset({"sender"}),
            invites="sender",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to reach one peer."""

    peer_id: str
    message: ServerMessage


@dataclass(slots=True)
class _Peer:
    id: str
    role: Role
    room: str
    name: str | None
    origin: str
    refresh_at: float | None = None
    lost_at: float | None = None
    """When it is lost unless it comes back; None while it is here."""
    candidates: int = 0

    @property
    def away(self) -> bool:
        return self.lost_at is not None

    def info(self) -> PeerInfo:
        return PeerInfo(self.id, self.role.name, self.name, self.away)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are right now. Those who are away count, as they keep their seats."""

    rooms: int
    peers: int
    by_role: Mapping[str, int]


@dataclass(slots=True)
class _Room:
    peers: dict[str, _Peer] = field(default_factory=dict)


class Rooms:
    """All rooms of one server.

    Parameters
    ----------
    max_rooms: how many rooms may have someone in them.
    capacity: for each role, how many peers of it one room holds.
    keys: checks the keys of links; None where access is open to all.
    turn: where ICE servers come from.
    unix_time: seconds of Unix time, by which TURN credentials expire.
    invite: makes the link into a room from (room, origin by which the inviting peer came).
    tokens: makes and checks resume tokens.
    resume_seconds: for how long a peer that was cut off keeps its seat.
    started: since when this process serves, in seconds of a clock that never jumps. For
        `resume_seconds` from then on it takes back the peers of the process before it.
    max_candidates: how many candidates a peer may send after one offer or answer.
    """

    def __init__(
        self,
        *,
        max_rooms: int,
        capacity: Mapping[str, int],
        keys: links.Links | None,
        turn: TurnServers,
        unix_time: Callable[[], float],
        invite: Callable[[str, str], Invite],
        tokens: ResumeTokens,
        resume_seconds: float,
        started: float,
        max_candidates: int,
    ) -> None:
        self._max_rooms = max_rooms
        self._capacity = capacity
        self._keys = keys
        self._turn = turn
        self._unix_time = unix_time
        self._invite = invite
        self._tokens = tokens
        self._resume_seconds = resume_seconds
        self._inherits_until = started + resume_seconds
        self._max_candidates = max_candidates
        self._left: set[str] = set()  # Kept only until then: they are not the earlier process's.
        self._rooms: dict[str, _Room] = {}
        self._peers: dict[str, _Peer] = {}

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._peers

    def counts(self) -> Counts:
        """How many rooms and peers there are."""
        by_role = dict.fromkeys(ROLES, 0)
        for peer in self._peers.values():
            by_role[peer.role.name] += 1
        return Counts(len(self._rooms), len(self._peers), by_role)

    def receive(
        self, peer_id: str, message: ClientMessage, now: float, *, origin: str = ""
    ) -> list[Delivery]:
        """Take a message from a peer.

        A `Register` that resumes goes on as the earlier peer: the first delivery is then its
        `Registered`, whose `id` is the one that all further calls must name.

        Parameters
        ----------
        peer_id: who sent it; for a `Register` a fresh id, used unless the peer resumes.
        now: seconds of a clock that never jumps.
        origin: scheme, host and port by which this client reached the server.

        Raises
        ------
        Refusal: the message is not allowed; nothing has changed.
        """
        match message:
            case Register():
                return self._register(peer_id, message, now, origin)
            case Offer() | Answer() | IceCandidate() | Control() | State():
                return self._route(peer_id, message)
            case _:
                assert_never(message)

    def drop(self, peer_id: str, now: float) -> list[Delivery]:
        """A peer was cut off: it is away, and keeps its seat until it resumes or time is up."""
        peer = self._peers.get(peer_id)
        if peer is None or peer.away:
            return []
        peer.lost_at = now + self._resume_seconds
        gone = PeerDisconnected(peer.role.name, peer.id, "away")
        return [Delivery(other.id, gone) for other in self._met_by(peer)]

    def leave(self, peer_id: str, reason: str) -> list[Delivery]:
        """A peer is gone, for the reason that `peer-disconnected` names. Unknown ids are none's."""
        peer = self._peers.pop(peer_id, None)
        if peer is None:
            return []
        room = self._rooms[peer.room]
        del room.peers[peer_id]
        if not room.peers:
            del self._rooms[peer.room]
        self._left.add(peer_id)
        # Not before: what an away peer has at the relay carries its media on.
        self._turn.revoke(peer_id)
        gone = PeerDisconnected(peer.role.name, peer.id, reason)
        return [Delivery(other.id, gone) for other in self._met_by(peer)]

    def tick(self, now: float) -> list[Delivery]:
        """End what is over: peers that stayed away too long, and TURN credentials past half
        their life. Who is away gets fresh ones on coming back.
        """
        if now >= self._inherits_until:
            self._left.clear()
        peers = list(self._peers.values())
        lost = [p.id for p in peers if p.lost_at is not None and p.lost_at <= now]
        gone = [delivery for peer_id in lost for delivery in self.leave(peer_id, "lost")]
        unix = self._unix_time()
        due = [p for p in peers if not p.away and p.refresh_at is not None and p.refresh_at <= unix]
        return [
            *(delivery for delivery in gone if delivery.peer_id in self._peers),
            *(Delivery(peer.id, TurnConfig(self._issue(peer))) for peer in due),
        ]

    def _register(self, peer_id: str, message: Register, now: float, origin: str) -> list[Delivery]:
        if peer_id in self._peers:
            raise Refusal(Code.ALREADY_REGISTERED, "This connection is registered already.")
        role = ROLES.get(message.role)
        if role is None:
            raise Refusal(Code.WRONG_ROLE, f"There is no such role; known: {', '.join(ROLES)}.")
        code = self._admit(role, message)
        earlier = self._earlier_id(message.resume, code, role, now)
        if earlier in self._peers:
            return self._resume(self._peers[earlier], origin)
        self._check_space(role, code)
        peer = _Peer(earlier or peer_id, role, code, message.name, origin)
        self._rooms.setdefault(code, _Room()).peers[peer.id] = peer
        self._peers[peer.id] = peer
        others = self._met_by(peer)
        welcome = self._welcome(peer, others, resumed=earlier is not None)
        return [
            Delivery(peer.id, welcome),
            # Those who are away are announced when they come back.
            *(Delivery(peer.id, _announce(other)) for other in others if not other.away),
            *(Delivery(other.id, _announce(peer)) for other in others),
        ]

    def _earlier_id(self, token: str | None, room: str, role: Role, now: float) -> str | None:
        """The id that a client with this token goes on with; None: it gets a new one."""
        peer_id = self._tokens.read(token, room, role.name) if token else None
        inherited = now < self._inherits_until and peer_id not in self._left
        return peer_id if inherited or peer_id in self._peers else None

    def _resume(self, peer: _Peer, origin: str) -> list[Delivery]:
        was_away, peer.lost_at = peer.away, None
        peer.origin = origin
        others = self._met_by(peer)
        welcome = Delivery(peer.id, self._welcome(peer, others, resumed=True))
        # Where another connection is replaced nobody has heard that the peer was away.
        told = others if was_away else ()
        return [welcome, *(Delivery(other.id, _announce(peer)) for other in told)]

    def _admit(self, role: Role, message: Register) -> str:
        room = message.room or (links.OPEN_ROOM if self._keys is None else "")
        # A code that is no code gets the same answer as a wrong key: nothing to learn from it.
        if not links.valid_room(room) or not self._opens(room, role, message.key):
            raise Refusal(
                Code.BAD_KEY,
                "This link does not open the room. Take a new one from where lenscast runs.",
            )
        return room

    def _opens(self, room: str, role: Role, key: str | None) -> bool:
        return self._keys is None or self._keys.opens(room, role.name, key or "")

    def _check_space(self, role: Role, code: str) -> None:
        room = self._rooms.get(code)
        if room is None:
            if len(self._rooms) >= self._max_rooms:
                raise Refusal(Code.SERVER_FULL, "This server holds no more rooms for now.")
            return
        there = sum(peer.role is role for peer in room.peers.values())
        if there >= self._capacity[role.name]:
            raise Refusal(
                Code.ROOM_FULL, f"This room is full: it holds {there} of the role {role.name}."
            )

    def _welcome(self, peer: _Peer, others: Iterable[_Peer], *, resumed: bool) -> Registered:
        return Registered(
            role=peer.role.name,
            ice_servers=self._issue(peer),
            id=peer.id,
            room=peer.room,
            peers=tuple(other.info() for other in others),
            invite=self._invite(peer.room, peer.origin) if peer.role.invites else None,
            resume=self._tokens.make(peer.id, peer.room, peer.role.name),
            resumed=resumed,
        )

    def _issue(self, peer: _Peer) -> tuple[dict[str, object], ...]:
        now = self._unix_time()
        grant = self._turn.issue(peer.id, peer.origin, now)
        peer.refresh_at = None if grant.expires is None else now + (grant.expires - now) / 2
        return grant.ice_servers

    def _route(self, peer_id: str, message: Routed) -> list[Delivery]:
        peer = self._peers.get(peer_id)
        if peer is None:
            raise Refusal(Code.NOT_REGISTERED, 'The first message must be "register".')
        if message.type not in peer.role.sends:
            raise Refusal(
                Code.WRONG_ROLE, f'A {peer.role.name} does not send "{message.type}" messages.'
            )
        targets = self._targets(peer, message)
        self._count_candidates(peer, message)
        forwarded = dataclasses.replace(message, to=None, from_=peer_id)
        return [Delivery(target.id, forwarded) for target in targets]

    def _count_candidates(self, peer: _Peer, message: Routed) -> None:
        if isinstance(message, Offer | Answer):
            peer.candidates = 0
        elif isinstance(message, IceCandidate):
            if peer.candidates >= self._max_candidates:
                raise Refusal(
                    Code.TOO_MANY_CANDIDATES,
                    f"More than {self._max_candidates} candidates came after one offer or answer.",
                )
            peer.candidates += 1

    def _targets(self, peer: _Peer, message: Routed) -> list[_Peer]:
        others = self._met_by(peer)
        if message.to is not None:
            named = [other for other in others if other.id == message.to]
            if not named:
                raise Refusal(Code.UNKNOWN_TARGET, "The peer this message is for is not here.")
            return named
        if message.type in peer.role.broadcasts:
            return others
        # Who is away is meant only where nobody else can be: it may never come back.
        others = [other for other in others if not other.away] or others
        if len(others) == 1:
            return others
        if not others:
            raise Refusal(Code.UNKNOWN_TARGET, "Nobody is here whom this message could be for.")
        raise Refusal(Code.AMBIGUOUS_TARGET, 'Several peers are here: say which one in "to".')

    def _met_by(self, peer: _Peer) -> list[_Peer]:
        room = self._rooms.get(peer.room)
        others = room.peers.values() if room else ()
        return [o for o in others if o.role.name in peer.role.meets and o.id != peer.id]


def _announce(peer: _Peer) -> PeerConnected:
    return PeerConnected(peer.role.name, peer.id, peer.name)
