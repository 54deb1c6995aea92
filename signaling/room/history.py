"""What was said in one room, as far as it is kept for those who come later."""

from collections import deque
from collections.abc import Mapping, Set
from dataclasses import dataclass

from signaling.room.messages import Say
from signaling.room.room_type import Utterance


@dataclass(frozen=True, slots=True)
class _Entry:
    said: Say
    role: str


class History:
    """The last words of each kind.

    Parameters
    ----------
    kinds: how many of each are kept.
    """

    def __init__(self, kinds: Mapping[str, Utterance]) -> None:
        self._kept = {name: deque[_Entry](maxlen=kind.kept) for name, kind in kinds.items()}
        self.count = 0
        """How many were said so far, private ones and those that are not kept included."""

    def next_number(self) -> int:
        """The number of what is said now."""
        self.count += 1
        return self.count

    def keep(self, said: Say, role: str) -> None:
        """Keep what somebody of this role said to everyone, if its kind is kept."""
        self._kept[said.kind].append(_Entry(said, role))

    def after(self, number: int, roles: Set[str]) -> list[Say]:
        """What was said after this number by peers that had one of these roles, in order."""
        entries = (entry for kept in self._kept.values() for entry in kept)
        heard = [e.said for e in entries if e.role in roles and (e.said.n or 0) > number]
        return sorted(heard, key=lambda said: said.n or 0)
