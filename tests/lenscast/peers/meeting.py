"""A room in which everyone publishes and everyone sees everyone.

The server knows no such room type yet. Until it does, the senders of a camera meet each other
here, and the client decides who offers as the server is going to: the one whose id sorts first.
Then this file is replaced by that room type, and the tests that use it stay as they are.
"""

import pytest

from signaling.room.messages import (
    Answer,
    Control,
    IceCandidate,
    Offer,
    PeerConnected,
    PeerInfo,
    Registered,
    State,
)
from signaling.room.rooms import ROLES, Role
from signaling.server import SignalingServer
from tests.running_server import local_sender_link


@pytest.fixture
def everyone_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever joins by `guest_link` publishes, and meets the others."""
    sends = {kind.type for kind in (Offer, Answer, IceCandidate, Control, State)}
    guest = Role(
        "sender",
        sends=frozenset(sends),
        broadcasts=frozenset({State.type}),
        meets=frozenset({"sender"}),
        invites=None,
    )
    monkeypatch.setitem(ROLES, "sender", guest)
    monkeypatch.setattr("lenscast.peers.roster.makes_the_offers", _sorts_first)


def guest_link(server: SignalingServer) -> str:
    """A link by which any number of guests join."""
    return local_sender_link(server)


def _sorts_first(peer: PeerConnected | PeerInfo, me: Registered) -> bool:
    return me.id < peer.id
