"""One client of the hub, whatever carries its messages, and how much it may send."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from signaling.config import Limits
from signaling.room.refusal import Code, Refusal
from signaling.transport.outbox import Outbox
from turn.limits import TokenBucket

KERNEL_BYTES = 131_072
"""What the kernel may hold of one client's messages (it takes twice that, socket(7)). What waits
there nobody can count or keep, and the answer to a ping comes after it."""


class Allowance:
    """How many messages and bytes a client may send.

    Parameters
    ----------
    limits: the rates and bursts.
    now: seconds of a clock that does not go back, as in `spend`.
    """

    __slots__ = ("_bytes", "_messages")

    def __init__(self, limits: Limits, now: float) -> None:
        self._messages = TokenBucket(limits.messages_per_second, limits.message_burst, now)
        self._bytes = TokenBucket(limits.bytes_per_second, limits.byte_burst, now)

    def spend(self, size: int, now: float) -> None:
        """Count a message of this size, in bytes.

        Raises
        ------
        Refusal: it is one too many (too-many-messages), or too large for what is left
            (too-many-bytes).
        """
        if not self._messages.take(1, now):
            raise Refusal(Code.TOO_MANY_MESSAGES, "Messages come too fast; this one was dropped.")
        if not self._bytes.take(size, now):
            raise Refusal(
                Code.TOO_MANY_BYTES, "Messages hold too much at once; this one was dropped."
            )


@dataclass(eq=False, slots=True)
class Connection:
    """One client. Made by `Hub.connect`, held by its transport.

    A transport sends what `outbox.get()` gives, or `take` once it is told of it (`read_by`), in
    order, until that is an `Ending`; then it closes the client's end with the code and reason of
    it. It needs nothing else from here.

    Attributes
    ----------
    peer_id: whom its messages are from. The hub changes it when the client resumes as an earlier
        peer, so a transport that wants it (for a log line) reads it each time.
    origin: scheme, host and port by which the client reached the server.
    address: the client's IP address, by which it is counted.
    transport: what carries it, as the metrics name it.
    outbox: what its transport has still to send. It stays the same for the connection's life.
    drop: closes the transport at once with a code and a reason, without waiting for the outbox.
        The hub has forgotten the connection then; a `disconnect` that follows is harmless.
    allowance: what it may send.
    room: the code of its room, once it has registered.
    """

    peer_id: str
    origin: str
    address: str
    transport: str
    outbox: Outbox
    drop: Callable[[int, str], None]
    allowance: Allowance
    since: float
    room: str = ""
    deadline: asyncio.TimerHandle = field(init=False)


def bound_kernel_buffer(of: socket.socket) -> None:
    """Have what a slow client has not read yet wait in its outbox, not in the kernel."""
    of.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
