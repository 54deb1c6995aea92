"""A camera room: phones send, laptops receive and may control the cameras, viewers only watch."""

from signaling.room.messages import Answer, Control, IceCandidate, Offer, State
from signaling.room.room_type import Role, RoomType


def camera(*, senders: int, receivers: int, viewers: int) -> RoomType:
    """The camera room.

    Parameters
    ----------
    senders, receivers, viewers: how many of each one room holds.
    """
    watches = frozenset({Answer.type, IceCandidate.type, Control.type})
    roles = (
        Role(
            "sender",
            sends=frozenset({Offer.type, IceCandidate.type, State.type}),
            meets=frozenset({"receiver", "viewer"}),
            publishes=True,
            seats=senders,
        ),
        Role(
            "receiver",
            sends=watches,
            meets=frozenset({"sender"}),
            invites=("sender", "viewer"),
            seats=receivers,
        ),
        Role(
            "viewer",
            sends=watches,
            meets=frozenset({"sender"}),
            # It may ask for the repair of its own connection, and for nothing else.
            controls=frozenset({"restart"}),
            seats=viewers,
        ),
    )
    return RoomType(
        "camera",
        roles={role.name: role for role in roles},
        pages={"/sender": "sender", "/receiver": "receiver", "/viewer": "viewer"},
        seats=senders + receivers + viewers,
    )
