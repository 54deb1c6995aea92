"""What a kind of room is: its roles, documents, what people may say in it, its pages. Data alone.

A use of Lenscast is one `RoomType`; nothing else in this folder or in the transports knows a use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
"""A value that JSON can hold."""


@dataclass(frozen=True)
class Role:
    """What the peers of one kind may do.

    Attributes
    ----------
    sends: the types of message that it may send.
    meets: the roles it hears of, and may name in `to`.
    publishes: it sends media, and makes the offers to those who do not.
    changes: whose role it may change, by the role that the other has now, and to what; None puts
        the other out of the room.
    controls: the settings that it may ask for with `control`; None: any.
    keyed: its link holds a key. Without, the room's code is enough.
    invites: the roles whose links it is given, to bring others in; the first is the usual one.
    seats: how many peers of it one room holds.
    """

    name: str
    sends: frozenset[str]
    meets: frozenset[str]
    publishes: bool = False
    changes: Mapping[str, frozenset[str | None]] = field(default_factory=dict)
    controls: frozenset[str] | None = None
    keyed: bool = True
    invites: tuple[str, ...] = ()
    seats: int = 8


@dataclass(frozen=True)
class Document:
    """One small value that everyone in the room sees, changed by compare-and-set.

    Attributes
    ----------
    initial: its value in a new room.
    writers: the roles that may change it.
    accept: gives the value that follows from (the old one, the one proposed, the room's time in
        milliseconds); raises `Refusal` with the code bad-value for one that cannot be.
    max_bytes: how long the value may be, as compact JSON.
    """

    initial: Json
    writers: frozenset[str]
    accept: Callable[[Json, Json, float], Json]
    max_bytes: int = 4096


@dataclass(frozen=True)
class Utterance:
    """One kind of `say`: how long it may be, and how many of the room's last are kept for those who
    come later.
    """

    max_characters: int
    kept: int = 0


@dataclass(frozen=True)
class RoomType:
    """A kind of room.

    Attributes
    ----------
    name: as `register` names it.
    roles: by their names.
    pages: the path of each page, as in "/page", and the role that it asks for.
    seats: how many peers one room holds, of all roles.
    documents: by their names.
    utterances: the kinds of `say`.
    knocks: a role whose peers may have to be let in, and the role in which they wait.
    locked: whether they have to, given the values of the documents.
    heir: (a role, another role): when the last peer of the other role is gone, the peer of the
        first that has been there longest gets it.
    code_hours: how long the room's code outlives its last peer. None: its rooms need no code; any
        that a key opens is there.
    """

    name: str
    roles: Mapping[str, Role]
    pages: Mapping[str, str]
    seats: int
    documents: Mapping[str, Document] = field(default_factory=dict)
    utterances: Mapping[str, Utterance] = field(default_factory=dict)
    knocks: Mapping[str, str] = field(default_factory=dict)
    locked: Callable[[Mapping[str, Json]], bool] = lambda _values: False
    heir: tuple[str, str] | None = None
    code_hours: float | None = None

    @property
    def changes_roles(self) -> bool:
        """Whether a peer of such a room can get another role, or be put out."""
        return self.heir is not None or any(role.changes for role in self.roles.values())
