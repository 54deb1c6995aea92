"""The audit log: who came, went, was refused or removed, as lines of JSON. It holds no secret.

Owns what is written; `audit_file` owns how. Refusals from one address with one code are written
once, and those of the next minute counted in one more line: a flood of them fills no disk.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

WINDOW_SECONDS = 60.0
MAX_WINDOWS = 1024
"""Pairs of an address and a code that are counted at a time."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who somebody is, as the log names them.

    Attributes
    ----------
    address: where they come from.
    """

    peer: str
    role: str
    room: str
    name: str | None
    address: str

    def told(self) -> dict[str, Any]:
        """The members of a line."""
        told = {"address": self.address, "role": self.role, "room": self.room, "peer": self.peer}
        return told | ({} if self.name is None else {"name": self.name})


@dataclass(slots=True)
class _Window:
    until: float
    times: int = 0


class Audit:
    """Writes what happens to the peers of one server.

    Parameters
    ----------
    write: takes a line; None: nothing is written.
    unix_time: seconds of Unix time.
    """

    def __init__(self, write: Callable[[str], None] | None, unix_time: Callable[[], float]) -> None:
        self._write = write
        self._unix_time = unix_time
        self._present: dict[str, Visitor] = {}
        self._windows: dict[tuple[str, str], _Window] = {}

    def joined(self, visitor: Visitor, *, resumed: bool) -> None:
        """Somebody has joined, or has come back."""
        if self._write is not None:
            self._present[visitor.peer] = visitor
            self._line("back" if resumed else "joined", visitor.told())

    def away(self, peer_id: str) -> None:
        """A peer was cut off, and may come back."""
        if (visitor := self._present.get(peer_id)) is not None:
            self._line("away", visitor.told())

    def left(self, peer_id: str, reason: str) -> None:
        """A peer is gone: "left", "lost" (it did not come back) or "slow" (it did not read)."""
        if (visitor := self._present.pop(peer_id, None)) is not None:
            self._line("left", {**visitor.told(), "reason": reason})

    def removed(self, peer_id: str, reason: str) -> None:
        """A peer was put out: "removed", "ended" (its room) or "link-ended"."""
        if (visitor := self._present.pop(peer_id, None)) is not None:
            self._line("removed", {**visitor.told(), "reason": reason})

    def refused(self, address: str, code: str, role: str | None = None) -> None:
        """Somebody was not let in.

        Parameters
        ----------
        role: the one that was asked for, if there is one of this name.
        """
        if self._write is None:
            return
        window = self._windows.get((address, code))
        if window is not None:
            window.times += 1
            return
        self._line("refused", {"address": address, "role": role, "code": code})
        self._windows[address, code] = _Window(self._unix_time() + WINDOW_SECONDS)
        if len(self._windows) > MAX_WINDOWS:
            self._close(next(iter(self._windows)))

    def tick(self) -> None:
        """Write how often what was refused was tried again; to be called every few seconds."""
        now = self._unix_time()
        for key in [key for key, window in self._windows.items() if window.until <= now]:
            self._close(key)

    def close(self) -> None:
        """Write what was only counted so far."""
        for key in list(self._windows):
            self._close(key)

    def _close(self, key: tuple[str, str]) -> None:
        times = self._windows.pop(key).times
        if times:
            address, code = key
            self._line("refused", {"address": address, "code": code, "times": times})

    def _line(self, event: str, members: dict[str, Any]) -> None:
        if self._write is not None:
            at = datetime.fromtimestamp(self._unix_time(), UTC).isoformat(timespec="milliseconds")
            self._write(json.dumps({"at": at, "event": event, **members}))
