"""Where transports meet rooms: text comes in, and what follows goes into outboxes.

Every transport connects here and looks the same to `rooms`. Owns the connections, their rate
limit and their outboxes, including those of peers that are away. Turns a `Refusal` into an error
message; nothing else does.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable

from signaling.audit import Audit, Visitor
from signaling.config import Limits
from signaling.metrics import Metrics
from signaling.room import messages
from signaling.room.deliveries import Dismissal, Outcome
from signaling.room.documents import StaleVersion
from signaling.room.messages import Register, ServerMessage
from signaling.room.refusal import Code, Refusal
from signaling.room.rooms import Counts, Joined, Rooms
from signaling.transport.away import AwaySeats, Seat
from signaling.transport.connection import Allowance, Connection
from signaling.transport.guard import Guard
from signaling.transport.outbox import Outbox
from signaling.transport.post import Post
from turn.limits import counted_as

log = logging.getLogger(__name__)

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
REPLACED = 4001
"""The same peer has come back by another connection."""
DISMISSED = 4003
"""The peer was put out of its room, or the room was ended."""

_TOO_MUCH = "Too much from here waits for a peer already: this message has not reached everyone."
_WRONG_KEYS = (Code.BAD_KEY, Code.NO_ROOM)
_NO_AUDIT = Audit(None, time.time)


def error_text(refusal: Refusal) -> str:
    """The `error` message that tells a client of a refusal, as it goes over the wire."""
    return messages.encode(messages.Error(refusal.sentence, refusal.code))


class Hub:
    """Joins transports to rooms.

    Parameters
    ----------
    rooms: the rooms of this server.
    limits: what one connection may do.
    guard: counts connections and wrong keys.
    metrics: counts what happens.
    clock: seconds of a clock that never jumps.
    audit: is told who comes and goes.
    """

    def __init__(
        self,
        rooms: Rooms,
        limits: Limits,
        guard: Guard,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        audit: Audit = _NO_AUDIT,
    ) -> None:
        self._rooms = rooms
        self._limits = limits
        self._guard = guard
        self._metrics = metrics
        self._clock = clock
        self._audit = audit
        self._connections: dict[str, Connection] = {}
        self._away = AwaySeats(limits.away_bytes)
        self._drained: asyncio.Event | None = None
        self._post = Post(self._connections, self._away, self._cut_off_slow, self._dismiss)
        self._deliver = self._post.deliver

    def connect(
        self, origin: str, address: str, transport: str, drop: Callable[[int, str], None]
    ) -> Connection:
        """A client has come; it has `register_seconds` to register.

        Parameters
        ----------
        origin: scheme, host and port by which it reached the server.
        address: its IP address.
        transport: a short fixed name, such as "websocket".
        drop: closes the transport; see `Connection`.

        Raises
        ------
        Refusal: there are too many connections (too-many-connections). Nothing is held for this
            client: its transport sends `error_text(refusal)`, closes with POLICY_VIOLATION and the
            code as the reason, and does not call `disconnect`.
        """
        now = self._clock()
        try:
            self._guard.connect(address, now)
        except Refusal as refusal:
            self.count_refusal(refusal.code)
            self._audit.refused(address, refusal.code)
            raise
        self._metrics.connected(transport)
        connection = Connection(
            # Typed after a command, where it must not look like an option.
            secrets.token_urlsafe(9).replace("-", "_"),
            origin,
            address,
            transport,
            self._new_outbox(),
            drop,
            Allowance(self._limits, now),
            now,
        )
        connection.deadline = asyncio.get_running_loop().call_later(
            self._limits.register_seconds, self._expire, connection
        )
        self._connections[connection.peer_id] = connection
        return connection

    def receive(self, connection: Connection, text: str | bytes) -> None:
        """Take one message from a client; whatever is wrong with it is told to that client."""
        if connection.outbox.ended or not self._is_current(connection):
            return
        now = self._clock()
        message = None
        try:
            message = self._read(connection, text, now)
            if isinstance(message, Register):
                self._register(connection, message, now)
            else:
                outcomes = self._rooms.receive(connection.peer_id, message, now)
                if not self._deliver(outcomes, connection.peer_id):
                    raise Refusal(Code.TOO_MUCH_WAITING, _TOO_MUCH)
        except Refusal as refusal:
            role = message.role if isinstance(message, Register) else None
            self._refuse(connection, refusal, role)

    def disconnect(self, connection: Connection, left: bool) -> None:
        """A client is gone. Saying so twice, or after `drop`, is harmless. A goodbye that arrives
        after the connection was cut still counts.

        Parameters
        ----------
        left: it has said goodbye, and the others are told that it has left. Otherwise it was cut
            off, or no longer answers: it is away, and may resume.
        """
        peer_id = connection.peer_id
        if not self._is_current(connection):
            if left and self._away.take(peer_id) is not None:
                self._audit.left(peer_id, "left")
                self._deliver(self._rooms.leave(peer_id, "left", self._clock()))
            return
        self._forget(connection)
        if peer_id not in self._rooms:
            return
        log.info("%s %s", peer_id, "has left" if left else "is away")
        if left:
            self._audit.left(peer_id, "left")
            self._deliver(self._rooms.leave(peer_id, "left", self._clock()))
        else:
            self._audit.away(peer_id)
            self._away.keep(peer_id, self._keep_seat(connection, lasting=True))
            self._deliver(self._rooms.drop(peer_id, self._clock()))

    def tick(self) -> None:
        """Send what is due by the time; to be called every few seconds."""
        self._deliver(self._rooms.tick(self._clock()))
        for peer_id in [lost for lost in self._away if lost not in self._rooms]:
            log.info("%s is lost", peer_id)
            self._audit.left(peer_id, "lost")
            self._away.take(peer_id)
        self._remind_those_behind()
        self._audit.tick()

    def count_refusal(self, code: str) -> None:
        """Count what was refused with this code, here or by another part of the server."""
        self._metrics.refused(code)

    def away_bytes(self) -> int:
        """How many bytes of messages wait for peers that are away."""
        return self._away.size

    def decide(self, decision: Callable[[float], Iterable[Outcome]]) -> None:
        """Deliver what follows from a decision of whoever runs the server.

        Parameters
        ----------
        decision: is given the time, in seconds of a clock that never jumps.
        """
        self._deliver(decision(self._clock()))

    def address(self, peer_id: str) -> str | None:
        """Where a peer comes from; None while it is away."""
        connection = self._connections.get(peer_id)
        return connection.address if connection else None

    def counts(self) -> Counts:
        """How many rooms and peers there are."""
        return self._rooms.counts()

    async def close(self, patience: float) -> None:
        """Tell every client that the server goes away, and wait until they are gone.

        Parameters
        ----------
        patience: seconds to wait for them at most.
        """
        for connection in self._connections.values():
            connection.outbox.end(GOING_AWAY, "The server is stopping.")
        if self._connections:
            self._drained = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), patience)

    def _read(
        self, connection: Connection, text: str | bytes, now: float
    ) -> messages.ClientMessage:
        connection.allowance.spend(messages.size(text), now)
        message = messages.parse(
            text,
            max_message=self._limits.message_bytes,
            max_sdp=self._limits.sdp_bytes,
            max_candidate=self._limits.candidate_bytes,
        )
        self._metrics.received(message.type)
        return message

    def _register(self, connection: Connection, message: Register, now: float) -> None:
        try:
            joined = self._rooms.register(
                connection.peer_id,
                message,
                now,
                origin=connection.origin,
                source=counted_as(connection.address),
                crowded=self._is_crowded(connection.address),
            )
        except Refusal as refusal:
            if refusal.code in _WRONG_KEYS:
                self._guard.check_wrong_key(connection.address, now)
                self._guard.wrong_key(connection.address, now)
            raise
        connection.deadline.cancel()
        connection.room = joined.registered.room
        self._count_joined(joined, message, connection, now - connection.since)
        self._welcome(connection, joined)

    def _is_crowded(self, address: str) -> bool:
        """Whether so many of an address are away that a newcomer from there gets no seat."""
        away = self._away.from_address(address)
        return away > 0 and self._guard.open_from(address) + away > (
            self._limits.connections_per_address
        )

    def _count_joined(
        self, joined: Joined, message: Register, connection: Connection, seconds: float
    ) -> None:
        registered = joined.registered
        who = Visitor(
            registered.id, registered.role, registered.room, message.name, connection.address
        )
        self._audit.joined(who, resumed=registered.resumed)
        how = "came back to" if registered.resumed else "joined"
        log.info("%s %s %s room %s", registered.role, registered.id, how, registered.room)
        if registered.resumed:
            self._metrics.reconnected()
        self._metrics.setup(seconds)

    def _welcome(self, connection: Connection, joined: Joined) -> None:
        seat = self._take_place(connection, joined.registered.id)
        self._send(connection, joined.registered)
        if not self._is_current(connection):  # Not even that has fitted into its outbox.
            return
        if seat is not None:
            connection.allowance = seat.allowance
            connection.outbox.take_over(seat.missed)
            connection.outbox.make_room()
        self._deliver(joined.outcomes)

    def _take_place(self, connection: Connection, peer_id: str) -> Seat | None:
        """Make this the connection of a peer, in place of an older one; what is left of that."""
        if connection.peer_id == peer_id:
            return None
        fresh_id, connection.peer_id = connection.peer_id, peer_id
        del self._connections[fresh_id]
        seat = self._away.take(peer_id)
        older = self._connections.get(peer_id)
        if older is not None:
            self._forget(older)
            # It belongs to no peer now: its own end must not end this peer.
            older.peer_id = fresh_id
            seat = self._keep_seat(older, lasting=False)
            older.drop(REPLACED, "replaced")
        self._connections[peer_id] = connection
        return seat

    def _keep_seat(self, connection: Connection, *, lasting: bool) -> Seat:
        # Not the same outbox: the old transport may not have stopped to take from it.
        missed = self._new_outbox()
        missed.take_over(connection.outbox, lasting=lasting)
        return Seat(connection.room, connection.address, missed, connection.allowance)

    def _forget(self, connection: Connection) -> None:
        """Let go of a connection and of what was counted for it."""
        del self._connections[connection.peer_id]
        connection.deadline.cancel()
        self._guard.disconnect(connection.address)
        self._metrics.disconnected(connection.transport)
        if self._drained and not self._connections:
            self._drained.set()

    def _is_current(self, connection: Connection) -> bool:
        return self._connections.get(connection.peer_id) is connection

    def _new_outbox(self) -> Outbox:
        return Outbox(self._limits.outbox_messages, self._limits.outbox_bytes, self._clock)

    def _remind_those_behind(self) -> None:
        """Tell those for whom something did not fit the newest of it, once they have caught up."""
        for peer_id in self._post.caught_up():
            self._deliver(self._rooms.remind(peer_id))

    def _dismiss(self, dismissal: Dismissal) -> None:
        log.info("%s was put out of its room (%s)", dismissal.peer_id, dismissal.reason)
        self._audit.removed(dismissal.peer_id, dismissal.reason)
        self._away.take(dismissal.peer_id)
        connection = self._connections.get(dismissal.peer_id)
        if connection is not None:
            connection.outbox.end(DISMISSED, dismissal.reason)

    def _send(self, connection: Connection, message: ServerMessage) -> None:
        text = messages.encode(message)
        if not connection.outbox.pass_on(text) and not connection.outbox.put(text, lasting=False):
            self._cut_off_slow(connection)

    def _cut_off_slow(self, connection: Connection) -> None:
        """A client does not read what it is sent: it is away, and may come back for the rest."""
        log.warning("%s does not read what it is sent: cutting it off", connection.peer_id)
        self.count_refusal(Code.SLOW_CLIENT)
        self.disconnect(connection, left=False)
        connection.drop(GOING_AWAY, Code.SLOW_CLIENT)

    def _refuse(self, connection: Connection, refusal: Refusal, role: str | None = None) -> None:
        log.info("refused %s: %s", connection.peer_id, refusal.code)
        self.count_refusal(refusal.code)
        if isinstance(refusal, StaleVersion):
            self._send(connection, refusal.newest)
        self._send(connection, messages.Error(refusal.sentence, refusal.code))
        if connection.peer_id not in self._rooms:
            known = role if role in self.counts().by_role else None
            self._audit.refused(connection.address, refusal.code, known)
            connection.deadline.cancel()
            connection.outbox.end(POLICY_VIOLATION, refusal.code)

    def _expire(self, connection: Connection) -> None:
        seconds = f"{self._limits.register_seconds:g}"
        self._refuse(
            connection, Refusal(Code.REGISTER_TIMEOUT, f"No register came within {seconds} s.")
        )
