"""What follows from a message: messages that are to reach peers, and peers that are put out."""

from dataclasses import dataclass

from signaling.room.messages import ServerMessage


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to reach one peer."""

    peer_id: str
    message: ServerMessage


@dataclass(frozen=True, slots=True)
class Dismissal:
    """A peer that is in no room any more, and whose connection ends once it has all its messages.

    Attributes
    ----------
    reason: "removed", "ended" or "link-ended".
    """

    peer_id: str
    reason: str


Outcome = Delivery | Dismissal
