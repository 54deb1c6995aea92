"""What follows from a message: messages that are to reach peers, and peers that are put out."""

from dataclasses import dataclass

from signaling.room.messages import ServerMessage


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to reach one peer.

    Attributes
    ----------
    known: of a peer that is connected: this one knows it already, and hears that it is back.
    """

    peer_id: str
    message: ServerMessage
    known: bool = False


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
