"""The embedded relay's core: a packet from a client comes in, packets to clients go out.

Owns how data gets from one allocation to another, and the counts. Pure: no socket, no clock, no
await.
"""

import os
import struct
from collections import Counter

from turn import stun
from turn.access import Access
from turn.allocations import RELAY_ADDRESS, Allocation, Allocations, Client
from turn.amplification import Amplification
from turn.credentials import Credentials
from turn.limits import RelayLimits
from turn.requests import Requests, unknown_attributes
from turn.stun import Attribute, Kind, Message, Method

Figures = dict[str, int | dict[str, int]]

_HEADER = struct.Struct("!HH")
_CHANNEL_HEADER = 4
_DATA_INDICATION = Method.DATA | Kind.INDICATION
_MAX_DATA = 65000  # More fits neither a UDP datagram nor the 16-bit length of an indication.


class Relay:
    """Relays between its own clients, and nowhere else.

    Parameters
    ----------
    access: decides who may use the relay.
    limits: how much they may use it.
    """

    def __init__(self, access: Access, limits: RelayLimits) -> None:
        self._access = access
        self._table = Allocations(limits)
        self._requests = Requests(self._table, access, limits)
        self._amplification = Amplification(limits)
        self._packets = 0
        self._bytes = 0
        self.drops: Counter[str] = Counter()
        """Counts packets that were not relayed, by reason."""
        self.unsigned: Counter[str] = Counter(answered=0, withheld=0)
        """Counts requests over UDP that nobody had signed, by what was done with them."""

    def receive(self, client: Client, data: memoryview, now: float) -> None:
        """Process one datagram, or one whole message of a TCP stream.

        Parameters
        ----------
        client: the client that sent it.
        data: writable; its first bytes may be overwritten.
        now: seconds of a clock that only goes forward.
        """
        first = data[0] if data else 0xFF
        if first & 0xC0 == 0x40:
            self._channel_data(client, data, now)
            return
        message = stun.parse(bytes(data))
        if message is None:
            self.drops["malformed"] += 1
        elif message.kind == Kind.REQUEST:
            self._request(client, message, len(data), now)
        elif message.kind == Kind.INDICATION and message.method == Method.SEND:
            self._send_indication(client, message, now)

    def forget(self, client: Client) -> None:
        """Delete the allocation of a client that can no longer be reached."""
        if client.allocation is not None:
            self._table.remove(client.allocation)

    def issue(self, peer_id: str, room: str, now: float) -> Credentials:
        """Make credentials for one peer of a room; `now` is Unix time in seconds.

        A peer is in one room at a time: what it had allocated for another one is deleted.
        """
        if self._access.room_of(peer_id) != room:
            self._table.remove_all_of(peer_id)
        return self._access.issue(peer_id, room, now)

    def revoke(self, peer_id: str) -> None:
        """Refuse a peer from now on, and delete its allocations."""
        self._access.revoke(peer_id)
        self._table.remove_all_of(peer_id)

    def sweep(self, now: float) -> None:
        """Delete what has expired. Call this about once a second."""
        self._table.sweep(now)

    def figures(self) -> Figures:
        """Return counts: `allocations` is the current number, the others count from the start."""
        return {
            "allocations": len(self._table),
            "packets": self._packets,
            "bytes": self._bytes,
            "drops": dict(self.drops),
            "unsigned": dict(self.unsigned),
            "refusals": {str(code): n for code, n in sorted(self._requests.refusals.items())},
        }

    def _request(self, client: Client, message: Message, size: int, now: float) -> None:
        answer = self._requests.answer(client, message, now)
        if answer is None:
            return
        if client.forgeable and not answer.signed:
            host, _port = client.address
            if not self._amplification.allows(host, size, len(answer.data), now):
                self.unsigned["withheld"] += 1
                return
            self.unsigned["answered"] += 1
        if not client.send(answer.data):
            self.drops["slow"] += 1

    def _channel_data(self, client: Client, data: memoryview, now: float) -> None:
        """Relay ChannelData (RFC 8656 12.6)."""
        source = client.allocation
        if source is None or len(data) < _CHANNEL_HEADER:
            self.drops["malformed" if source else "no allocation"] += 1
            return
        number, length = _HEADER.unpack_from(data)
        channel = source.channels.get(number)
        end = _CHANNEL_HEADER + length
        if channel is None or channel.expires <= now:
            self.drops["no channel"] += 1
            return
        if end > len(data) or length > _MAX_DATA:
            self.drops["malformed"] += 1
            return
        route = channel.route
        if route.version != self._table.version or route.until <= now:
            route = channel.route = self._table.route(source, channel.port, now)
        target = route.target
        if target is None:
            self.drops["no permission"] += 1
        elif not source.owner.bucket.take(end, now):
            self.drops["rate"] += 1
        elif route.channel is not None:
            # Only the channel number changes, from the source's to the target's.
            _HEADER.pack_into(data, 0, route.channel, length)
            self._hand_over(target, data[:end], length)
        else:
            self._hand_over(target, _data_indication(source, data[_CHANNEL_HEADER:end]), length)

    def _send_indication(self, client: Client, message: Message, now: float) -> None:
        """Relay a Send indication (RFC 8656 11.2); drop it silently if anything is wrong."""
        source = self._table.live(client, now)
        if source is None:
            self.drops["no allocation"] += 1
            return
        data = message.get(Attribute.DATA)
        value = message.get(Attribute.XOR_PEER_ADDRESS)
        peer = stun.read_xor_address(value, message.transaction) if value else None
        if data is None or len(data) > _MAX_DATA or peer is None or unknown_attributes(message):
            self.drops["malformed"] += 1
            return
        host, port = peer
        route = self._table.route(source, port, now) if host == RELAY_ADDRESS else None
        if route is None or route.target is None:
            self.drops["no permission"] += 1
        elif not source.owner.bucket.take(len(data) + _CHANNEL_HEADER, now):
            self.drops["rate"] += 1
        elif route.channel is not None:
            packet = _HEADER.pack(route.channel, len(data)) + data
            self._hand_over(route.target, packet, len(data))
        else:
            self._hand_over(route.target, _data_indication(source, data), len(data))

    def _hand_over(self, target: Allocation, packet: bytes | memoryview, size: int) -> None:
        if target.client.send(packet):
            self._packets += 1
            self._bytes += size
        else:
            self.drops["slow"] += 1


def _data_indication(source: Allocation, data: bytes | memoryview) -> bytes:
    """Make a Data indication (RFC 8656 11.3)."""
    transaction = os.urandom(12)
    body = source.peer_attribute + stun.attribute(Attribute.DATA, bytes(data))
    return _HEADER.pack(_DATA_INDICATION, len(body)) + stun.MAGIC_COOKIE + transaction + body
