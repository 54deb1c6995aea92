"""The messages of the wire protocol, as frozen dataclasses. docs/protocol.md describes them.

Owns the shape of every message, not its meaning: `rooms` decides who may say what to whom.
Pure: no socket, no clock.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from signaling.room import fields
from signaling.room.fields import Layout, Sizes, Wrong, wire, wired
from signaling.room.refusal import Code, Refusal

IceServer = dict[str, Any]
"""One entry of `iceServers`, as RTCConfiguration takes it (W3C WebRTC 4.2.1)."""

MAX_RESUME = 256
MAX_FROM_SERVER = 1 << 20
MAX_DEPTH = 64
"""How deep a message may be nested: Python reads deeper ones than it can write again."""

_TOKEN = fields.text()


@wired
class PeerInfo:
    """What a peer may know of another one.

    `away`: it is cut off, and may come back. `offers`: whoever reads this makes the offers to it.
    """

    id: str = wire(_TOKEN)
    role: str = wire(_TOKEN)
    name: str | None = wire(fields.name, default=None)
    away: bool = wire(fields.flag, default=False)
    offers: bool = wire(fields.flag, default=False)


@wired
class Invite:
    """The link that brings another peer into this room."""

    url: str = wire(fields.text(4096), secret=True)


_PEER_INFO = Layout(PeerInfo)
_INVITE = Layout(Invite)


def _read_ice_servers(value: Any, _sizes: Sizes) -> tuple[IceServer, ...]:
    servers = value.get("iceServers") if isinstance(value, dict) else None
    if not isinstance(servers, list):
        raise Wrong("an object with iceServers")
    return tuple(servers)


def _write_ice_servers(servers: tuple[IceServer, ...]) -> dict[str, Any]:
    return {"iceServers": list(servers)}


def _read_peers(value: Any, sizes: Sizes) -> tuple[PeerInfo, ...]:
    if not isinstance(value, list) or not all(isinstance(peer, dict) for peer in value):
        raise Wrong("a list of objects")
    return tuple(_PEER_INFO.read(peer, sizes, sayer="server", what="registered") for peer in value)


def _write_peers(peers: tuple[PeerInfo, ...]) -> list[dict[str, Any]]:
    return [_PEER_INFO.write(peer) for peer in peers]


def _read_invite(value: Any, sizes: Sizes) -> Invite:
    given = fields.mapping(value, sizes)
    return _INVITE.read(given, sizes, sayer="server", what="registered")


def _read_invites(value: Any, sizes: Sizes) -> Mapping[str, Invite]:
    given = fields.mapping(value, sizes)
    return {role: _read_invite(invite, sizes) for role, invite in given.items()}


def _write_invites(invites: Mapping[str, Invite]) -> dict[str, Any]:
    return {role: _INVITE.write(invite) for role, invite in invites.items()}


@wired
class Register:
    """A client asks to join a room in a role.

    `heard`: the number of the last `say` that it has, so that it is told what it has missed.
    """

    type: ClassVar[str] = "register"
    role: str = wire(_TOKEN)
    room: str | None = wire(_TOKEN, default=None)
    key: str | None = wire(_TOKEN, default=None, secret=True)
    name: str | None = wire(fields.name, default=None)
    # Whatever is wrong with a token, it only means that the client does not resume.
    resume: str | None = wire(fields.text_or_nothing(MAX_RESUME), default=None, secret=True)
    room_type: str | None = wire(_TOKEN, name="roomType", default=None)
    heard: int | None = wire(fields.whole(), default=None)


@wired
class Registered:
    """The server's answer to `Register`. `peers` are those already in the room.

    `role` is the one that the server gave. With the token in `resume` the client may come back as
    the same peer; `resumed`: it has. `limits` tells what the client has to keep to. `invite` is for
    the role that the client usually brings in, `invites` for others, by role.
    """

    type: ClassVar[str] = "registered"
    role: str = wire(_TOKEN)
    ice_servers: tuple[IceServer, ...] = wire(
        _read_ice_servers, name="turnConfig", write=_write_ice_servers, secret=True
    )
    id: str = wire(_TOKEN, default="")
    room: str = wire(_TOKEN, default="")
    peers: tuple[PeerInfo, ...] = wire(_read_peers, write=_write_peers, default=())
    invite: Invite | None = wire(_read_invite, write=_INVITE.write, default=None)
    resume: str | None = wire(fields.text_or_nothing(MAX_RESUME), default=None, secret=True)
    resumed: bool = wire(fields.flag, default=False)
    limits: Mapping[str, float] | None = wire(fields.mapping, default=None)
    invites: Mapping[str, Invite] | None = wire(_read_invites, write=_write_invites, default=None)


@wired
class PeerConnected:
    """A peer that the client meets is in the room, whichever of the two came first.

    `offers`: whoever reads this makes the offers to it.
    """

    type: ClassVar[str] = "peer-connected"
    peer: str = wire(_TOKEN)
    id: str = wire(_TOKEN, default="")
    name: str | None = wire(fields.name, default=None)
    offers: bool = wire(fields.flag, default=False)


@wired
class PeerDisconnected:
    """A peer is gone. `reason`: `left`, `lost`, `removed`, `role` where a change of role
    keeps the two apart from now on, or `away` while it may come back.
    """

    type: ClassVar[str] = "peer-disconnected"
    peer: str = wire(_TOKEN)
    id: str = wire(_TOKEN, default="")
    reason: str = wire(_TOKEN, default="left")


@wired
class Offer:
    """A session description that begins or changes a connection (RFC 8829)."""

    type: ClassVar[str] = "offer"
    sdp: str = wire(fields.sdp, secret=True)
    to: str | None = wire(_TOKEN, default=None, says="client")
    from_: str | None = wire(_TOKEN, default=None, says="server")


@wired
class Answer:
    """The session description that answers an offer."""

    type: ClassVar[str] = "answer"
    sdp: str = wire(fields.sdp, secret=True)
    to: str | None = wire(_TOKEN, default=None, says="client")
    from_: str | None = wire(_TOKEN, default=None, says="server")


@wired
class IceCandidate:
    """A trickled candidate (RFC 8838): an RTCIceCandidateInit, or None when there are no more."""

    type: ClassVar[str] = "ice-candidate"
    candidate: Mapping[str, Any] | None = wire(fields.candidate, secret=True, null=True)
    to: str | None = wire(_TOKEN, default=None, says="client")
    from_: str | None = wire(_TOKEN, default=None, says="server")


@wired
class Control:
    """What one peer asks of another, such as other settings."""

    type: ClassVar[str] = "control"
    settings: Mapping[str, Any] = wire(fields.mapping)
    to: str | None = wire(_TOKEN, default=None, says="client")
    from_: str | None = wire(_TOKEN, default=None, says="server")


@wired
class State:
    """What a peer shows of itself; to everyone who meets it unless `to` names one."""

    type: ClassVar[str] = "state"
    state: Mapping[str, Any] = wire(fields.mapping)
    to: str | None = wire(_TOKEN, default=None, says="client")
    from_: str | None = wire(_TOKEN, default=None, says="server")


@wired
class Say:
    """Words for people; to everyone who meets the speaker unless `to` names one.

    The server adds who said it (`from_`, `name`), when (`at`, milliseconds of room time) and the
    number of it in this room (`n`, which only grows). `private`: it went to one peer alone.
    """

    type: ClassVar[str] = "say"
    kind: str = wire(_TOKEN)
    body: str = wire(fields.text(MAX_FROM_SERVER))
    to: str | None = wire(_TOKEN, default=None, says="client")
    from_: str | None = wire(_TOKEN, default=None, says="server")
    name: str | None = wire(fields.name, default=None, says="server")
    at: float | None = wire(fields.number, default=None, says="server")
    n: int | None = wire(fields.whole(), default=None, says="server")
    private: bool = wire(fields.flag, default=False, says="server")


@wired
class SetDocument:
    """A peer proposes another value for a document whose version it believes to be `base`."""

    type: ClassVar[str] = "set"
    name: str = wire(_TOKEN)
    base: int = wire(fields.whole())
    value: Any = wire(fields.anything, null=True)


@wired
class DocumentVersion:
    """One version of a document: who made it (None: the server), and when, in milliseconds of room
    time. With its seal any peer may hand it back to a server that was started again.
    """

    type: ClassVar[str] = "document"
    name: str = wire(_TOKEN)
    version: int = wire(fields.whole())
    value: Any = wire(fields.anything, null=True)
    by: str | None = wire(_TOKEN, default=None)
    at: float = wire(fields.number, default=0)
    seal: str | None = wire(_TOKEN, default=None)


def _read_role(value: Any, sizes: Sizes) -> str | None:
    return None if value is None else _TOKEN(value, sizes)


@wired
class RoleChange:
    """A peer's role changes. A client says whose (`to`), the server says whose it was (`id`) and
    who changed it (`by`; None: the server). A role of None puts the peer out of the room.
    """

    type: ClassVar[str] = "role"
    role: str | None = wire(_read_role, null=True)
    to: str | None = wire(_TOKEN, default=None, says="client")
    id: str | None = wire(_TOKEN, default=None, says="server")
    by: str | None = wire(_TOKEN, default=None, says="server")


@wired
class Time:
    """A question for the room's time and its answer, for clocks that disagree (RFC 5905, 8).

    `sent` comes back as it was. `time`: milliseconds; it never jumps while `boot` stays the same.
    """

    type: ClassVar[str] = "time"
    sent: float = wire(fields.number)
    time: float | None = wire(fields.number, default=None, says="server")
    boot: str | None = wire(_TOKEN, default=None, says="server")


@wired
class End:
    """A peer ends the room for everyone in it."""

    type: ClassVar[str] = "end"


@wired
class TurnConfig:
    """Fresh TURN credentials, before the old ones expire."""

    type: ClassVar[str] = "turn-config"
    ice_servers: tuple[IceServer, ...] = wire(
        _read_ice_servers, name="turnConfig", write=_write_ice_servers, secret=True
    )


@wired
class Error:
    """The server refuses something: a sentence for a person, a stable code for programs."""

    type: ClassVar[str] = "error"
    message: str = wire(fields.text(4096))
    code: str = wire(_TOKEN, default="")


Negotiation = Offer | Answer | IceCandidate
"""The messages that make one connection."""
Routed = Negotiation | Control | State
"""What the server passes on as it is."""
ClientMessage = Register | Routed | Say | SetDocument | DocumentVersion | RoleChange | Time | End
ServerMessage = (
    Registered
    | PeerConnected
    | PeerDisconnected
    | Routed
    | Say
    | DocumentVersion
    | RoleChange
    | Time
    | TurnConfig
    | Error
)

_LAYOUTS: dict[str, Layout[Any]] = {
    kind.type: Layout(kind)
    for kind in (
        Register,
        Registered,
        PeerConnected,
        PeerDisconnected,
        Offer,
        Answer,
        IceCandidate,
        Control,
        State,
        Say,
        SetDocument,
        DocumentVersion,
        RoleChange,
        Time,
        End,
        TurnConfig,
        Error,
    )
}
_SERVER_ALONE = frozenset(
    kind.type for kind in (Registered, PeerConnected, PeerDisconnected, TurnConfig, Error)
)
_CLIENT_ALONE = frozenset(kind.type for kind in (Register, SetDocument, End))


# The first field of each; `to` and `from_` are the others.
_CARRIED = {kind.type: dataclasses.fields(kind)[0].name for kind in get_args(Routed)}
_sizes = functools.lru_cache(maxsize=16)(Sizes)


def size(text: str | bytes) -> int:
    """How many bytes a message has, as UTF-8."""
    if isinstance(text, bytes) or text.isascii():
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))


def parse(
    text: str | bytes, *, max_message: int, max_sdp: int, max_candidate: int
) -> ClientMessage:
    """Read what a client sent. Fields that the message does not have are passed over.

    Parameters
    ----------
    text: one message.
    max_message, max_sdp, max_candidate: limits in bytes.

    Raises
    ------
    Refusal: with the codes message-too-large, bad-json, unknown-type, missing-field, bad-field,
        sdp-too-large or candidate-too-large.
    """
    if size(text) > max_message:
        raise Refusal(
            Code.MESSAGE_TOO_LARGE, f"The message is over the limit of {max_message} bytes."
        )
    kind, values = _open(text, but=_SERVER_ALONE)
    sizes = _sizes(max_sdp, max_candidate)
    return _LAYOUTS[kind].read(values, sizes, sayer="client", what=kind)  # type: ignore[no-any-return]


def parse_from_server(text: str | bytes) -> ServerMessage:
    """Read what a server sent: the other half of `parse`, for peers that live in Python.

    Raises
    ------
    Refusal: with the codes bad-json, unknown-type, missing-field or bad-field.
    """
    kind, values = _open(text, but=_CLIENT_ALONE)
    sizes = Sizes(MAX_FROM_SERVER, MAX_FROM_SERVER)
    return _LAYOUTS[kind].read(values, sizes, sayer="server", what=kind)  # type: ignore[no-any-return]


def encode(message: ClientMessage | ServerMessage) -> str:
    """Write a message as compact JSON.

    Raises
    ------
    ValueError: a number in it is not finite, for which JSON has no word.
    """
    return _ENCODER.encode(_LAYOUTS[message.type].write(message, message.type))


def forwarded(message: Routed, from_: str) -> Routed:
    """The message as the server passes it on: with whom it is from, and not whom it is to."""
    return type(message)(getattr(message, _CARRIED[message.type]), None, from_)


def _open(text: str | bytes, *, but: frozenset[str]) -> tuple[str, Mapping[str, Any]]:
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text), "surrogatepass")
        values = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_JSON, "The message is not JSON.") from error
    if not isinstance(values, dict):
        raise Refusal(Code.BAD_JSON, "The message is not a JSON object.")
    if _opening(text) > MAX_DEPTH and _is_deep(values):
        raise Refusal(Code.BAD_JSON, f"The message is nested more than {MAX_DEPTH} deep.")
    kind = values.get("type")
    if kind is None:
        raise Refusal(Code.MISSING_FIELD, 'The message lacks "type".')
    if not isinstance(kind, str):
        raise Refusal(Code.BAD_FIELD, '"type" must be text.')
    if kind not in _LAYOUTS or kind in but:
        raise Refusal(Code.UNKNOWN_TYPE, f"There is no message of the type {kind[:40]!r}.")
    return kind, values


def _opening(text: str | bytes) -> int:
    """How many brackets open at most; most messages need no closer look at how deep they are."""
    if isinstance(text, bytes):
        return text.count(b"{") + text.count(b"[")
    return text.count("{") + text.count("[")


def _is_deep(value: Any) -> bool:
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]


def _no_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are not JSON (RFC 8259) and which JSON.parse refuses.
    raise ValueError(name)


def _finite(digits: str) -> float:
    # Python reads 1e999 as infinity, and could not write it again.
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
