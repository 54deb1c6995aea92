"""Where transports meet rooms: text comes in, deliveries go into outboxes.

Every transport (a WebSocket now) connects here and looks the same to `rooms`. Owns the
connections, their rate limit and their outboxes; maps a `Refusal` to the wire, once.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from signaling import protocol
from signaling.config import Limits
from signaling.errors import Code, Refusal
from signaling.outbox import Outbox
from signaling.rooms import Counts, Delivery, Rooms

log = logging.getLogger(__name__)

GOING_AWAY = 1001
POLICY_VIOLATION = 1008


class TokenBucket:
    """Allows `rate` messages a second, and `burst` at once.

    Parameters
    ----------
    now: seconds of any clock that does not go back.
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._seen = now

    def take(self, now: float) -> bool:
        """Whether one more message is allowed."""
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(eq=False, slots=True)
class Connection:
    """One client, whatever carries its messages.

    Attributes
    ----------
    id: its peer id.
    origin: scheme, host and port by which it reached the server.
    outbox: what its transport has still to send.
    drop: closes the transport without waiting for the outbox.
    """

    id: str
    origin: str
    outbox: Outbox
    drop: Callable[[int, str], None]
    bucket: TokenBucket
    deadline: asyncio.TimerHandle


class Hub:
    """Joins transports to rooms.

    Parameters
    ----------
    rooms: the rooms of this server.
    limits: what one connection may do.
    clock: unix time in seconds.
    """

    def __init__(
        self, rooms: Rooms, limits: Limits, clock: Callable[[], float] = time.time
    ) -> None:
        self._rooms = rooms
        self._limits = limits
        self._clock = clock
        self._connections: dict[str, Connection] = {}
        self._drained: asyncio.Event | None = None

    def connect(self, origin: str, drop: Callable[[int, str], None]) -> Connection:
        """A client has come; it has `register_seconds` to register."""
        limits = self._limits
        peer_id = secrets.token_urlsafe(9)
        connection = Connection(
            peer_id,
            origin,
            Outbox(limits.outbox_messages, limits.outbox_bytes),
            drop,
            TokenBucket(limits.messages_per_second, limits.message_burst, time.monotonic()),
            asyncio.get_running_loop().call_later(limits.register_seconds, self._expire, peer_id),
        )
        self._connections[peer_id] = connection
        return connection

    def receive(self, connection: Connection, text: str | bytes) -> None:
        """Take one message from a client; whatever is wrong with it is told to that client."""
        if connection.outbox.ended or connection.id not in self._connections:
            return
        try:
            if not connection.bucket.take(time.monotonic()):
                raise Refusal(
                    Code.TOO_MANY_MESSAGES, "Messages come too fast; this one was dropped."
                )
            message = protocol.parse(
                text, max_message=self._limits.message_bytes, max_sdp=self._limits.sdp_bytes
            )
            deliveries = self._rooms.receive(
                connection.id, message, self._clock(), origin=connection.origin
            )
        except Refusal as refusal:
            self._refuse(connection, refusal)
            return
        if isinstance(message, protocol.Register):
            log.info("%s %s joined room %s", message.role, connection.id, message.room or "default")
        self._deliver(deliveries)

    def disconnect(self, connection: Connection, reason: str) -> None:
        """A client is gone; the others are told why. Saying so twice is harmless."""
        if self._connections.pop(connection.id, None) is None:
            return
        connection.deadline.cancel()
        if connection.id in self._rooms:
            log.info("%s is gone (%s)", connection.id, reason)
        self._deliver(self._rooms.leave(connection.id, reason))
        if self._drained and not self._connections:
            self._drained.set()

    def tick(self) -> None:
        """Send what is due by the time; to be called every few seconds."""
        self._deliver(self._rooms.tick(self._clock()))

    def counts(self) -> Counts:
        """How many rooms and peers there are."""
        return self._rooms.counts()

    async def close(self, patience: float) -> None:
        """Tell every client that the server goes away, and wait until they are gone.

        Parameters
        ----------
        patience: seconds after which those that do not go are left to themselves.
        """
        for connection in self._connections.values():
            connection.outbox.end(GOING_AWAY, "The server is stopping.")
        if self._connections:
            self._drained = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), patience)

    def _deliver(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            connection = self._connections.get(delivery.peer_id)
            if connection is not None:
                self._send(connection, delivery.message)

    def _send(self, connection: Connection, message: protocol.ServerMessage) -> None:
        if connection.outbox.put(protocol.encode(message)):
            return
        log.warning("%s does not read what it is sent: closing it", connection.id)
        self.disconnect(connection, "slow")
        connection.drop(POLICY_VIOLATION, Code.SLOW_CLIENT)

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        log.info("refused %s: %s", connection.id, refusal.code)
        self._send(connection, protocol.Error(refusal.sentence, refusal.code))
        if connection.id not in self._rooms:
            connection.outbox.end(POLICY_VIOLATION, refusal.code)

    def _expire(self, peer_id: str) -> None:
        connection = self._connections.get(peer_id)
        if connection is not None and peer_id not in self._rooms:
            seconds = f"{self._limits.register_seconds:g}"
            self._refuse(
                connection,
                Refusal(Code.REGISTER_TIMEOUT, f"No register came within {seconds} s."),
            )
