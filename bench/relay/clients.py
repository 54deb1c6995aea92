"""Two TURN clients of one relay, each with an allocation and a channel to the other (RFC 8656)."""

import hashlib
import secrets
import select
import socket
import struct
from dataclasses import dataclass, field

from bench.relay.load import PAYLOAD_BYTES, Pair, connected
from turn import stun
from turn.stun import Attribute, Kind, Method

_CHANNEL = 0x4000
_ANSWER_SECONDS = 0.5
_TRIES = 6
_UDP = bytes((17, 0, 0, 0))


class ClientError(Exception):
    """The relay did not do what a client asked for. The message says what."""


@dataclass(frozen=True)
class Login:
    """A user name and its password."""

    username: str
    password: str = field(repr=False)


class _Client:
    def __init__(self, server: tuple[str, int], login: Login) -> None:
        self.socket = connected(server)
        self._login = login
        self._signing: list[stun.AttributeValue] = []
        self._key: bytes | None = None

    def allocate(self) -> bytes:
        """Make an allocation. Returns the port and address of its relay side, in network order."""
        wanted = [(Attribute.REQUESTED_TRANSPORT, _UDP)]
        refused = self._ask(Method.ALLOCATE, wanted)
        realm, nonce = refused.get(Attribute.REALM), refused.get(Attribute.NONCE)
        if refused.kind is not Kind.ERROR or realm is None or nonce is None:
            raise ClientError("The relay did not ask for credentials.")
        name = self._login.username.encode()
        secret = name + b":" + realm + b":" + self._login.password.encode()
        # The protocol requires MD5 (RFC 8489 section 9.2.2).
        self._key = hashlib.md5(secret, usedforsecurity=False).digest()
        self._signing = [
            (Attribute.USERNAME, name),
            (Attribute.REALM, realm),
            (Attribute.NONCE, nonce),
        ]
        granted = self._must(Method.ALLOCATE, wanted)
        address = granted.get(Attribute.XOR_RELAYED_ADDRESS)
        found = address and stun.read_xor_address(address, granted.transaction)
        if not found:
            raise ClientError("The relay did not tell the relayed address.")
        return struct.pack("!H", found[1]) + found[0].packed

    def bind(self, peer: bytes) -> None:
        """Bind the channel to a peer, given as `allocate` returns it."""
        host, port = socket.inet_ntoa(peer[2:]), int.from_bytes(peer[:2], "big")
        transaction = secrets.token_bytes(12)
        attributes = [
            (Attribute.CHANNEL_NUMBER, struct.pack("!HH", _CHANNEL, 0)),
            (Attribute.XOR_PEER_ADDRESS, stun.xor_address(host, port, transaction)),
        ]
        self._must(Method.CHANNEL_BIND, attributes, transaction)

    def _must(
        self, method: Method, attributes: list[tuple[Attribute, bytes]], transaction: bytes = b""
    ) -> stun.Message:
        answer = self._ask(method, attributes, transaction)
        if answer.kind is not Kind.SUCCESS:
            code = answer.get(Attribute.ERROR_CODE) or bytes(4)
            reason = code[4:].decode(errors="replace")
            raise ClientError(f"The relay refused {method.name}: {code[2]}{code[3]:02} {reason}")
        return answer

    def _ask(
        self, method: Method, attributes: list[tuple[Attribute, bytes]], transaction: bytes = b""
    ) -> stun.Message:
        transaction = transaction or secrets.token_bytes(12)
        request = stun.encode(
            method, Kind.REQUEST, transaction, [*attributes, *self._signing], self._key
        )
        for _ in range(_TRIES):
            self.socket.send(request)
            while select.select([self.socket], [], [], _ANSWER_SECONDS)[0]:
                answer = stun.parse(self.socket.recv(2048))
                if answer is not None and answer.transaction == transaction:
                    return answer
        raise ClientError(f"The relay does not answer {method.name}.")


def relayed_pair(server: tuple[str, int], logins: tuple[Login, Login]) -> Pair:
    """Make two allocations on one relay, connect them by channels, and return their sockets.

    Raises
    ------
    ClientError: the relay refuses, or does not answer.
    OSError: nothing listens there.
    """
    one, other = (_Client(server, login) for login in logins)
    addresses = one.allocate(), other.allocate()
    one.bind(addresses[1])
    other.bind(addresses[0])
    return Pair(one.socket, other.socket, struct.pack("!HH", _CHANNEL, PAYLOAD_BYTES))
