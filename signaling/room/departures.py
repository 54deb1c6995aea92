"""Who has left for good and which rooms were ended, so that no token opens them again.

A token says nothing of what came after it was made, and holds after a restart. So this is what a
server must not forget when it is started again. Pure: the caller brings what keeps it.
"""

from collections.abc import Iterable
from typing import Protocol

MAX_LEFT = 4096
"""Peers that are remembered; the oldest is forgotten first."""

MAX_ENDED = 1000
"""Codes of ended rooms that are remembered."""

_LEFT, _ENDED = "left", "ended"


class Store(Protocol):
    """Keeps lines of text for the next process."""

    def add(self, line: str) -> None:
        """Keep one more line."""

    def replace(self, lines: Iterable[str]) -> None:
        """Keep these lines instead of all others."""


class Departures:
    """The peers that have left, and the rooms that were ended: the last of each.

    Parameters
    ----------
    lines: what an earlier process has kept. Lines that say nothing are passed over.
    store: keeps them for the next one; None: they end with this process.
    """

    def __init__(self, lines: Iterable[str] = (), store: Store | None = None) -> None:
        # Dicts for their order: Python's sets have none.
        self._left: dict[str, None] = {}
        self._ended: dict[str, None] = {}
        self._stored = 0
        self._store = store
        for line in lines:
            self._stored += 1
            kind, _, name = line.partition(" ")
            if name and kind == _LEFT:
                _remember(self._left, name, MAX_LEFT)
            elif name and kind == _ENDED:
                _remember(self._ended, name, MAX_ENDED)
        self._tidy()

    def leave(self, peer_id: str) -> None:
        """A peer is gone, and does not come back as who it was."""
        _remember(self._left, peer_id, MAX_LEFT)
        self._keep(f"{_LEFT} {peer_id}")

    def end(self, code: str) -> None:
        """A room was ended: its code opens nothing any more."""
        _remember(self._ended, code, MAX_ENDED)
        self._keep(f"{_ENDED} {code}")

    def has_left(self, peer_id: str) -> bool:
        """Whether this peer is gone for good."""
        return peer_id in self._left

    def is_ended(self, code: str) -> bool:
        """Whether the room with this code was ended."""
        return code in self._ended

    def _keep(self, line: str) -> None:
        if self._store is not None:
            self._store.add(line)
            self._stored += 1
            self._tidy()

    def _tidy(self) -> None:
        """Have what is forgotten here forgotten there too, now and then."""
        if self._store is not None and self._stored > 2 * (MAX_LEFT + MAX_ENDED):
            lines = [*(f"{_ENDED} {code}" for code in self._ended)]
            lines += [f"{_LEFT} {peer_id}" for peer_id in self._left]
            self._store.replace(lines)
            self._stored = len(lines)


def _remember(known: dict[str, None], name: str, most: int) -> None:
    known.pop(name, None)
    known[name] = None
    if len(known) > most:
        del known[next(iter(known))]
