"""Rooms for tests, and short ways to say what happens in them."""

from collections.abc import Callable

import pytest

from signaling.room.deliveries import Delivery, Outcome
from signaling.room.links import Links
from signaling.room.messages import (
    ClientMessage,
    Invite,
    Register,
    Registered,
    ServerMessage,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room_type import RoomType
from signaling.room.rooms import Rooms, Settings
from signaling.room.seals import Seals, Ticket
from signaling.room_types.camera import camera
from turn.servers import NoTurn, TurnServers

NOW = 1_000_000.0
LONG_AGO = NOW - 1000
SECRET = b"s" * 32


def invite(_kind: RoomType, role: str, room: str, origin: str) -> Invite:
    return Invite(f"{origin}/{role}#{room}")


def open_rooms(
    *,
    max_rooms: int = 10,
    senders: int = 8,
    receivers: int = 8,
    viewers: int = 8,
    turn: TurnServers | None = None,
    keys: Links | None = None,
    started: float = LONG_AGO,
    secret: bytes = SECRET,
    unix_time: Callable[[], float] = lambda: NOW,
) -> Rooms:
    """Rooms that take nobody over from an earlier process, unless they have just started."""
    return Rooms(
        [camera(senders=senders, receivers=receivers, viewers=viewers)],
        Settings(max_rooms=max_rooms, max_candidates=3, resume_seconds=45, told={}),
        keys=keys,
        turn=turn or NoTurn(),
        unix_time=unix_time,
        invite=invite,
        seals=Seals(secret),
        started=started,
    )


def register(
    rooms: Rooms, peer_id: str, message: Register, now: float = NOW, origin: str = ""
) -> list[Outcome]:
    """All that follows from a registration, its answer first."""
    joined = rooms.register(peer_id, message, now, origin=origin)
    return [Delivery(joined.registered.id, joined.registered), *joined.outcomes]


def join(rooms: Rooms, peer_id: str, role: str, room: str | None = None) -> list[Outcome]:
    return register(rooms, peer_id, Register(role, room), origin="https://here")


def token(peer_id: str, role: str, room: str = "default", secret: bytes = SECRET) -> str:
    ticket = Ticket(peer_id, role, round(NOW * 1000))
    return Seals(secret).token(ticket, "camera", room, role)


def resume(
    rooms: Rooms, fresh_id: str, role: str, resume: str, now: float = NOW
) -> tuple[Registered, list[Outcome]]:
    """Register with a token; the answer, and what the others are told."""
    joined = rooms.register(fresh_id, Register(role, resume=resume), now)
    return joined.registered, joined.outcomes


def a_pair(turn: TurnServers | None = None, unix_time: Callable[[], float] = lambda: NOW) -> Rooms:
    rooms = open_rooms(turn=turn, unix_time=unix_time)
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    return rooms


def refused(rooms: Rooms, peer_id: str, message: ClientMessage) -> Code:
    take = rooms.register if isinstance(message, Register) else rooms.receive
    with pytest.raises(Refusal) as caught:
        take(peer_id, message, NOW)  # type: ignore[arg-type]
    return caught.value.code


def to(outcomes: list[Outcome], peer_id: str) -> list[ServerMessage]:
    return [d.message for d in outcomes if isinstance(d, Delivery) and d.peer_id == peer_id]


class Recording(NoTurn):
    """Remembers whose credentials were taken back."""

    def __init__(self) -> None:
        self.revoked: list[str] = []

    def revoke(self, peer_id: str) -> None:
        self.revoked.append(peer_id)
