"""The STUN wire format (RFC 8489), as far as a TURN relay speaks it (RFC 8656).

Turns bytes into messages and back: framing, integrity, fingerprint, addresses. Does not interpret
messages and keeps no state.

aioice has a codec too, but it is made for clients. It drops attributes that it does not know, and a
server must name those in its answer (RFC 8489 6.3.1). It keeps only one of several XOR-PEER-ADDRESS
attributes, and the last of several equal ones. And importing it doubles the server's start time.
Tests compare the two codecs.
"""

import binascii
import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

MAGIC_COOKIE = b"\x21\x12\xa4\x42"
HEADER_BYTES = 20
FAMILY_IPV4 = 0x01
FAMILY_IPV6 = 0x02

_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_BYTES = 24  # Including the attribute's own header.
_FINGERPRINT_BYTES = 8
_METHOD_BITS = 0x3EEF
_KIND_BITS = 0x0110

AttributeValue = tuple[int, bytes]
"""The type and the value of an attribute, without padding."""


class Method(IntEnum):
    """STUN and TURN methods."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


class Kind(IntEnum):
    """The class of a message; Python reserves the word `class`."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Attribute(IntEnum):
    """Attributes that the relay reads or writes."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    EVEN_PORT = 0x0018
    REQUESTED_TRANSPORT = 0x0019
    DONT_FRAGMENT = 0x001A
    XOR_MAPPED_ADDRESS = 0x0020
    RESERVATION_TOKEN = 0x0022
    ADDITIONAL_ADDRESS_FAMILY = 0x8000
    ADDRESS_ERROR_CODE = 0x8001
    FINGERPRINT = 0x8028


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was read.

    Attributes
    ----------
    attributes: in their order, without MESSAGE-INTEGRITY, everything after it, and FINGERPRINT.
    integrity: the value of MESSAGE-INTEGRITY, not checked yet; None if there is none.
    covered: the bytes that it covers.
    fingerprint: whether there was a FINGERPRINT; it was right.
    """

    method: int
    kind: Kind
    transaction: bytes
    attributes: list[AttributeValue]
    integrity: bytes | None
    covered: bytes
    fingerprint: bool

    def get(self, kind: Attribute) -> bytes | None:
        """Return the first attribute of a type; later ones do not count (RFC 8489 14)."""
        return next((value for found, value in self.attributes if found == kind), None)

    def all(self, kind: Attribute) -> list[bytes]:
        """Return all attributes of a type."""
        return [value for found, value in self.attributes if found == kind]

    def is_signed_with(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY is present and correct."""
        if self.integrity is None:
            return False
        return hmac.compare_digest(self.integrity, hmac.digest(key, self.covered, "sha1"))


def parse(data: bytes) -> Message | None:
    """Read one whole message; return None if it is not a well-formed STUN message."""
    if len(data) < HEADER_BYTES or data[0] & 0xC0 or data[4:8] != MAGIC_COOKIE:
        return None
    number, length = struct.unpack_from("!HH", data)
    if length % 4 or HEADER_BYTES + length != len(data):
        return None
    attributes: list[AttributeValue] = []
    integrity: bytes | None = None
    covered = b""
    fingerprint = False
    position = HEADER_BYTES
    while position < len(data):
        # The rest is a multiple of 4 and not 0, so there are at least four bytes.
        kind, size = struct.unpack_from("!HH", data, position)
        end = position + 4 + size
        if end > len(data):
            return None
        value = data[position + 4 : end]
        if kind == Attribute.FINGERPRINT:
            after = position + _FINGERPRINT_BYTES
            if size != 4 or after != len(data) or value != _fingerprint(data[:position]):
                return None
            fingerprint = True
        elif integrity is not None:
            pass  # The integrity does not cover it, so it cannot be trusted (RFC 8489 14.5).
        elif kind == Attribute.MESSAGE_INTEGRITY:
            if size != _INTEGRITY_BYTES - 4:
                return None
            integrity = value
            covered = _with_length(data[:position], position + _INTEGRITY_BYTES)
        else:
            attributes.append((kind, value))
        position = end + -size % 4
    kind_bits = Kind(number & _KIND_BITS)
    return Message(
        number & _METHOD_BITS,
        kind_bits,
        data[8:20],
        attributes,
        integrity,
        covered,
        fingerprint,
    )


def encode(
    method: int,
    kind: Kind,
    transaction: bytes,
    attributes: Iterable[AttributeValue],
    key: bytes | None = None,
    *,
    fingerprint: bool = True,
) -> bytes:
    """Write a message, with MESSAGE-INTEGRITY if there is a key.

    Parameters
    ----------
    fingerprint: whether to add FINGERPRINT.
    """
    header = struct.pack("!HH4s12s", method | kind, 0, MAGIC_COOKIE, transaction)
    data = header + b"".join(attribute(number, value) for number, value in attributes)
    if key is not None:
        covered = _with_length(data, len(data) + _INTEGRITY_BYTES)
        digest = hmac.digest(key, covered, "sha1")
        data += attribute(Attribute.MESSAGE_INTEGRITY, digest)
    if fingerprint:
        data += attribute(Attribute.FINGERPRINT, _fingerprint(data))
    return _with_length(data, len(data))


def attribute(kind: int, value: bytes) -> bytes:
    """Write one attribute, with padding."""
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """Write the value of an XOR-...-ADDRESS attribute (RFC 8489 14.2)."""
    packed = ip_address(host).packed
    family = FAMILY_IPV4 if len(packed) == 4 else FAMILY_IPV6
    plain = struct.pack("!H", port) + packed
    return bytes((0, family)) + _xor(plain, transaction)


def read_xor_address(
    value: bytes, transaction: bytes
) -> tuple[IPv4Address | IPv6Address, int] | None:
    """Read the value of an XOR-...-ADDRESS attribute; return None if it is malformed."""
    if len(value) < 2 or (value[1], len(value)) not in ((FAMILY_IPV4, 8), (FAMILY_IPV6, 20)):
        return None
    plain = _xor(value[2:], transaction)
    return ip_address(plain[2:]), int.from_bytes(plain[:2], "big")


def error_code(code: int, reason: str) -> bytes:
    """Write the value of ERROR-CODE."""
    return bytes((0, 0, code // 100, code % 100)) + reason.encode()


def _xor(plain: bytes, transaction: bytes) -> bytes:
    # The port is XORed with the start of the cookie, the address with cookie and transaction.
    pad = (MAGIC_COOKIE[:2] + MAGIC_COOKIE + transaction)[: len(plain)]
    mixed = int.from_bytes(plain, "big") ^ int.from_bytes(pad, "big")
    return mixed.to_bytes(len(plain), "big")


def _with_length(data: bytes, end: int) -> bytes:
    """Return the message with the length in its header set as if it ended at `end`."""
    return data[:2] + struct.pack("!H", end - HEADER_BYTES) + data[4:]


def _fingerprint(data: bytes) -> bytes:
    covered = _with_length(data, len(data) + _FINGERPRINT_BYTES)
    return struct.pack("!I", binascii.crc32(covered) ^ _FINGERPRINT_XOR)
