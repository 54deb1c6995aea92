"""turn.stun: the wire format, compared with the RFC's own examples and with aioice's codec."""

import hashlib
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from aioice import stun as aioice_stun
from hypothesis import given, settings
from hypothesis import strategies as st

from turn import stun
from turn.stun import Attribute, Kind, Method

SHORT_TERM = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")

# RFC 5769, sections 2.1 to 2.4.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
IPV4_RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6_RESPONSE = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e"
    "00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e"
    "6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)


def parsed(data: bytes) -> stun.Message:
    """Parse a message, which must be well-formed."""
    message = stun.parse(data)
    assert message is not None
    return message


def test_sample_request() -> None:
    """RFC 5769 2.1: the request is read, and its integrity is right only for its own password."""
    message = parsed(REQUEST)
    assert (message.method, message.kind) == (Method.BINDING, Kind.REQUEST)
    assert message.transaction == TRANSACTION
    assert message.get(Attribute.USERNAME) == b"evtj:h6vY"
    assert message.is_signed_with(SHORT_TERM)
    assert not message.is_signed_with(SHORT_TERM + b"x")


@pytest.mark.parametrize(
    ("data", "host"),
    [(IPV4_RESPONSE, "192.0.2.1"), (IPV6_RESPONSE, "2001:db8:1234:5678:11:2233:4455:6677")],
)
def test_sample_responses(data: bytes, host: str) -> None:
    """RFC 5769 2.2 and 2.3: integrity and address are right; the address is written the same."""
    message = parsed(data)
    assert message.kind == Kind.SUCCESS
    assert message.is_signed_with(SHORT_TERM)
    value = message.get(Attribute.XOR_MAPPED_ADDRESS)
    assert value is not None
    assert stun.read_xor_address(value, TRANSACTION) == (ip_address(host), 32853)
    assert stun.xor_address(host, 32853, TRANSACTION) == value


def test_sample_with_long_term_credentials() -> None:
    """RFC 5769 2.4: the integrity is right for MD5(user name:realm:password)."""
    message = parsed(LONG_TERM)
    username = message.get(Attribute.USERNAME)
    assert username == "マトリックス".encode()
    key = hashlib.md5(username + b":example.org:TheMatrIX", usedforsecurity=False).digest()
    assert message.is_signed_with(key)


@pytest.mark.parametrize("data", [REQUEST, IPV4_RESPONSE, LONG_TERM])
def test_every_bit_counts(data: bytes) -> None:
    """A message with one bit changed is not read, or has another integrity or type."""
    before = parsed(data)
    key = SHORT_TERM if data != LONG_TERM else _long_term_key()
    end = len(data) if data == LONG_TERM else len(data) - 8
    for position in range(end):
        for bit in (1, 0x80):
            turned = bytearray(data)
            turned[position] ^= bit
            message = stun.parse(bytes(turned))
            assert message is None or not message.is_signed_with(key), (position, bit)
    assert before.is_signed_with(key)


def _long_term_key() -> bytes:
    text = "マトリックス:example.org:TheMatrIX"
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def test_what_stands_after_the_integrity_is_ignored() -> None:
    """After MESSAGE-INTEGRITY, only FINGERPRINT counts (RFC 8489 14.5)."""
    data = stun.encode(Method.ALLOCATE, Kind.REQUEST, TRANSACTION, [], b"key")[:-8]
    data += stun.attribute(Attribute.USERNAME, b"mallory") + stun.attribute(0x7777, b"x")
    data = data[:2] + struct.pack("!H", len(data) - 20) + data[4:]
    message = parsed(data)
    assert message.attributes == []
    assert message.is_signed_with(b"key")


def test_the_first_of_equal_attributes_counts() -> None:
    """Of several equal attributes the first one counts; `all` returns every one."""
    pairs = [(Attribute.REALM, b"one"), (Attribute.REALM, b"two")]
    message = parsed(stun.encode(Method.REFRESH, Kind.REQUEST, TRANSACTION, pairs))
    assert message.get(Attribute.REALM) == b"one"
    assert message.all(Attribute.REALM) == [b"one", b"two"]
    assert message.get(Attribute.NONCE) is None


def raw(body: bytes, *, length: int | None = None, cookie: bytes = stun.MAGIC_COOKIE) -> bytes:
    """Make a Binding request with any body."""
    size = len(body) if length is None else length
    return struct.pack("!HH4s12s", 1, size, cookie, TRANSACTION) + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        raw(b"")[:19],
        raw(b"", length=4),
        raw(b"\0\0\0\0", length=0),
        raw(b"\0\x06", length=2),
        raw(b"", cookie=b"\0\0\0\0"),
        b"\x40" + raw(b"")[1:],
        b"\x80" + raw(b"")[1:],
        raw(stun.attribute(Attribute.REALM, b"abcd")[:3] + b"\x05abcd"),
        raw(stun.attribute(Attribute.MESSAGE_INTEGRITY, bytes(19))),
        raw(stun.attribute(Attribute.MESSAGE_INTEGRITY, bytes(24))),
        raw(stun.attribute(Attribute.FINGERPRINT, bytes(4))),
        raw(stun.attribute(Attribute.FINGERPRINT, b"")),
        stun.encode(1, Kind.REQUEST, TRANSACTION, []) + b"\0\0\0\0",
    ],
)
def test_malformed(data: bytes) -> None:
    """A message that is cut off, too long, without a cookie, or with a wrong fingerprint is not
    read.
    """
    assert stun.parse(data) is None


def test_nothing_stands_after_the_fingerprint() -> None:
    """FINGERPRINT must be the last attribute (RFC 8489 14.7)."""
    data = stun.encode(1, Kind.REQUEST, TRANSACTION, []) + stun.attribute(0x8022, b"more")
    data = data[:2] + struct.pack("!H", len(data) - 20) + data[4:]
    assert stun.parse(data) is None


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\1", bytes(8), b"\0\1" + bytes(18), b"\0\3ab"])
def test_malformed_addresses(value: bytes) -> None:
    """An address whose size does not fit its family is not read."""
    assert stun.read_xor_address(value, TRANSACTION) is None


METHODS = st.sampled_from(list(Method))
KINDS = st.sampled_from(list(Kind))
TEXTS = st.text(max_size=40)
ADDRESSES = st.tuples(st.ip_addresses().map(str), st.integers(0, 65535))
TRANSACTIONS = st.binary(min_size=12, max_size=12)


@settings(deadline=None)
@given(
    METHODS, KINDS, TRANSACTIONS, TEXTS, st.binary(max_size=40), ADDRESSES, st.binary(min_size=1)
)
def test_aioice_reads_what_is_written(
    method: Method,
    kind: Kind,
    transaction: bytes,
    username: str,
    nonce: bytes,
    address: tuple[str, int],
    key: bytes,
) -> None:
    """aioice reads the same message from the bytes, and finds its integrity right."""
    attributes = [
        (Attribute.USERNAME, username.encode()),
        (Attribute.NONCE, nonce),
        (Attribute.XOR_PEER_ADDRESS, stun.xor_address(*address, transaction)),
        (Attribute.LIFETIME, b"\0\0\x02\x58"),
        (Attribute.ERROR_CODE, stun.error_code(438, "Stale Nonce")),
    ]
    data = stun.encode(method, kind, transaction, attributes, key)
    theirs = aioice_stun.parse_message(data)
    assert (int(theirs.message_method), int(theirs.message_class)) == (method, kind)
    assert theirs.transaction_id == transaction
    assert theirs.check_message_integrity(key)
    expected: dict[str, Any] = {
        "USERNAME": username,
        "NONCE": nonce,
        "XOR-PEER-ADDRESS": address,
        "LIFETIME": 600,
        "ERROR-CODE": (438, "Stale Nonce"),
    }
    assert {name: theirs.attributes[name] for name in expected} == expected
    assert bytes(theirs) == data


@settings(deadline=None)
@given(METHODS, KINDS, TRANSACTIONS, TEXTS, ADDRESSES, st.binary(min_size=1))
def test_what_aioice_writes_is_read(
    method: Method,
    kind: Kind,
    transaction: bytes,
    realm: str,
    address: tuple[str, int],
    key: bytes,
) -> None:
    """A message from aioice is read, with the right integrity and the same address."""
    theirs = aioice_stun.Message(
        aioice_stun.Method(method),
        aioice_stun.Class(kind),
        transaction,
        {"REALM": realm, "XOR-MAPPED-ADDRESS": address},
    )
    theirs.add_message_integrity(key)
    message = parsed(bytes(theirs))
    assert (message.method, message.kind, message.transaction) == (method, kind, transaction)
    assert message.is_signed_with(key)
    assert message.get(Attribute.REALM) == realm.encode()
    value = message.get(Attribute.XOR_MAPPED_ADDRESS)
    assert value is not None
    assert stun.read_xor_address(value, transaction) == (ip_address(address[0]), address[1])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_no_message(data: bytes) -> None:
    """Any bytes are either read or not; nothing is raised."""
    for candidate in (data, data[:4] + stun.MAGIC_COOKIE + data[8:], raw(data)):
        message = stun.parse(candidate)
        assert message is None or not message.is_signed_with(b"key")
