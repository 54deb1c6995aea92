"""Rooms: who is in which one, who may say what to whom, and what follows from it.

Pure: a message and the time go in, a list of deliveries comes out. No await, no clock, no socket.
Imports `errors`, `protocol`, `links` and the interface of `turn`. Knows no use of a room: what a
role may do is data, in `ROLES`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from signaling import links
from signaling.errors import Code, Refusal
from signaling.protocol import (
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
    refresh_at: float | None

    def info(self) -> PeerInfo:
        return PeerInfo(self.id, self.role.name, self.name)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are right now."""

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
    invite: makes the link into a room from (room, origin by which the inviting peer came).
    """

    def __init__(
        self,
        *,
        max_rooms: int,
        capacity: Mapping[str, int],
        keys: links.Links | None,
        turn: TurnServers,
        invite: Callable[[str, str], Invite],
    ) -> None:
        self._max_rooms = max_rooms
        self._capacity = capacity
        self._keys = keys
        self._turn = turn
        self._invite = invite
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

        Parameters
        ----------
        peer_id: who sent it; ids are given by the transport, one for each connection.
        now: unix time in seconds.
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

    def leave(self, peer_id: str, reason: str) -> list[Delivery]:
        """A peer is gone, for the reason that `peer-disconnected` names. Unknown ids are none's."""
        peer = self._peers.pop(peer_id, None)
        if peer is None:
            return []
        room = self._rooms[peer.room]
        del room.peers[peer_id]
        if not room.peers:
            del self._rooms[peer.room]
        self._turn.revoke(peer_id)
        gone = PeerDisconnected(peer.role.name, peer.id, reason)
        return [Delivery(other.id, gone) for other in self._met_by(peer)]

    def tick(self, now: float) -> list[Delivery]:
        """Give fresh TURN credentials to those whose old ones are past half their life."""
        due = [p for p in self._peers.values() if p.refresh_at is not None and p.refresh_at <= now]
        return [Delivery(peer.id, TurnConfig(self._issue(peer, now))) for peer in due]

    def _register(self, peer_id: str, message: Register, now: float, origin: str) -> list[Delivery]:
        if peer_id in self._peers:
            raise Refusal(Code.ALREADY_REGISTERED, "This connection is registered already.")
        role = ROLES.get(message.role)
        if role is None:
            raise Refusal(Code.WRONG_ROLE, f"There is no such role; known: {', '.join(ROLES)}.")
        code = self._admit(role, message)
        self._check_space(role, code)
        peer = _Peer(peer_id, role, code, message.name, origin, None)
        self._rooms.setdefault(code, _Room()).peers[peer_id] = peer
        self._peers[peer_id] = peer
        others = self._met_by(peer)
        return [
            Delivery(peer_id, self._welcome(peer, others, now)),
            *(Delivery(peer_id, _announce(other)) for other in others),
            *(Delivery(other.id, _announce(peer)) for other in others),
        ]

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

    def _welcome(self, peer: _Peer, others: Iterable[_Peer], now: float) -> Registered:
        return Registered(
            role=peer.role.name,
            ice_servers=self._issue(peer, now),
            id=peer.id,
            room=peer.room,
            peers=tuple(other.info() for other in others),
            invite=self._invite(peer.room, peer.origin) if peer.role.invites else None,
        )

    def _issue(self, peer: _Peer, now: float) -> tuple[dict[str, object], ...]:
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
        forwarded = dataclasses.replace(message, to=None, from_=peer_id)
        return [Delivery(target.id, forwarded) for target in self._targets(peer, message)]

    def _targets(self, peer: _Peer, message: Routed) -> list[_Peer]:
        others = self._met_by(peer)
        if message.to is not None:
            named = [other for other in others if other.id == message.to]
            if not named:
                raise Refusal(Code.UNKNOWN_TARGET, "The peer this message is for is not here.")
            return named
        if message.type in peer.role.broadcasts or len(others) == 1:
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
