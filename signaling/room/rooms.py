"""All rooms of one server: who may enter, who may say what to whom, and what follows from it.

Pure: a message and the time go in, a list of outcomes comes out; no await, no socket. Seats are
kept by a clock that never jumps, TURN credentials by Unix time. Knows no use of a room: what a peer
may do is data, in a `RoomType`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from signaling.room import changes, conversation
from signaling.room.deliveries import Delivery, Dismissal, Outcome
from signaling.room.departures import Departures
from signaling.room.documents import Documents
from signaling.room.door import Door
from signaling.room.history import History
from signaling.room.links import Links
from signaling.room.messages import (
    Answer,
    ClientMessage,
    Control,
    DocumentVersion,
    End,
    IceCandidate,
    Offer,
    PeerDisconnected,
    Register,
    Registered,
    RoleChange,
    Say,
    SetDocument,
    State,
    Time,
    TurnConfig,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Peer, Room, each
from signaling.room.room_type import Json, Role, RoomType
from signaling.room.seals import Seals, Ticket
from signaling.room.terms import Terms
from signaling.room.welcome import Invites, Welcome
from turn.servers import TurnServers

MAX_SHUT_OUT = 1000
"""Links and addresses from which somebody was removed, of those that are remembered."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are right now. Those who are away count, as they keep their seats."""

    rooms: int
    peers: int
    by_role: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Joined:
    """A client has registered.

    Attributes
    ----------
    registered: what it is answered; `registered.id` is the peer that it is from now on.
    outcomes: what follows, for it and for others.
    """

    registered: Registered
    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A client that may enter: with which link, from where, and who it was if it comes back."""

    fresh_id: str
    message: Register
    room_type: RoomType
    code: str
    origin: str
    mark: str | None
    ticket: Ticket | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class Settings:
    """How rooms are kept.

    Attributes
    ----------
    max_rooms: how many rooms there may be.
    max_candidates: how many candidates a peer may send after one offer or answer.
    resume_seconds: for how long a peer that was cut off keeps its seat.
    told: the limits that clients are told, by name.
    """

    max_rooms: int
    max_candidates: int
    resume_seconds: float
    told: Mapping[str, float]


class Rooms:
    """All rooms of one server.

    Parameters
    ----------
    types: the kinds of rooms; the first is the one of clients that name none.
    settings: how rooms are kept.
    keys: checks the keys of links; None where access is open to all.
    turn: where ICE servers come from.
    unix_time: seconds of Unix time, by which TURN credentials expire.
    invite: makes a link from (kind of room, role that it is for, room, origin by which the
        inviting peer came).
    seals: makes and checks resume tokens and seals of documents.
    started: since when this process serves, in seconds of a clock that never jumps. For
        `resume_seconds` from then on it takes back the peers of the process before it.
    departures: who has left, and which rooms were ended, in this process and the one before; None:
        nobody and none so far.
    """

    def __init__(
        self,
        types: Sequence[RoomType],
        settings: Settings,
        *,
        keys: Links | None,
        turn: TurnServers,
        unix_time: Callable[[], float],
        invite: Invites,
        seals: Seals,
        started: float,
        departures: Departures | None = None,
    ) -> None:
        self._departures = departures or Departures()
        self._door = Door(types, keys, self._departures)
        self._settings = settings
        self._turn = turn
        self._unix_time = unix_time
        self._seals = seals
        self._welcome = Welcome(turn, unix_time, invite, seals, settings.told)
        self._inherits_until = started + settings.resume_seconds
        self._epoch = unix_time() - started
        self._boot = f"{round(unix_time() * 1000):x}"
        self._rooms: dict[str, Room] = {}
        self._peers: dict[str, Peer] = {}
        self._shut_out: deque[str] = deque(maxlen=MAX_SHUT_OUT)

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._peers

    def counts(self) -> Counts:
        """How many rooms with somebody in them, and how many peers, there are."""
        by_role = {name: 0 for kind in self._door.types.values() for name in kind.roles}
        for peer in self._peers.values():
            by_role[peer.role.name] += 1
        rooms = sum(bool(room.peers) for room in self._rooms.values())
        return Counts(rooms, len(self._peers), by_role)

    def all(self) -> Iterable[Room]:
        """Every room that is there, for reading alone."""
        return self._rooms.values()

    def open(self, type_name: str | None, code: str, now: float) -> RoomType:
        """Make a room that can be entered by its code, before anybody is in it.

        Raises
        ------
        Refusal: with the codes bad-field (there is no such kind of room) or server-full.
        """
        room_type = self._door.room_type(type_name)
        # One that a key opens needs nothing: it is there as soon as somebody comes.
        if room_type.code_hours is not None and code not in self._rooms:
            self._rooms[code] = self._make_room(room_type, code, now, inherited=False)
            self._rooms[code].empty_since = now
        return room_type

    def leads(self, code: str, key: str) -> bool:
        """Whether this key is that of somebody who may end the room, of whatever kind it is."""
        return self._door.leads(code, key)

    def register(
        self,
        peer_id: str,
        message: Register,
        now: float,
        *,
        origin: str = "",
        source: str = "",
        crowded: bool = False,
    ) -> Joined:
        """Let a client into a room, or back as the peer that it was.

        Parameters
        ----------
        peer_id: a fresh id, used unless the client resumes.
        now: seconds of a clock that never jumps.
        origin: scheme, host and port by which it reached the server.
        source: where it comes from, such as its address; "" where that is not known.
        crowded: so many from there keep seats that only one who resumes is let in.

        Raises
        ------
        Refusal: it may not enter; nothing has changed.
        """
        if peer_id in self._peers:
            raise Refusal(Code.ALREADY_REGISTERED, "This connection is registered already.")
        room_type = self._door.room_type(message.room_type)
        role = self._door.role(room_type, message.role)
        code = self._door.code(message)
        ticket = self._ticket(message, room_type, code, role, now)
        room = self._rooms.get(code)
        terms = self._door.check(
            room,
            room_type,
            role,
            code,
            message.key,
            known=ticket is not None,
            unix=self._unix_time(),
        )
        earlier = self._peers.get(ticket.peer_id) if ticket else None
        by = f"{role.name} {source} {terms.text}".rstrip()
        mark = self._seals.mark(code, by) if source else None
        if earlier is not None:
            earlier.mark = mark or earlier.mark
            return self._resume(earlier, message, origin)
        if crowded and ticket is None:
            raise Refusal(
                Code.TOO_MANY_CONNECTIONS,
                "Too many clients from this address were cut off. Try again in a minute.",
            )
        if mark in self._shut_out:
            raise changes.removed()
        arrival = _Arrival(peer_id, message, room_type, code, origin, mark, ticket, terms)
        joined = self._enter(arrival, now)
        self._door.unused.use(terms)
        return joined

    def receive(self, peer_id: str, message: ClientMessage, now: float) -> list[Outcome]:
        """Take a message from a peer that has registered.

        Raises
        ------
        Refusal: the message is not allowed; nothing has changed.
        """
        peer = self._peers.get(peer_id)
        if isinstance(message, Register):
            raise Refusal(Code.ALREADY_REGISTERED, "This connection is registered already.")
        if peer is None:
            raise Refusal(Code.NOT_REGISTERED, 'The first message must be "register".')
        conversation.check_may_send(peer, message)
        match message:
            case Offer() | Answer() | IceCandidate() | Control() | State():
                return conversation.route(peer, message, self._settings.max_candidates)
            case Say():
                return conversation.say(peer, message, self._room_time(now))
            case SetDocument():
                version = peer.room.documents.set(
                    message, peer.role.name, peer.id, self._room_time(now)
                )
                return list(each(peer.room.peers.values(), version))
            case DocumentVersion():
                return self._settle(peer, message, now)
            case RoleChange():
                asked = changes.ask(peer.room, peer, message, self._room_time(now))
                told = self._forget_dismissed(asked, now)
                return [*told, *self._heirs(peer.room, now)]
            case Time():
                answer = Time(message.sent, self._room_time(now), self._boot)
                return [Delivery(peer.id, answer)]
            case End():
                return self._end(peer.room, now)
            case _:
                assert_never(message)

    def drop(self, peer_id: str, now: float) -> list[Outcome]:
        """A peer was cut off: it is away, and keeps its seat until it resumes or time is up."""
        peer = self._peers.get(peer_id)
        if peer is None or peer.away:
            return []
        peer.lost_at = now + self._settings.resume_seconds
        peer.heard = peer.room.history.count
        peer.unseen_by.clear()
        gone = PeerDisconnected(peer.role.name, peer.id, "away")
        return list(each(peer.room.hearers(peer), gone))

    def remind(self, peer_id: str) -> list[Outcome]:
        """The newest documents, and what the others show, for a peer that has missed some of it."""
        peer = self._peers.get(peer_id)
        if peer is None:
            return []
        memory = self._welcome.memory(peer, peer.room.history.count)
        return [*memory, *self._welcome.states(peer)]

    def leave(self, peer_id: str, reason: str, now: float) -> list[Outcome]:
        """A peer, if there is one with this id, is gone for the reason that the others are told."""
        peer = self._peers.get(peer_id)
        if peer is None:
            return []
        room = peer.room
        gone = PeerDisconnected(peer.role.name, peer.id, reason)
        told = list(each(room.hearers(peer), gone))
        self._forget(peer, now)
        return [*told, *self._heirs(room, now)]

    def name_link(self) -> str:
        """The name of a new link that is good once."""
        return self._door.unused.name()

    def close(self, code: str, now: float) -> list[Outcome]:
        """The operator ends a room; its code opens nothing any more."""
        room = self._rooms.get(code)
        if room is not None:
            return self._end(room, now)
        self._departures.end(code)
        return []

    def remove(self, peer_id: str, now: float) -> list[Outcome]:
        """The operator puts a peer, if there is one with this id, out of its room. Nobody comes in
        again from its address by its link while this process runs."""
        peer = self._peers.get(peer_id)
        if peer is None:
            return []
        room = peer.room
        if peer.mark is not None:
            self._shut_out.append(peer.mark)
        if not room.type.changes_roles:
            return self._dismiss(peer, "removed", now)
        told = changes.put_out(room, peer, None, self._room_time(now))
        return [*self._forget_dismissed(told, now), *self._heirs(room, now)]

    def renew(self, now: float) -> list[Outcome]:
        """All keys were renewed: everyone is put out, and the rooms that only a code opens end."""
        told: list[Outcome] = [Dismissal(peer_id, Code.LINK_ENDED) for peer_id in self._peers]
        self._forget_dismissed(told, now)
        self._rooms.clear()
        self._door.unused.clear()
        self._shut_out.clear()
        return told

    def tick(self, now: float) -> list[Outcome]:
        """End what is over: peers that stayed away too long or whose link has ended, rooms whose
        code has expired, and TURN credentials past half their life. A peer that is away gets fresh
        ones when it comes back.
        """
        settled = self._stop_inheriting(now) if now >= self._inherits_until else []
        peers = list(self._peers.values())
        lost = [p.id for p in peers if p.lost_at is not None and p.lost_at <= now]
        gone = [outcome for peer_id in lost for outcome in self.leave(peer_id, "lost", now)]
        unix = self._unix_time()
        over = [peer for peer in peers if peer.terms.is_over(unix) and peer.id in self]
        ended = [outcome for p in over for outcome in self._dismiss(p, Code.LINK_ENDED, now)]
        self._expire_codes(now)
        peers = [peer for peer in peers if peer.id in self]
        due = [p for p in peers if not p.away and p.refresh_at is not None and p.refresh_at <= unix]
        return [
            *(outcome for outcome in (*settled, *gone) if outcome.peer_id in self._peers),
            *ended,
            *(Delivery(peer.id, TurnConfig(self._welcome.ice_servers(peer))) for peer in due),
        ]

    def _ticket(
        self, message: Register, room_type: RoomType, code: str, asked: Role, now: float
    ) -> Ticket | None:
        """What a client's token is good for; None where it begins as a new peer."""
        if message.resume is None:
            return None
        ticket = self._seals.read_token(message.resume, room_type.name, code, asked.name)
        room = self._rooms.get(code)
        if ticket is None:
            return None
        if room is not None and changes.is_out(room, ticket.peer_id):
            raise changes.removed()
        inherited = now < self._inherits_until and not self._departures.has_left(ticket.peer_id)
        return ticket if inherited or ticket.peer_id in self._peers else None

    def _enter(self, arrival: _Arrival, now: float) -> Joined:
        message, ticket = arrival.message, arrival.ticket
        room = self._rooms.get(arrival.code) or self._make_room(
            arrival.room_type, arrival.code, now, inherited=now < self._inherits_until
        )
        if ticket is None:
            given = changes.given_to(room, message.role, arrival.mark)
            ticket = Ticket(arrival.fresh_id, given, round(self._unix_time() * 1000))
        role = room.type.roles[changes.role_of(room, ticket.peer_id, ticket.role)]
        changes.check_space(room, role, comes=True)
        peer = Peer(
            ticket.peer_id,
            message.role,
            ticket.role,
            role,
            room,
            message.name,
            arrival.origin,
            arrival.mark,
            ticket.since,
            terms=arrival.terms,
        )
        self._rooms[room.code] = room
        room.peers[peer.id] = self._peers[peer.id] = peer
        room.empty_since, room.entered = None, True
        for other in room.met_by(peer):
            if other.away:
                other.unseen_by.add(peer.id)
        led = changes.note_leader(room, peer, self._room_time(now))
        return Joined(
            self._welcome.registered(peer, resumed=arrival.ticket is not None),
            [
                *self._welcome.memory(peer, 0),
                *self._welcome.present(peer),
                *room.announce(peer, room.hearers(peer)),
                *(outcome for outcome in led if outcome.peer_id != peer.id),
                *self._heirs(room, now),
            ],
        )

    def _resume(self, peer: Peer, message: Register, origin: str) -> Joined:
        was_away, peer.lost_at = peer.away, None
        peer.origin = origin
        room = peer.room
        heard = peer.heard if was_away else room.history.count
        if message.heard is not None and message.heard <= room.history.count:
            heard = min(message.heard, heard)
        # Where another connection is replaced nobody has heard that the peer was away.
        told = room.hearers(peer) if was_away else ()
        return Joined(
            self._welcome.registered(peer, resumed=True),
            [
                *self._welcome.memory(peer, heard),
                *self._welcome.states(peer),
                *room.announce(peer, told, back=True),
            ],
        )

    def _make_room(self, room_type: RoomType, code: str, now: float, *, inherited: bool) -> Room:
        if len(self._rooms) >= self._settings.max_rooms:
            self._give_up_unused()
        more = changes.documents_of(room_type)
        documents = Documents(room_type, code, self._seals, more)
        # A server that was started again goes on from a higher number than it had before.
        history = History(room_type.utterances, int(self._room_time(now)))
        return Room(code, room_type, documents, history, inherited)

    def _give_up_unused(self) -> None:
        """The oldest room that was made and that nobody has ever entered gives way to another."""
        unused = next((room.code for room in self._rooms.values() if not room.entered), None)
        if unused is None:
            raise Refusal(Code.SERVER_FULL, "This server holds no more rooms for now.")
        del self._rooms[unused]

    def _room_time(self, now: float) -> float:
        """Milliseconds of room time, which goes like Unix time but never jumps."""
        return round((now + self._epoch) * 1000, 3)

    def _settle(self, peer: Peer, version: DocumentVersion, now: float) -> list[Outcome]:
        """A peer hands back a document from before a restart."""
        room = peer.room
        if not room.inherited:
            return []
        is_roles = version.name == changes.ROLES
        merge = partial(changes.merged, room) if is_roles else _as_it_is
        newest = room.documents.restore(version, merge)
        if newest is None:
            return []
        told = each(list(room.peers.values()), newest)
        if not is_roles:
            return list(told)
        return self._forget_dismissed([*told, *changes.restore(room)], now)

    def _end(self, room: Room, now: float) -> list[Outcome]:
        self._departures.end(room.code)
        told: list[Outcome] = [Dismissal(peer_id, "ended") for peer_id in room.peers]
        told = self._forget_dismissed(told, now)
        self._rooms.pop(room.code, None)
        return told

    def _dismiss(self, peer: Peer, reason: str, now: float) -> list[Outcome]:
        """Put a peer out, and tell the others that it was removed."""
        others = self.leave(peer.id, "removed", now)
        return [Dismissal(peer.id, reason), *others]

    def _forget_dismissed(self, outcomes: list[Outcome], now: float) -> list[Outcome]:
        for outcome in outcomes:
            if isinstance(outcome, Dismissal):
                self._forget(self._peers[outcome.peer_id], now)
        return outcomes

    def _forget(self, peer: Peer, now: float) -> None:
        room = peer.room
        del self._peers[peer.id], room.peers[peer.id]
        self._departures.leave(peer.id)
        # Not before: what an away peer has at the relay carries its media on.
        self._turn.revoke(peer.id)
        if not room.peers:
            room.empty_since = now
            if room.type.code_hours is None:
                del self._rooms[room.code]

    def _heirs(self, room: Room, now: float) -> list[Outcome]:
        # Whoever leads may still be on the way back from before a restart.
        return [] if room.inherited else changes.inherit(room, self._room_time(now))

    def _stop_inheriting(self, now: float) -> list[Outcome]:
        """The time for peers of the process before this one is up."""
        told: list[Outcome] = []
        for room in self._rooms.values():
            if room.inherited:
                room.inherited = False
                told += changes.inherit(room, self._room_time(now))
        return told

    def _expire_codes(self, now: float) -> None:
        over = [
            room.code
            for room in self._rooms.values()
            if room.empty_since is not None
            and now - room.empty_since >= (room.type.code_hours or 0) * 3600
        ]
        for code in over:
            del self._rooms[code]


def _as_it_is(value: Json) -> Json:
    return value
