"""The STUN wire format (RFC 8489), as far as a TURN relay speaks it (RFC 8656).

Owns bytes to message and back: framing, integrity, fingerprint, addresses. Says nothing of what a
message means, keeps no state. Imports nothing of the project.

aioice has a codec too, a client's: it drops the attributes that it does not know, which a server
must name in its answer (RFC 8489 6.3.1), keeps one XOR-PEER-ADDRESS of several and the last of
equal attributes, and its import doubles the start of the server. The tests hold the two together.
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
_INTEGRITY_BYTES = 24  # With the attribute's own header.
_FINGERPRINT_BYTES = 8
_METHOD_BITS = 0x3EEF
_KIND_BITS = 0x0110

AttributeValue = tuple[int, bytes]
"""The type of an attribute and its value, without padding."""


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
    """The class of a message; `class` is taken in Python."""

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
    attributes: in their order; what stands after MESSAGE-INTEGRITY is not among them, nor are
        MESSAGE-INTEGRITY and FINGERPRINT.
    integrity: the value of MESSAGE-INTEGRITY, not checked yet; None: there is none.
    covered: the bytes that it covers.
    """

    method: int
    kind: Kind
    transaction: bytes
    attributes: list[AttributeValue]
    integrity: bytes | None
    covered: bytes

    def get(self, kind: Attribute) -> bytes | None:
        """The first attribute of a type; further ones do not count (RFC 8489 section 14)."""
        return next((value for found, value in self.attributes if found == kind), None)

    def all(self, kind: Attribute) -> list[bytes]:
        """All attributes of a type."""
        return [value for found, value in self.attributes if found == kind]

    def is_signed_with(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY is there and right."""
        if self.integrity is None:
            return False
        return hmac.compare_digest(self.integrity, hmac.digest(key, self.covered, "sha1"))


def parse(data: bytes) -> Message | None:
    """Read one whole message; None where it is no well-formed STUN message."""
    if len(data) < HEADER_BYTES or data[0] & 0xC0 or data[4:8] != MAGIC_COOKIE:
        return None
    number, length = struct.unpack_from("!HH", data)
    if length % 4 or HEADER_BYTES + length != len(data):
        return None
    attributes: list[AttributeValue] = []
    integrity: bytes | None = None
    covered = b""
    position = HEADER_BYTES
    while position < len(data):
        # The rest is a multiple of 4 and not 0: the four bytes are there.
        kind, size = struct.unpack_from("!HH", data, position)
        end = position + 4 + size
        if end > len(data):
            return None
        value = data[position + 4 : end]
        if kind == Attribute.FINGERPRINT:
            after = position + _FINGERPRINT_BYTES
            if size != 4 or after != len(data) or value != _fingerprint(data[:position]):
                return None
        elif integrity is not None:
            pass  # Not covered by the integrity, so not to be believed (RFC 8489 section 14.5).
        elif kind == Attribute.MESSAGE_INTEGRITY:
            if size != _INTEGRITY_BYTES - 4:
                return None
            integrity = value
            covered = _with_length(data[:position], position + _INTEGRITY_BYTES)
        else:
            attributes.append((kind, value))
        position = end + -size % 4
    kind_bits = Kind(number & _KIND_BITS)
    return Message(number & _METHOD_BITS, kind_bits, data[8:20], attributes, integrity, covered)


def encode(
    method: int,
    kind: Kind,
    transaction: bytes,
    attributes: Iterable[AttributeValue],
    key: bytes | None = None,
) -> bytes:
    """Write a message with FINGERPRINT, and with MESSAGE-INTEGRITY where there is a key."""
    header = struct.pack("!HH4s12s", method | kind, 0, MAGIC_COOKIE, transaction)
    data = header + b"".join(attribute(number, value) for number, value in attributes)
    if key is not None:
        covered = _with_length(data, len(data) + _INTEGRITY_BYTES)
        digest = hmac.digest(key, covered, "sha1")
        data += attribute(Attribute.MESSAGE_INTEGRITY, digest)
    data += attribute(Attribute.FINGERPRINT, _fingerprint(data))
    return _with_length(data, len(data))


def attribute(kind: int, value: bytes) -> bytes:
    """Write one attribute, padded."""
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
    """Read the value of an XOR-...-ADDRESS attribute; None where it is malformed."""
    if len(value) < 2 or (value[1], len(value)) not in ((FAMILY_IPV4, 8), (FAMILY_IPV6, 20)):
        return None
    plain = _xor(value[2:], transaction)
    return ip_address(plain[2:]), int.from_bytes(plain[:2], "big")


def error_code(code: int, reason: str) -> bytes:
    """Write the value of ERROR-CODE."""
    return bytes((0, 0, code // 100, code % 100)) + reason.encode()


def _xor(plain: bytes, transaction: bytes) -> bytes:
    # The port is combined with the start of the cookie, the address with cookie and transaction.
    pad = (MAGIC_COOKIE[:2] + MAGIC_COOKIE + transaction)[: len(plain)]
    mixed = int.from_bytes(plain, "big") ^ int.from_bytes(pad, "big")
    return mixed.to_bytes(len(plain), "big")


def _with_length(data: bytes, end: int) -> bytes:
    """The message with the length in its header as if it ended there."""
    return data[:2] + struct.pack("!H", end - HEADER_BYTES) + data[4:]


def _fingerprint(data: bytes) -> bytes:
    covered = _with_length(data, len(data) + _FINGERPRINT_BYTES)
    return struct.pack("!I", binascii.crc32(covered) ^ _FINGERPRINT_XOR)
