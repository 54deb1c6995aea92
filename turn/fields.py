"""Reads the values of attributes in requests, and refuses bad values with the right error code.

Owns `Refused` and the error codes that the relay uses.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address

from turn.allocations import RELAY_ADDRESS
from turn.stun import Attribute, AttributeValue, Message, read_xor_address

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    420: "Unknown Attribute",
    437: "Allocation Mismatch",
    438: "Stale Nonce",
    440: "Address Family not Supported",
    441: "Wrong Credentials",
    442: "Unsupported Transport Protocol",
    443: "Peer Address Family Mismatch",
    486: "Allocation Quota Reached",
    508: "Insufficient Capacity",
}


class Refused(Exception):
    """The request is answered with this error."""

    def __init__(self, code: int, attributes: Iterable[AttributeValue] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.attributes = list(attributes)


def read_even_port(value: bytes) -> int:
    """Read the flags of EVEN-PORT (RFC 8656 18.7)."""
    if len(value) != 1:
        raise Refused(400)
    return value[0]


def read_family(value: bytes) -> int:
    """Read the family of REQUESTED- or ADDITIONAL-ADDRESS-FAMILY."""
    if len(value) != 4:
        raise Refused(400)
    return value[0]


def read_number(message: Message, kind: Attribute) -> int | None:
    """Read an attribute of 32 bits; None if it is missing."""
    value = message.get(kind)
    if value is None:
        return None
    if len(value) != 4:
        raise Refused(400)
    return int.from_bytes(value, "big")


def read_peer_port(value: bytes, message: Message) -> int:
    """Read the port of a peer's address, which must be one of the relay's own addresses."""
    peer = read_xor_address(value, message.transaction)
    if peer is None:
        raise Refused(400)
    address, port = peer
    if not isinstance(address, IPv4Address):
        raise Refused(443)
    if address != RELAY_ADDRESS:
        raise Refused(403)
    return port
