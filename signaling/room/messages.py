"""The wire protocol: JSON text to frozen dataclasses and back. docs/protocol.md describes it.

Owns the shape of every message, no meaning: who may send what to whom stands in `rooms`.
Pure: no socket, no clock.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from signaling.room.refusal import Code, Refusal

IceServer = dict[str, Any]
"""One entry of `iceServers`, as RTCConfiguration takes it (W3C WebRTC 4.2.1)."""

MAX_NAME = 64
MAX_TOKEN = 128
MAX_RESUME = 256
MAX_FROM_SERVER = 1 << 20


@dataclass(frozen=True, slots=True)
class Register:
    """A client asks to join a room in a role."""

    type: ClassVar[str] = "register"
    role: str
    room: str | None = None
    key: str | None = field(default=None, repr=False)
    name: str | None = None
    resume: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What a peer may know of another one. `away`: it is cut off, and may come back."""

    id: str
    role: str
    name: str | None = None
    away: bool = False


@dataclass(frozen=True, slots=True)
class Invite:
    """The link that brings a sender into this room, and its QR code as an SVG document."""

    url: str = field(repr=False)
    qr: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registered:
    """The server's answer to `Register`. `peers` are those already in the room.

    With the token in `resume` the client may come back as the same peer; `resumed`: it has.
    """

    type: ClassVar[str] = "registered"
    role: str
    ice_servers: tuple[IceServer, ...] = field(repr=False)
    id: str
    room: str
    peers: tuple[PeerInfo, ...] = ()
    invite: Invite | None = None
    resume: str | None = field(default=None, repr=False)
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A peer of the other side is in the room, whichever of the two came first."""

    type: ClassVar[str] = "peer-connected"
    peer: str
    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """A peer of the other side is gone. `reason`: `left`, `lost`, `slow`, or `away` while it may
    come back.
    """

    type: ClassVar[str] = "peer-disconnected"
    peer: str
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A session description from a sender (RFC 8829), on its way to a receiver."""

    type: ClassVar[str] = "offer"
    sdp: str = field(repr=False)
    to: str | None = None
    from_: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A session description from a receiver, on its way to a sender."""

    type: ClassVar[str] = "answer"
    sdp: str = field(repr=False)
    to: str | None = None
    from_: str | None = None


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A trickled candidate (RFC 8838): an RTCIceCandidateInit, or None when there are no more."""

    type: ClassVar[str] = "ice-candidate"
    candidate: Mapping[str, Any] | None = field(repr=False)
    to: str | None = None
    from_: str | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """Camera settings that a receiver asks a sender for."""

    type: ClassVar[str] = "control"
    settings: Mapping[str, Any]
    to: str | None = None
    from_: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A sender tells what its camera does; to every receiver unless `to` names one."""

    type: ClassVar[str] = "state"
    state: Mapping[str, Any]
    to: str | None = None
    from_: str | None = None


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """Fresh TURN credentials, before the old ones expire."""

    type: ClassVar[str] = "turn-config"
    ice_servers: tuple[IceServer, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Error:
    """The server refuses something: a sentence for a person, a stable code for programs."""

    type: ClassVar[str] = "error"
    message: str
    code: str


Routed = Offer | Answer | IceCandidate | Control | State
ClientMessage = Register | Routed
ServerMessage = Registered | PeerConnected | PeerDisconnected | Routed | TurnConfig | Error


class _Fields:
    """Reads the fields of one JSON object, refusing what is missing or of the wrong kind."""

    def __init__(
        self,
        kind: str,
        values: Mapping[str, Any],
        max_sdp: int = MAX_FROM_SERVER,
        max_candidate: int = MAX_FROM_SERVER,
    ) -> None:
        self._kind = kind
        self._values = values
        self._max_sdp = max_sdp
        self._max_candidate = max_candidate

    def require(self, name: str) -> Any:
        if name not in self._values:
            raise Refusal(Code.MISSING_FIELD, f'The message "{self._kind}" lacks "{name}".')
        return self._values[name]

    def text(self, name: str, limit: int) -> str:
        value = self.require(name)
        if not isinstance(value, str):
            raise self.bad(name, "text")
        if len(value) > limit:
            raise self.bad(name, f"at most {limit} characters")
        return value

    def optional_text(self, name: str, limit: int = MAX_TOKEN) -> str | None:
        return None if self._values.get(name) is None else self.text(name, limit)

    def token(self, name: str) -> str | None:
        value = self._values.get(name)
        return value if isinstance(value, str) and len(value) <= MAX_RESUME else None

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.require(name)
        if not isinstance(value, dict):
            raise self.bad(name, "an object")
        return value

    def flag(self, name: str) -> bool:
        return self._values.get(name) is True

    def sdp(self) -> str:
        return self._sized(
            "sdp", self._max_sdp, Code.SDP_TOO_LARGE, "The session description is over the limit"
        )

    def candidate(self) -> Mapping[str, Any] | None:
        if self.require("candidate") is None:
            return None
        inner = _Fields("ice-candidate", self.mapping("candidate"))
        text = inner._sized(
            "candidate",
            self._max_candidate,
            Code.CANDIDATE_TOO_LARGE,
            "The candidate is over the limit",
        )
        read: dict[str, Any] = {
            "candidate": text,
            "sdpMid": inner.optional_text("sdpMid"),
            "sdpMLineIndex": inner.optional_index("sdpMLineIndex"),
        }
        # RTCIceCandidateInit's fourth member: with it a candidate of an older ICE
        # generation is told apart after a restart (W3C WebRTC 4.8.1).
        fragment = inner.optional_text("usernameFragment", 256)
        return read if fragment is None else {**read, "usernameFragment": fragment}

    def optional_index(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 65536:
            raise self.bad(name, "a small whole number")
        return value

    def ice_servers(self) -> tuple[IceServer, ...]:
        servers = self.mapping("turnConfig").get("iceServers")
        if not isinstance(servers, list):
            raise self.bad("turnConfig", "an object with iceServers")
        return tuple(servers)

    def peers(self) -> tuple[PeerInfo, ...]:
        listed = self._values.get("peers", [])
        if not isinstance(listed, list) or not all(isinstance(peer, dict) for peer in listed):
            raise self.bad("peers", "a list of objects")
        fields = [_Fields(self._kind, peer) for peer in listed]
        return tuple(
            PeerInfo(
                f.text("id", MAX_TOKEN),
                f.text("role", MAX_TOKEN),
                f.optional_text("name", MAX_NAME),
                f.flag("away"),
            )
            for f in fields
        )

    def _sized(self, name: str, limit: int, code: Code, sentence: str) -> str:
        value = self.require(name)
        if not isinstance(value, str):
            raise self.bad(name, "text")
        if len(value.encode("utf-8", "surrogatepass")) > limit:
            raise Refusal(code, f"{sentence} of {limit} bytes.")
        return value

    def bad(self, name: str, wanted: str) -> Refusal:
        return Refusal(Code.BAD_FIELD, f'"{name}" of the message "{self._kind}" must be {wanted}.')


def _read_register(f: _Fields) -> Register:
    return Register(
        role=f.text("role", MAX_TOKEN),
        room=f.optional_text("room"),
        key=f.optional_text("key"),
        name=f.optional_text("name", MAX_NAME),
        # Nothing but a plain registration may follow from a token that is none.
        resume=f.token("resume"),
    )


def _read_offer(f: _Fields) -> Offer:
    return Offer(f.sdp(), f.optional_text("to"))


def _read_answer(f: _Fields) -> Answer:
    return Answer(f.sdp(), f.optional_text("to"))


def _read_candidate(f: _Fields) -> IceCandidate:
    return IceCandidate(f.candidate(), f.optional_text("to"))


def _read_control(f: _Fields) -> Control:
    return Control(f.mapping("settings"), f.optional_text("to"))


def _read_state(f: _Fields) -> State:
    return State(f.mapping("state"), f.optional_text("to"))


_CLIENT_READERS: dict[str, Callable[[_Fields], ClientMessage]] = {
    Register.type: _read_register,
    Offer.type: _read_offer,
    Answer.type: _read_answer,
    IceCandidate.type: _read_candidate,
    Control.type: _read_control,
    State.type: _read_state,
}


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
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > max_message:
        raise Refusal(
            Code.MESSAGE_TOO_LARGE, f"The message is over the limit of {max_message} bytes."
        )
    kind, values = _open(text)
    if kind not in _CLIENT_READERS:
        raise Refusal(Code.UNKNOWN_TYPE, f"There is no message of the type {kind[:40]!r}.")
    return _CLIENT_READERS[kind](_Fields(kind, values, max_sdp, max_candidate))


def _open(text: str | bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        values = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_JSON, "The message is not JSON.") from error
    if not isinstance(values, dict):
        raise Refusal(Code.BAD_JSON, "The message is not a JSON object.")
    kind = values.get("type")
    if kind is None:
        raise Refusal(Code.MISSING_FIELD, 'The message lacks "type".')
    if not isinstance(kind, str):
        raise Refusal(Code.BAD_FIELD, '"type" must be text.')
    return kind, values


def _no_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are not JSON (RFC 8259) and which no browser accepts.
    raise ValueError(name)


def _finite(digits: str) -> float:
    # Python reads 1e999 as infinity, and could not write it again.
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def parse_from_server(text: str | bytes) -> ServerMessage:
    """Read what a server sent: the other half of `parse`, for peers that live in Python.

    Raises
    ------
    Refusal: with the codes bad-json, unknown-type, missing-field or bad-field.
    """
    kind, values = _open(text)
    f = _Fields(kind, values)
    sender = f.optional_text("from")
    match kind:
        case Registered.type:
            return Registered(
                role=f.text("role", MAX_TOKEN),
                ice_servers=f.ice_servers(),
                id=f.optional_text("id") or "",
                room=f.optional_text("room") or "",
                peers=f.peers(),
                resume=f.token("resume"),
                resumed=f.flag("resumed"),
            )
        case PeerConnected.type:
            return PeerConnected(
                f.text("peer", MAX_TOKEN),
                f.optional_text("id") or "",
                f.optional_text("name", MAX_NAME),
            )
        case PeerDisconnected.type:
            return PeerDisconnected(
                f.text("peer", MAX_TOKEN),
                f.optional_text("id") or "",
                f.optional_text("reason") or "left",
            )
        case Offer.type:
            return Offer(f.sdp(), from_=sender)
        case Answer.type:
            return Answer(f.sdp(), from_=sender)
        case IceCandidate.type:
            return IceCandidate(f.candidate(), from_=sender)
        case Control.type:
            return Control(f.mapping("settings"), from_=sender)
        case State.type:
            return State(f.mapping("state"), from_=sender)
        case TurnConfig.type:
            return TurnConfig(f.ice_servers())
        case Error.type:
            return Error(f.text("message", 4096), f.optional_text("code") or "")
        case _:
            raise Refusal(Code.UNKNOWN_TYPE, f"There is no message of the type {kind[:40]!r}.")


def encode(message: ClientMessage | ServerMessage) -> str:
    """Write a message as compact JSON.

    Fields that are None or False are left out, but for a candidate, where null means that no more
    come.

    Raises
    ------
    ValueError: a number in it is not finite, for which JSON has no word.
    """
    body: dict[str, Any]
    match message:
        case Registered():
            body = {
                "role": message.role,
                "turnConfig": {"iceServers": list(message.ice_servers)},
                "id": message.id,
                "room": message.room,
                "peers": [_plain(peer) for peer in message.peers],
                "resume": message.resume,
                "resumed": message.resumed,
            }
            body = {name: value for name, value in body.items() if _says_something(value)}
            if message.invite:
                body["invite"] = _plain(message.invite)
        case TurnConfig():
            body = {"turnConfig": {"iceServers": list(message.ice_servers)}}
        case _:
            body = _plain(message)
    if isinstance(message, IceCandidate):
        body["candidate"] = message.candidate
    return json.dumps({"type": message.type, **body}, separators=(",", ":"), allow_nan=False)


def _plain(record: Any) -> dict[str, Any]:
    values = ((f.name.rstrip("_"), getattr(record, f.name)) for f in fields(record))
    return {name: value for name, value in values if _says_something(value)}


def _says_something(value: Any) -> bool:
    return value is not None and value is not False
