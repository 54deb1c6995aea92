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
    count: the number before that of the first one.
    """

    def __init__(self, kinds: Mapping[str, Utterance], count: int = 0) -> None:
        self._kept = {name: deque[_Entry](maxlen=kind.kept) for name, kind in kinds.items()}
        self.count = count
        """The number of what was said last, private words and those not kept included."""

    def next_number(self) -> int:
        """The number of what is said now."""
        self.count += 1
        return self.count

    def keep(self, said: Say, role: str) -> None:
        """Keep what somebody of this role said to everyone, if its kind is kept."""
        self._kept[said.kind].append(_Entry(said, role))

    def after(self, number: int, roles: Set[str], own: str | None = None) -> list[Say]:
        """What was said after this number, in order, by peers that had one of these roles, or by
        the peer with the id `own`."""
        entries = (entry for kept in self._kept.values() for entry in kept)
        told = (e.said for e in entries if e.role in roles or e.said.from_ == own)
        heard = [said for said in told if (said.n or 0) > number]
        return sorted(heard, key=lambda said: said.n or 0)
