"""The documents of one room: small values that everyone sees, changed by compare-and-set.

Each version is sealed, so that any member can hand the newest one back to a server that was started
again: nothing is stored, and nobody can forge one.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from signaling.room.fields import MAX_SAFE_INTEGER
from signaling.room.messages import DocumentVersion, SetDocument
from signaling.room.refusal import Code, Refusal
from signaling.room.room_type import Document, Json, RoomType
from signaling.room.seals import Seals, maker_of

MAX_DEPTH = 16


class StaleVersion(Refusal):
    """A change was based on a version that is not the newest any more.

    Attributes
    ----------
    newest: the version to begin from.
    """

    def __init__(self, newest: DocumentVersion) -> None:
        sentence = f'"{newest.name}" has changed meanwhile: it is at version {newest.version}.'
        super().__init__(Code.STALE_VERSION, sentence)
        self.newest = newest


class Documents:
    """The newest version of each document of one room.

    Parameters
    ----------
    room_type: which documents there are; `more` adds those that every such room has.
    room: the room's code.
    seals: signs each version.
    """

    def __init__(
        self, room_type: RoomType, room: str, seals: Seals, more: Mapping[str, Document]
    ) -> None:
        self._known = {**room_type.documents, **more}
        self._type = room_type.name
        self._room = room
        self._seals = seals
        self._newest = {
            name: DocumentVersion(name, 0, document.initial)
            for name, document in self._known.items()
        }
        self._restored: dict[str, int] = {}
        self._maker = secrets.token_urlsafe(6)

    @property
    def all(self) -> tuple[DocumentVersion, ...]:
        """The newest version of each."""
        return tuple(self._newest.values())

    @property
    def values(self) -> Mapping[str, Json]:
        """The newest value of each, by name."""
        return {name: version.value for name, version in self._newest.items()}

    @property
    def restored(self) -> frozenset[str]:
        """The documents that somebody has handed back as they were before a restart."""
        return frozenset(self._restored)

    def set(self, message: SetDocument, role: str, by: str, at: float) -> DocumentVersion:
        """Change a document as a peer proposes.

        Parameters
        ----------
        role, by: of the peer.
        at: the room's time, in milliseconds.

        Raises
        ------
        Refusal: with the codes unknown-document, wrong-role, stale-version (a `StaleVersion`),
            bad-field or bad-value; nothing has changed.
        """
        document = self._document(message.name)
        if role not in document.writers:
            raise Refusal(Code.WRONG_ROLE, f'A {role} does not change "{message.name}".')
        newest = self._newest[message.name]
        if message.base != newest.version:
            raise StaleVersion(newest)
        _check(message.value, document.max_bytes)
        value = document.accept(newest.value, message.value, at)
        _check(value, document.max_bytes)
        return self._put(message.name, value, by, at)

    def put(self, name: str, value: Json, at: float) -> DocumentVersion:
        """Change a document as the server itself decides."""
        return self._put(name, value, None, at)

    def restore(
        self, version: DocumentVersion, merge: Callable[[Json], Json] = lambda value: value
    ) -> DocumentVersion | None:
        """Take back a version from before a restart of the server.

        The newest of them goes before whatever was made since then by those who did not know it.

        Parameters
        ----------
        merge: gives the value to go on with from the one that is handed back.

        Returns
        -------
        What is the newest version now; None where this one is older than one handed back before,
        or is not from before a restart: then a peer that may not write could undo what others did.

        Raises
        ------
        Refusal: with the codes unknown-document or bad-seal.
        """
        self._document(version.name)
        if not self._seals.is_sealed(self._type, self._room, version):
            raise Refusal(Code.BAD_SEAL, f'This version of "{version.name}" is not this room\'s.')
        if maker_of(version) == self._maker:
            return None
        name = version.name
        if version.version <= self._restored.get(name, 0):
            return None
        self._restored[name] = version.version
        newest, value = self._newest[name].version, merge(version.value)
        if version.version > newest and value == version.value:
            self._newest[name] = version
        else:
            self._put(name, value, version.by, version.at, least=version.version + 1)
        return self._newest[name]

    def _document(self, name: str) -> Document:
        if name not in self._known:
            raise Refusal(Code.UNKNOWN_DOCUMENT, f"This room has no document {name[:40]!r}.")
        return self._known[name]

    def _put(
        self, name: str, value: Json, by: str | None, at: float, least: int = 1
    ) -> DocumentVersion:
        number = max(self._newest[name].version + 1, least)
        version = DocumentVersion(name, number, value, by, at)
        seal = self._seals.seal(self._type, self._room, version, self._maker)
        sealed = DocumentVersion(name, number, value, by, at, seal)
        self._newest[name] = sealed
        return sealed


def _check(value: Json, max_bytes: int) -> None:
    _check_exact(value, 0)
    size = len(json.dumps(value, separators=(",", ":")))
    if size > max_bytes:
        raise Refusal(Code.BAD_FIELD, f"The value has {size} bytes; at most {max_bytes} fit.")


def _check_exact(value: Any, depth: int) -> None:
    """What every client reads as it was written: only such a value keeps its seal."""
    if depth > MAX_DEPTH:
        raise Refusal(Code.BAD_FIELD, f"The value is nested more than {MAX_DEPTH} deep.")
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise Refusal(
            Code.BAD_FIELD, "A whole number in the value is too large to be kept exactly."
        )
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        _check_exact(inner, depth + 1)
