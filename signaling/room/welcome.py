"""What a peer is given when it enters a room or comes back to it."""

from collections.abc import Callable, Iterator, Mapping

from signaling.room.deliveries import Delivery
from signaling.room.messages import IceServer, Invite, Registered, State
from signaling.room.room import Peer
from signaling.room.room_type import RoomType
from signaling.room.seals import Seals, Ticket
from signaling.room.terms import ALWAYS
from turn.servers import TurnServers

Invites = Callable[[RoomType, str, str, str], Invite]
"""Makes a link from (kind of room, role that it is for, room, origin by which the inviting peer
came)."""


class Welcome:
    """Greets the peers of one server.

    Parameters
    ----------
    turn: where ICE servers come from.
    unix_time: seconds of Unix time, by which TURN credentials expire.
    invite: makes the links that bring others in.
    seals: makes resume tokens.
    limits: what clients are told to keep to, by name.
    """

    def __init__(
        self,
        turn: TurnServers,
        unix_time: Callable[[], float],
        invite: Invites,
        seals: Seals,
        limits: Mapping[str, float],
    ) -> None:
        self._turn = turn
        self._unix_time = unix_time
        self._invite = invite
        self._seals = seals
        self._limits = limits

    def registered(self, peer: Peer, *, resumed: bool) -> Registered:
        """The answer to a registration."""
        room = peer.room
        ticket = Ticket(peer.id, peer.given, peer.since)
        # Whoever came by a link that ends cannot hand on one that does not.
        roles = peer.role.invites if peer.terms == ALWAYS else ()
        invites = {role: self._invite(room.type, role, room.code, peer.origin) for role in roles}
        return Registered(
            role=peer.role.name,
            ice_servers=self.ice_servers(peer),
            id=peer.id,
            room=room.code,
            peers=tuple(room.info(other, to=peer) for other in room.met_by(peer)),
            invite=next(iter(invites.values()), None),
            invites=dict(list(invites.items())[1:]) or None,
            resume=self._seals.token(ticket, room.type.name, room.code, peer.asked),
            resumed=resumed,
            limits=self._limits or None,
        )

    def ice_servers(self, peer: Peer) -> tuple[IceServer, ...]:
        """Fresh ICE servers, with credentials that are renewed after half their life."""
        now = self._unix_time()
        grant = self._turn.issue(peer.id, peer.room.code, peer.origin, now)
        peer.refresh_at = None if grant.expires is None else now + (grant.expires - now) / 2
        return grant.ice_servers

    def memory(self, peer: Peer, heard: int) -> Iterator[Delivery]:
        """The room's documents, and what was said after the number `heard`."""
        room = peer.room
        for version in room.documents.all:
            yield Delivery(peer.id, version)
        for said in room.history.after(heard, peer.role.meets, peer.id):
            yield Delivery(peer.id, said)

    def present(self, peer: Peer) -> Iterator[Delivery]:
        """Those who are here, for a newcomer; a peer that is away is announced when it is back."""
        for other in peer.room.met_by(peer):
            if not other.away:
                yield from peer.room.announce(other, [peer])

    def states(self, peer: Peer) -> Iterator[Delivery]:
        """What those who are here or away show of themselves."""
        for other in peer.room.met_by(peer):
            if other.state is not None:
                yield Delivery(peer.id, State(other.state, from_=other.id))
