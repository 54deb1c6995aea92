"""Clients of the signaling servers, which speak this project's protocol or PeerJS's."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

from bench.signaling.wires import HttpWire, WebSocketWire, Wire

ANSWER_SECONDS = 10.0

SDP = "v=0\r\n" + "a=rtpmap:96 VP8/90000\r\n" * 130
"""As long as the offer of a browser with video and audio: about 3 KB."""

_OTHER = {"sender": "receiver", "receiver": "sender"}


class Dialect(Protocol):
    """The protocol of one of the servers."""

    title: str

    @property
    def heartbeat(self) -> str | None:
        """What a client sends from time to time; None if the server asks instead."""

    async def open(self, port: int, room: str, role: str, take: Callable[[bytes], None]) -> Wire:
        """Connect."""

    def greeting(self, room: str, role: str, resume: str | None) -> str | None:
        """What a client sends first; None if the server speaks first."""

    def message(self, kind: str, text: str, room: str, role: str) -> str:
        """An offer, answer or candidate from the client of this role."""

    def read(self, message: dict[str, Any]) -> tuple[str, str]:
        """Kind and text of a message: "welcome", "offer", "answer", "candidate", or another."""


class Lenscast:
    """This project's protocol.

    Parameters
    ----------
    transport: "WebSocket" or "HTTP".
    """

    heartbeat = None

    def __init__(self, transport: str) -> None:
        self.title = f"Lenscast, {transport}"
        self._over_http = transport == "HTTP"

    async def open(self, port: int, _room: str, _role: str, take: Callable[[bytes], None]) -> Wire:
        """Connect."""
        if self._over_http:
            return await HttpWire.open(port, "/events", take)
        return await WebSocketWire.open(port, "/ws", take)

    def greeting(self, room: str, role: str, resume: str | None) -> str | None:
        """The register message."""
        fields = {"type": "register", "room": room, "role": role}
        return json.dumps({**fields, "resume": resume} if resume else fields)

    def message(self, kind: str, text: str, _room: str, _role: str) -> str:
        """A message to the only other peer in the room, which need not be named."""
        if kind != "candidate":
            return json.dumps({"type": kind, "sdp": text})
        candidate = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0}
        return json.dumps({"type": "ice-candidate", "candidate": candidate})

    def read(self, message: dict[str, Any]) -> tuple[str, str]:
        """Kind and text."""
        match message["type"]:
            case "registered":
                return "welcome", message.get("resume", "")
            case "offer" | "answer" as kind:
                return kind, message["sdp"]
            case "ice-candidate":
                return "candidate", message["candidate"]["candidate"]
            case other:
                return other, message.get("code", "")


class PeerJs:
    """PeerJS's protocol."""

    title = "PeerJS"
    heartbeat = '{"type": "HEARTBEAT"}'

    async def open(self, port: int, room: str, role: str, take: Callable[[bytes], None]) -> Wire:
        """Connect. The URL says which client this is."""
        query = f"key=peerjs&id={room}-{role}&token={room}&version=1.5.5"
        return await WebSocketWire.open(port, f"/peerjs/peerjs?{query}", take)

    def greeting(self, _room: str, _role: str, _resume: str | None) -> str | None:
        """None, because the server speaks first."""
        return None

    def message(self, kind: str, text: str, room: str, role: str) -> str:
        """A message to the other peer of the pair, as PeerJS's client writes it."""
        payload: dict[str, object] = {"type": "media", "connectionId": f"mc_{room}"}
        if kind == "candidate":
            payload["candidate"] = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0}
        else:
            payload["sdp"] = {"type": kind, "sdp": text}
        return json.dumps(
            {"type": kind.upper(), "payload": payload, "dst": f"{room}-{_OTHER[role]}"}
        )

    def read(self, message: dict[str, Any]) -> tuple[str, str]:
        """Kind and text."""
        match message["type"]:
            case "OPEN":
                return "welcome", ""
            case "OFFER" | "ANSWER" as kind:
                return kind.lower(), message["payload"]["sdp"]["sdp"]
            case "CANDIDATE":
                return "candidate", message["payload"]["candidate"]["candidate"]
            case other:
                return other, str(message.get("payload", ""))


class Peer:
    """One client that has joined.

    Attributes
    ----------
    resume: the token with which it may come back.
    on_candidate: called with the text of each candidate.
    errors: the codes of the errors that it has received.
    """

    def __init__(self, dialect: Dialect, room: str, role: str) -> None:
        self.resume = ""
        self.on_candidate: Callable[[str], None] = lambda _: None
        self.errors: list[str] = []
        self._dialect = dialect
        self._room = room
        self._role = role
        self._expected: dict[str, asyncio.Future[str]] = {}
        self._wire: Wire

    @classmethod
    async def join(
        cls, dialect: Dialect, port: int, room: str, role: str, resume: str | None = None
    ) -> "Peer":
        """Connect and register.

        Raises
        ------
        TimeoutError, ConnectionError: the server does not answer, or refuses.
        """
        peer = cls(dialect, room, role)
        welcome = peer.expect("welcome")
        async with asyncio.timeout(ANSWER_SECONDS):
            peer._wire = await dialect.open(port, room, role, peer._take)
            if (greeting := dialect.greeting(room, role, resume)) is not None:
                peer._wire.send(greeting)
            peer.resume = await welcome
        return peer

    @property
    def lost(self) -> bool:
        """Whether the connection has ended without `leave` or `break_off`."""
        return self._wire.lost

    def expect(self, kind: str) -> "asyncio.Future[str]":
        """The text of the next message of this kind."""
        self._expected[kind] = asyncio.get_running_loop().create_future()
        return self._expected[kind]

    def send(self, kind: str, text: str) -> None:
        """Send an offer, answer or candidate to the other peer of the pair."""
        self._wire.send(self._dialect.message(kind, text, self._room, self._role))

    def beat(self) -> None:
        """Send a heartbeat."""
        if self._dialect.heartbeat is not None:
            self._wire.send(self._dialect.heartbeat)

    def leave(self) -> None:
        """Say goodbye."""
        self._wire.close()

    def break_off(self) -> None:
        """End the connection without saying goodbye."""
        self._wire.abort()

    def _take(self, data: bytes) -> None:
        kind, text = self._dialect.read(json.loads(data))
        if kind == "candidate":
            self.on_candidate(text)
        elif (waiting := self._expected.pop(kind, None)) is not None and not waiting.done():
            waiting.set_result(text)
        elif kind in ("error", "ERROR"):
            self.errors.append(text)


async def set_up(sender: Peer, receiver: Peer) -> None:
    """Exchange an offer and an answer.

    Raises
    ------
    TimeoutError: one of them did not arrive.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        offered = receiver.expect("offer")
        sender.send("offer", SDP)
        await offered
        answered = sender.expect("answer")
        receiver.send("answer", SDP)
        await answered
