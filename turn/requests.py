"""Answers to STUN and TURN requests, as in RFC 8489 and RFC 8656.

Owns authentication, and what each request does to the table. Pure: the time is an argument.

Left out, as the RFCs allow: MESSAGE-INTEGRITY-SHA256 with PASSWORD-ALGORITHMS (the nonce does not
offer it), reserved ports, IPv6 relayed addresses, DONT-FRAGMENT, TCP to peers (RFC 6062).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from turn.access import REALM, Access
from turn.allocations import RELAY_HOST, Allocation, Allocations, Client
from turn.fields import (
    REASONS,
    Refused,
    read_even_port,
    read_family,
    read_number,
    read_peer_port,
)
from turn.limits import RelayLimits
from turn.stun import (
    FAMILY_IPV4,
    FAMILY_IPV6,
    Attribute,
    AttributeValue,
    Kind,
    Message,
    Method,
    encode,
    error_code,
    xor_address,
)

MIN_CHANNEL = 0x4000
MAX_CHANNEL = 0x7FFF  # For clients of RFC 5766; RFC 8656 12 ends at 0x4FFF.

_UDP = 17
_RESERVE_NEXT = 0x80  # The R bit of EVEN-PORT.
_FIRST_OPTIONAL = 0x8000  # A receiver may ignore unknown attributes from here on.
_MAX_UNKNOWN = 16  # An answer names at most this many.

# A server without DONT-FRAGMENT answers as if the attribute were unknown (RFC 8656 7.2).
KNOWN = frozenset(Attribute) - {Attribute.DONT_FRAGMENT}


@dataclass(frozen=True, slots=True)
class _Signed:
    """A request with a valid MESSAGE-INTEGRITY."""

    client: Client
    message: Message
    username: bytes
    peer_id: str
    room: str
    now: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and whether the request was signed by somebody with credentials."""

    data: bytes
    signed: bool


class Requests:
    """Answers requests.

    Attributes
    ----------
    refusals: how many requests were answered with each error code.
    """

    def __init__(self, table: Allocations, access: Access, limits: RelayLimits) -> None:
        self.refusals: Counter[int] = Counter()
        self._table = table
        self._access = access
        self._limits = limits
        self._handlers: dict[int, Callable[[_Signed], list[AttributeValue]]] = {
            Method.ALLOCATE: self._allocate,
            Method.REFRESH: self._refresh,
            Method.CREATE_PERMISSION: self._create_permission,
            Method.CHANNEL_BIND: self._channel_bind,
        }

    def answer(self, client: Client, message: Message, now: float) -> Answer | None:
        """Return the answer to a request; None if the method is not one of a relay.

        The answer to one that is not signed is short: FINGERPRINT only where the request has it,
        and no reason, which is for people alone (RFC 8489 14.8).
        """
        handler = self._handlers.get(message.method)
        if handler is None and message.method != Method.BINDING:
            return None
        key: bytes | None = None
        kind = Kind.SUCCESS
        try:
            if handler is None:
                _refuse_unknown(message)
                attributes = [_mapped(client, message)]
            else:
                request, key = self._authenticate(client, message, now)
                _refuse_unknown(message)
                attributes = handler(request)
        except Refused as refused:
            self.refusals[refused.code] += 1
            kind = Kind.ERROR
            code = error_code(refused.code, REASONS[refused.code] if key else "")
            attributes = [(Attribute.ERROR_CODE, code), *refused.attributes]
        signed = key is not None
        fingerprint = signed or message.fingerprint
        data = encode(
            message.method, kind, message.transaction, attributes, key, fingerprint=fingerprint
        )
        return Answer(data, signed)

    def _authenticate(self, client: Client, message: Message, now: float) -> tuple[_Signed, bytes]:
        """Check a request as in RFC 8489 9.2.4, and return it with the key for its answer."""
        if message.integrity is None:
            raise self._ask(401, client, now)
        username = message.get(Attribute.USERNAME)
        nonce = message.get(Attribute.NONCE)
        if username is None or nonce is None or message.get(Attribute.REALM) is None:
            raise Refused(400)
        if not self._access.is_fresh(nonce, client.name, now):
            raise self._ask(438, client, now)
        peer_id = self._access.peer_of(username)
        room = None if peer_id is None else self._access.room_of(peer_id)
        if peer_id is None or room is None:
            raise self._ask(401, client, now)
        key = self._access.key(username)
        if not message.is_signed_with(key):
            raise self._ask(401, client, now)
        allocation = self._table.live(client, now)
        # As in coturn, an allocation outlives the credentials that made it: a call continues while
        # its peer is in the room, and `revoke` ends it. Expired credentials make nothing new.
        mine = allocation is not None and allocation.username == username
        if not mine and self._access.is_expired(username):
            raise self._ask(401, client, now)
        return _Signed(client, message, username, peer_id, room, now), key

    def _ask(self, code: int, client: Client, now: float) -> Refused:
        nonce = self._access.nonce(client.name, now)
        return Refused(code, [(Attribute.REALM, REALM.encode()), (Attribute.NONCE, nonce)])

    def _allocate(self, request: _Signed) -> list[AttributeValue]:
        """Make an allocation: the steps of RFC 8656 7.2, in their order."""
        message, now = request.message, request.now
        existing = self._table.live(request.client, now)
        if existing is not None:
            again = (existing.transaction, existing.username)
            if again == (message.transaction, request.username):
                return existing.answer
            raise Refused(437)
        even, extra = _wanted(message)
        if self._table.count_of(request.peer_id) >= self._limits.allocations_per_peer:
            raise Refused(486)
        if self._table.is_full():
            raise Refused(508)
        lifetime = self._lifetime(message)
        allocation = self._table.add(
            request.client,
            request.peer_id,
            request.room,
            request.username,
            lifetime,
            now,
            even=even,
        )
        relayed = xor_address(RELAY_HOST, allocation.port, message.transaction)
        allocation.transaction = message.transaction
        allocation.answer = [
            (Attribute.XOR_RELAYED_ADDRESS, relayed),
            (Attribute.LIFETIME, lifetime.to_bytes(4, "big")),
            _mapped(request.client, message),
            *extra,
        ]
        return allocation.answer

    def _refresh(self, request: _Signed) -> list[AttributeValue]:
        """Refresh or delete an allocation (RFC 8656 8.2)."""
        allocation = self._allocation_of(request)
        family = request.message.get(Attribute.REQUESTED_ADDRESS_FAMILY)
        if family is not None and read_family(family) != FAMILY_IPV4:
            raise Refused(443)
        lifetime = self._lifetime(request.message)
        if read_number(request.message, Attribute.LIFETIME) == 0:
            lifetime = 0
            self._table.remove(allocation)
        else:
            allocation.expires = request.now + lifetime
            self._table.touch()
        return [(Attribute.LIFETIME, lifetime.to_bytes(4, "big"))]

    def _create_permission(self, request: _Signed) -> list[AttributeValue]:
        """Permit all named peers or none (RFC 8656 9.2)."""
        allocation = self._allocation_of(request)
        values = request.message.all(Attribute.XOR_PEER_ADDRESS)
        if not values:
            raise Refused(400)
        ports = {read_peer_port(value, request.message) for value in values}
        if not self._table.permit(allocation, ports, request.now):
            raise Refused(508)
        return []

    def _channel_bind(self, request: _Signed) -> list[AttributeValue]:
        """Bind a channel to a peer (RFC 8656 12.2)."""
        allocation = self._allocation_of(request)
        number_value = request.message.get(Attribute.CHANNEL_NUMBER)
        peer = request.message.get(Attribute.XOR_PEER_ADDRESS)
        if number_value is None or len(number_value) != 4 or peer is None:
            raise Refused(400)
        number = int.from_bytes(number_value[:2], "big")
        if not MIN_CHANNEL <= number <= MAX_CHANNEL:
            raise Refused(400)
        port = read_peer_port(peer, request.message)
        allocation.drop_expired(request.now)
        bound = allocation.channels.get(number)
        if (bound and bound.port != port) or allocation.numbers.get(port, number) != number:
            raise Refused(400)
        if not self._table.bind(allocation, number, port, request.now):
            raise Refused(508)
        return []

    def _allocation_of(self, request: _Signed) -> Allocation:
        allocation = self._table.live(request.client, request.now)
        if allocation is None:
            raise Refused(437)
        if allocation.username != request.username:
            raise Refused(441)
        return allocation

    def _lifetime(self, message: Message) -> int:
        """Return the requested lifetime, but at least the default and at most the maximum."""
        asked = read_number(message, Attribute.LIFETIME) or 0
        return max(self._limits.default_lifetime, min(asked, self._limits.max_lifetime))


def _wanted(message: Message) -> tuple[bool, list[AttributeValue]]:
    """Check an Allocate request. Return whether it wants an even port, and what else to answer."""
    transport = message.get(Attribute.REQUESTED_TRANSPORT)
    if transport is None or len(transport) != 4:
        raise Refused(400)
    if transport[0] != _UDP:
        raise Refused(442)
    family = message.get(Attribute.REQUESTED_ADDRESS_FAMILY)
    extra = message.get(Attribute.ADDITIONAL_ADDRESS_FAMILY)
    even = message.get(Attribute.EVEN_PORT)
    reserve = even is not None and read_even_port(even) & _RESERVE_NEXT
    if message.get(Attribute.RESERVATION_TOKEN) is not None:
        if even is not None or family is not None or extra is not None:
            raise Refused(400)
        raise Refused(508)  # No port is ever reserved, so no token is valid.
    if extra is not None and (family is not None or reserve or read_family(extra) != FAMILY_IPV6):
        raise Refused(400)
    if family is not None and read_family(family) != FAMILY_IPV4:
        raise Refused(440)
    if reserve:
        raise Refused(508)
    return even is not None, [] if extra is None else [_no_ipv6()]


def _no_ipv6() -> AttributeValue:
    code = error_code(440, REASONS[440])
    return Attribute.ADDRESS_ERROR_CODE, bytes((FAMILY_IPV6, *code[1:]))


def _mapped(client: Client, message: Message) -> AttributeValue:
    return Attribute.XOR_MAPPED_ADDRESS, xor_address(*client.address, message.transaction)


def _refuse_unknown(message: Message) -> None:
    unknown = unknown_attributes(message)
    if unknown:
        named = b"".join(kind.to_bytes(2, "big") for kind in unknown[:_MAX_UNKNOWN])
        raise Refused(420, [(Attribute.UNKNOWN_ATTRIBUTES, named)])


def unknown_attributes(message: Message) -> list[int]:
    """Return the attributes that must be understood but are not (RFC 8489 6.3.1)."""
    found = (kind for kind, _ in message.attributes)
    return list(dict.fromkeys(k for k in found if k < _FIRST_OPTIONAL and k not in KNOWN))
