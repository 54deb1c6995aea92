"""Rooms of the imaginary kind for tests, and short ways to say what happens in them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from signaling.room import changes
from signaling.room.changes import ROLES
from signaling.room.deliveries import Delivery, Dismissal, Outcome
from signaling.room.departures import Departures
from signaling.room.documents import Documents
from signaling.room.history import History
from signaling.room.links import Links
from signaling.room.messages import (
    ClientMessage,
    DocumentVersion,
    Invite,
    Register,
    Registered,
    SetDocument,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Peer, Room
from signaling.room.room_type import RoomType
from signaling.room.rooms import Rooms, Settings
from signaling.room.seals import Seals, Ticket
from tests.signaling.room.imaginary import BOARD, classroom
from tests.signaling.room.rooms_bed import LONG_AGO, NOW, SECRET
from turn.servers import NoTurn

ROOM = "abc-defg-hjk"
SEALS = Seals(SECRET)


def with_role(name: str, kind: RoomType | None = None, **changed: Any) -> RoomType:
    """A kind of room, the imaginary one unless given, with one role that differs."""
    kind = kind or classroom()
    role = dataclasses.replace(kind.roles[name], **changed)
    return dataclasses.replace(kind, roles={**kind.roles, name: role})


def a_room(kind: RoomType | None = None, *, inherited: bool = False) -> Room:
    """A room with nobody in it."""
    kind = kind or classroom()
    documents = Documents(kind, ROOM, SEALS, changes.documents_of(kind))
    return Room(ROOM, kind, documents, History(kind.utterances), inherited)


def seat(room: Room, peer_id: str, role: str, *, since: int = 0, mark: str | None = None) -> Peer:
    """A peer in a room, nobody told of it."""
    peer = Peer(peer_id, role, role, room.type.roles[role], room, None, "", mark, since)
    room.peers[peer_id] = peer
    return peer


def class_rooms(
    kind: RoomType | None = None,
    *,
    started: float = LONG_AGO,
    keys: Links | None = None,
    max_rooms: int = 10,
    opened: bool = True,
    unix_time: Callable[[], float] = lambda: NOW,
    departures: Departures | None = None,
) -> Rooms:
    """Rooms of the imaginary kind; one of them has been opened unless said otherwise."""
    kind = kind or classroom()
    rooms = Rooms(
        [kind],
        Settings(max_rooms=max_rooms, max_candidates=3, resume_seconds=45, told={"resume": 45}),
        keys=keys,
        turn=NoTurn(),
        unix_time=unix_time,
        invite=lambda _kind, role, room, origin: Invite(f"{origin}/{role}#{room}"),
        seals=SEALS,
        started=started,
        departures=departures,
    )
    if opened:
        rooms.open(kind.name, ROOM, NOW)
    return rooms


def enter(
    rooms: Rooms,
    peer_id: str,
    role: str = "member",
    *,
    now: float = NOW,
    source: str = "",
    room: str = ROOM,
    **fields: Any,
) -> list[Outcome]:
    """All that follows from a registration, its answer first."""
    joined = rooms.register(peer_id, Register(role, room, **fields), now, source=source)
    return [Delivery(joined.registered.id, joined.registered), *joined.outcomes]


def kept_out(rooms: Rooms, role: str = "member", **how: Any) -> Code:
    """The code with which somebody is refused at the door."""
    with pytest.raises(Refusal) as caught:
        enter(rooms, "stranger", role, **how)
    return caught.value.code


def denied(rooms: Rooms, peer_id: str, message: ClientMessage, now: float = NOW) -> Code:
    """The code with which a message is refused."""
    with pytest.raises(Refusal) as caught:
        rooms.receive(peer_id, message, now)
    return caught.value.code


def of_type(outcomes: list[Outcome], peer_id: str, *kinds: type) -> list[Any]:
    """The messages of some types that reach a peer."""
    return [
        outcome.message
        for outcome in outcomes
        if isinstance(outcome, Delivery)
        and outcome.peer_id == peer_id
        and isinstance(outcome.message, kinds)
    ]


def dismissed(outcomes: list[Outcome]) -> dict[str, str]:
    """Who is put out, and for which reason."""
    return {o.peer_id: o.reason for o in outcomes if isinstance(o, Dismissal)}


def newest(outcomes: list[Outcome], peer_id: str, name: str) -> DocumentVersion:
    """The last version of a document that a peer is told."""
    versions: list[DocumentVersion] = of_type(outcomes, peer_id, DocumentVersion)
    return [version for version in versions if version.name == name][-1]


def a_class(*members: str, departures: Departures | None = None) -> Rooms:
    """A leader, l, and members."""
    rooms = class_rooms(departures=departures)
    enter(rooms, "l", "leader", source="l")
    for member in members:
        enter(rooms, member, source=member)
    return rooms


def resume_token(answer: object) -> str:
    assert isinstance(answer, Delivery)
    assert isinstance(answer.message, Registered)
    assert answer.message.resume is not None
    return answer.message.resume


def locked(rooms: Rooms) -> Rooms:
    rooms.receive("l", SetDocument(BOARD, 0, {"locked": True}), NOW)
    return rooms


def roles(rooms: Rooms) -> dict[str, str]:
    """The role of everyone in the room."""
    return {peer.id: peer.role.name for peer in rooms._rooms[ROOM].peers.values()}


def facts(rooms: Rooms) -> dict[str, Any]:
    """What the room remembers of changes."""
    found: dict[str, Any] = rooms._rooms[ROOM].documents.values[ROLES]
    return found


def classroom_token(peer: str, role: str = "member") -> str:
    """The token with which a peer of the room comes back after a restart."""
    return SEALS.token(Ticket(peer, role, round(NOW * 1000)), "classroom", ROOM, role)
