"""The seats of peers that are away: what waits for each, what each may still send, and a budget.

Pure: no socket, no clock.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from signaling.transport.connection import Allowance
from signaling.transport.outbox import Outbox
from turn.limits import counted_as

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seat:
    """What is kept of a connection for a peer that is away.

    Attributes
    ----------
    room: the code of its room.
    address: the IP address for which it counts.
    missed: what was said to it meanwhile.
    allowance: what it has left of its rate: coming back brings no new burst.
    """

    room: str
    address: str
    missed: Outbox
    allowance: Allowance


class AwaySeats:
    """All seats whose peers are away.

    Parameters
    ----------
    max_bytes: what may wait for all of them together. Past that all that waits in the room that
        has had something waiting for the longest time is dropped; its peers keep their seats.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._seats: dict[str, Seat] = {}
        self._by_address: Counter[str] = Counter()
        self._rooms: dict[str, set[str]] = {}  # Whose peers have something waiting; oldest first.
        self.size = 0
        """How many bytes wait."""

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._seats

    def __iter__(self) -> Iterator[str]:
        return iter(self._seats)

    def keep(self, peer_id: str, seat: Seat) -> None:
        """A peer was cut off."""
        self._seats[peer_id] = seat
        self._by_address[counted_as(seat.address)] += 1
        self._count_in(peer_id, seat, seat.missed.size)

    def take(self, peer_id: str) -> Seat | None:
        """Its peer is back, or gone for good: the seat that was kept, if there is one."""
        seat = self._seats.pop(peer_id, None)
        if seat is None:
            return None
        who = counted_as(seat.address)
        self._by_address[who] -= 1
        if not self._by_address[who]:
            del self._by_address[who]
        self._count_out(peer_id, seat)
        return seat

    def put(self, peer_id: str, text: str, source: str | None) -> bool:
        """Keep a message for a peer that is away. False: it does not fit."""
        seat = self._seats[peer_id]
        before = seat.missed.size
        if not seat.missed.put(text, source=source):
            return False
        self._count_in(peer_id, seat, seat.missed.size - before)
        return True

    def from_address(self, address: str) -> int:
        """How many of an address are away."""
        return self._by_address[counted_as(address)]

    def _count_in(self, peer_id: str, seat: Seat, size: int) -> None:
        if not size:
            return
        self.size += size
        self._rooms.setdefault(seat.room, set()).add(peer_id)
        while self.size > self._max_bytes:
            self._drop_oldest()

    def _count_out(self, peer_id: str, seat: Seat) -> None:
        self.size -= seat.missed.size
        there = self._rooms.get(seat.room, set())
        there.discard(peer_id)
        if not there:
            self._rooms.pop(seat.room, None)

    def _drop_oldest(self) -> None:
        room = next(iter(self._rooms))
        log.warning("too much waits for peers that are away: dropped what waited in %s", room)
        for peer_id in self._rooms.pop(room):
            self.size -= self._seats[peer_id].missed.size
            self._seats[peer_id].missed.clear()
