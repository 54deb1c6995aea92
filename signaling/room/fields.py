"""The kinds of values that a message may hold: how each is checked, read and written.

A message is a class with the decorator `wired`, its fields made with `wire`; `Layout` turns one
into JSON values and back. Knows no message.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, Generic, TypeVar, dataclass_transform

from signaling.room import names
from signaling.room.refusal import Code, Refusal

M = TypeVar("M")

MAX_TOKEN = 128
MAX_SAFE_INTEGER = 2**53 - 1
"""The largest whole number that JavaScript keeps exactly (ECMA-262, Number.MAX_SAFE_INTEGER)."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large two kinds of text may be, in bytes of UTF-8."""

    sdp: int
    candidate: int


class Wrong(Exception):
    """A value is not of its kind; the text ends the sentence `"x" must be ...`."""


Read = Callable[[Any, Sizes], Any]
Write = Callable[[Any], Any]


def text(limit: int = MAX_TOKEN) -> Read:
    """Text of at most `limit` characters."""

    def read(value: Any, _sizes: Sizes) -> str:
        if not isinstance(value, str):
            raise Wrong("text")
        if len(value) > limit:
            raise Wrong(f"at most {limit} characters")
        return value

    return read


def name(value: Any, _sizes: Sizes) -> str | None:
    """What a peer is called, cleaned; a name in which nothing is to be seen counts as left out."""
    if not isinstance(value, str):
        raise Wrong("text")
    cleaned = names.clean(value)
    if not names.fits(cleaned):
        raise Wrong(f"at most {names.MAX_CHARACTERS} characters")
    return cleaned or None


def text_or_nothing(limit: int) -> Read:
    """Text of at most `limit` characters; anything else counts as left out."""

    def read(value: Any, _sizes: Sizes) -> str | None:
        return value if isinstance(value, str) and len(value) <= limit else None

    return read


def sdp(value: Any, sizes: Sizes) -> str:
    """A session description (RFC 8866)."""
    return _sized(value, sizes.sdp, Code.SDP_TOO_LARGE, "The session description")


def candidate(value: Any, sizes: Sizes) -> Mapping[str, Any] | None:
    """An RTCIceCandidateInit (W3C WebRTC 4.8.1.1), or None when there are no more."""
    if value is None:
        return None
    given = mapping(value, sizes)
    if "candidate" not in given:
        raise Refusal(Code.MISSING_FIELD, 'The candidate lacks "candidate".')
    line = _sized(given["candidate"], sizes.candidate, Code.CANDIDATE_TOO_LARGE, "The candidate")
    index = given.get("sdpMLineIndex")
    read = {
        "candidate": line,
        "sdpMid": _optional(given, "sdpMid", _mid, sizes),
        "sdpMLineIndex": None if index is None else _line_index(index, sizes),
    }
    # With it a candidate from before an ICE restart can be told apart.
    fragment = _optional(given, "usernameFragment", _fragment, sizes)
    if fragment is not None:
        read["usernameFragment"] = fragment
    return read


def mapping(value: Any, _sizes: Sizes) -> Mapping[str, Any]:
    """An object with any members."""
    if not isinstance(value, dict):
        raise Wrong("an object")
    return value


def anything(value: Any, _sizes: Sizes) -> Any:
    """Any JSON value."""
    return value


def flag(value: Any, _sizes: Sizes) -> bool:
    """True, or else false."""
    return value is True


def whole(most: int = MAX_SAFE_INTEGER) -> Read:
    """A whole number from 0 to `most`."""

    def read(value: Any, _sizes: Sizes) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise Wrong(f"a whole number from 0 to {most}")
        return value

    return read


def number(value: Any, _sizes: Sizes) -> float:
    """A number that JavaScript keeps exactly enough."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong("a number")
    if abs(value) > MAX_SAFE_INTEGER:
        raise Wrong("a smaller number")
    return value


def _optional(given: Mapping[str, Any], name: str, read: Read, sizes: Sizes) -> Any:
    value = given.get(name)
    return None if value is None else read(value, sizes)


_mid = text()
_fragment = text(256)
_line_index = whole(65535)


def _sized(value: Any, limit: int, code: Code, what: str) -> str:
    if not isinstance(value, str):
        raise Wrong("text")
    size = len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise Refusal(code, f"{what} is over the limit of {limit} bytes.")
    return value


def wire(
    read: Read,
    *,
    name: str | None = None,
    default: Any = MISSING,
    write: Write | None = None,
    secret: bool = False,
    says: str = "both",
    null: bool = False,
) -> Any:
    """A field of a message.

    Parameters
    ----------
    read: checks and reads its value.
    name: what it is called on the wire, where that differs.
    default: its value where it is left out; without one it must be there.
    write: turns its value into JSON values; None leaves it as it is.
    secret: it is left out of the message's repr, which may end up in a log.
    says: who may say it: "both", or "server" or "client" alone.
    null: None is written as null, not left out.
    """
    about = {"read": read, "name": name, "write": write, "says": says, "null": null}
    return field(default=default, repr=not secret, metadata=about)


@dataclass_transform(frozen_default=True, field_specifiers=(wire,))
def wired(kind: type[M]) -> type[M]:
    """Make a frozen dataclass of a class whose fields were made with `wire`."""
    return dataclass(frozen=True, slots=True)(kind)


@dataclass(frozen=True, slots=True)
class _Field:
    attribute: str
    name: str
    read: Read
    write: Write | None
    says: str
    null: bool
    required: bool


class Layout(Generic[M]):
    """How one kind of message looks on the wire, from the fields of its dataclass."""

    def __init__(self, kind: type[M]) -> None:
        self._kind = kind
        self._fields = tuple(
            _Field(
                f.name,
                f.metadata["name"] or f.name.rstrip("_"),
                f.metadata["read"],
                f.metadata["write"],
                f.metadata["says"],
                f.metadata["null"],
                f.default is MISSING,
            )
            for f in dataclasses.fields(kind)  # type: ignore[arg-type]
        )
        self._said_by = {
            sayer: tuple(f for f in self._fields if f.says in ("both", sayer))
            for sayer in ("client", "server")
        }

    def read(self, values: Mapping[str, Any], sizes: Sizes, *, sayer: str, what: str) -> M:
        """Build the message from JSON values.

        Parameters
        ----------
        sayer: "client" or "server": what only the other may say is passed over.
        what: the message's name in sentences.

        Raises
        ------
        Refusal: with the codes missing-field, bad-field, sdp-too-large or candidate-too-large.
        """
        read: dict[str, Any] = {}
        for f in self._said_by[sayer]:
            value = values.get(f.name, MISSING)
            if value is MISSING:
                if f.required:
                    raise Refusal(Code.MISSING_FIELD, f'The message "{what}" lacks "{f.name}".')
                continue
            if value is None and not f.required and not f.null:
                continue
            try:
                read[f.attribute] = f.read(value, sizes)
            except Wrong as wrong:
                sentence = f'"{f.name}" of the message "{what}" must be {wrong}.'
                raise Refusal(Code.BAD_FIELD, sentence) from wrong
        return self._kind(**read)

    def write(self, message: M, what: str | None = None) -> dict[str, Any]:
        """The message as JSON values. None and False are left out, except where null may be.

        Parameters
        ----------
        what: its type, if that is to stand in front.
        """
        written: dict[str, Any] = {} if what is None else {"type": what}
        for f in self._fields:
            value = getattr(message, f.attribute)
            if (value is None or value is False) and not f.null:
                continue
            if value is None:
                written[f.name] = None
                continue
            written[f.name] = value if f.write is None else f.write(value)
        return written
