"""Rooms for tests, and short ways to say what happens in them."""

from collections.abc import Callable

import pytest

from signaling.room.links import Links
from signaling.room.messages import (
    ClientMessage,
    Invite,
    Register,
    Registered,
    ServerMessage,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.resume import ResumeTokens
from signaling.room.rooms import Delivery, Rooms
from turn.servers import NoTurn, TurnServers

NOW = 1_000_000.0
LONG_AGO = NOW - 1000
SECRET = b"s" * 32


def invite(room: str, origin: str) -> Invite:
    return Invite(f"{origin}/sender#{room}", "<svg/>")


def open_rooms(
    *,
    max_rooms: int = 10,
    senders: int = 8,
    receivers: int = 8,
    turn: TurnServers | None = None,
    keys: Links | None = None,
    started: float = LONG_AGO,
    secret: bytes = SECRET,
    unix_time: Callable[[], float] = lambda: NOW,
) -> Rooms:
    """Rooms that take nobody over from an earlier process, unless they have just started."""
    capacity = {"sender": senders, "receiver": receivers}
    return Rooms(
        max_rooms=max_rooms,
        capacity=capacity,
        keys=keys,
        turn=turn or NoTurn(),
        unix_time=unix_time,
        invite=invite,
        tokens=ResumeTokens(secret),
        resume_seconds=45,
        started=started,
        max_candidates=3,
    )


def join(rooms: Rooms, peer_id: str, role: str, room: str | None = None) -> list[Delivery]:
    return rooms.receive(peer_id, Register(role, room), NOW, origin="https://here")


def token(peer_id: str, role: str, room: str = "default", secret: bytes = SECRET) -> str:
    return ResumeTokens(secret).make(peer_id, room, role)


def resume(
    rooms: Rooms, fresh_id: str, role: str, resume: str, now: float = NOW
) -> tuple[Registered, list[Delivery]]:
    """Register with a token; the answer, and what the others are told."""
    answer, *others = rooms.receive(fresh_id, Register(role, resume=resume), now)
    assert isinstance(answer.message, Registered)
    assert answer.peer_id == answer.message.id
    return answer.message, others


def a_pair(turn: TurnServers | None = None, unix_time: Callable[[], float] = lambda: NOW) -> Rooms:
    rooms = open_rooms(turn=turn, unix_time=unix_time)
    join(rooms, "s", "sender")
    join(rooms, "r", "receiver")
    return rooms


def refused(rooms: Rooms, peer_id: str, message: ClientMessage) -> Code:
    with pytest.raises(Refusal) as caught:
        rooms.receive(peer_id, message, NOW)
    return caught.value.code


def to(deliveries: list[Delivery], peer_id: str) -> list[ServerMessage]:
    return [d.message for d in deliveries if d.peer_id == peer_id]


class Recording(NoTurn):
    """Remembers whose credentials were taken back."""

    def __init__(self) -> None:
        self.revoked: list[str] = []

    def revoke(self, peer_id: str) -> None:
        self.revoked.append(peer_id)
