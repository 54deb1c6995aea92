"""A kind of room that no use has: a class with a leader, members, and a board to write on.

It shows what a new use takes: this one file, and nothing in the core.
"""

from signaling.room.messages import (
    Answer,
    Control,
    End,
    IceCandidate,
    Offer,
    RoleChange,
    Say,
    SetDocument,
    State,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room_type import Document, Json, Role, RoomType, Utterance

TALKS = frozenset(
    kind.type for kind in (Offer, Answer, IceCandidate, Control, State, Say, SetDocument)
)
INSIDE = frozenset({"leader", "member", "quiet"})
BOARD = "board"
CHAT = "chat"
KEPT = 5


def accept(_old: Json, new: Json, at: float) -> Json:
    """A board holds an object; the server adds when it was written."""
    if not isinstance(new, dict):
        raise Refusal(Code.BAD_VALUE, "A board holds an object.")
    return {**new, "at": at}


def classroom(seats: int = 8, leaders: int = 4) -> RoomType:
    """The kind of room."""
    roles = (
        Role(
            "leader",
            sends=TALKS | {RoleChange.type, End.type},
            meets=INSIDE | {"knocking"},
            publishes=True,
            changes={
                "knocking": frozenset({"member", None}),
                "member": frozenset({"quiet", "leader", None}),
                "quiet": frozenset({"member", None}),
            },
            seats=leaders,
        ),
        Role("member", sends=TALKS, meets=INSIDE, publishes=True, keyed=False, seats=seats),
        Role("quiet", sends=TALKS - {Say.type}, meets=INSIDE, keyed=False, seats=seats),
        Role("knocking", sends=frozenset(), meets=frozenset(), keyed=False, seats=seats),
    )
    return RoomType(
        "classroom",
        roles={role.name: role for role in roles},
        pages={"/class": "member", "/teach": "leader"},
        seats=seats,
        documents={
            BOARD: Document({}, frozenset({"leader", "member"}), accept, max_bytes=200),
        },
        utterances={CHAT: Utterance(100, kept=KEPT), "wave": Utterance(10)},
        knocks={"member": "knocking"},
        locked=lambda values: values[BOARD].get("locked") is True,
        heir=("member", "leader"),
        code_hours=1,
    )
