"""Who came, who went, and who makes the offers."""

import dataclasses

import pytest

from lenscast.peers.roster import Roster, makes_the_offers
from signaling.room.messages import PeerConnected, PeerDisconnected, PeerInfo, Registered


def me(role: str, *peers: PeerInfo, resumed: bool = False) -> Registered:
    """The answer of a server that says who makes the offers, and what its limits are."""
    return Registered(role, (), "me", "room", peers, resumed=resumed, limits={"resume": 45})


@pytest.mark.parametrize("role", ["sender", "receiver", "guest"])
@pytest.mark.parametrize("offers", [True, False])
def test_the_server_says_who_makes_the_offers(role: str, offers: bool) -> None:
    """What it says counts, whatever the role."""
    assert makes_the_offers(PeerConnected("guest", "other", offers=offers), me(role)) is offers


def test_whoever_is_announced_is_offered_to_until_it_is_gone() -> None:
    """Nobody makes an offer to a peer that is not there."""
    roster = Roster()
    assert not roster.offers_to("other")
    assert roster.take(PeerConnected("guest", "other", offers=True), me("guest"))
    assert roster.offers_to("other")
    assert not roster.take(PeerDisconnected("guest", "other", "away"), me("guest"))
    assert roster.offers_to("other")
    assert roster.take(PeerDisconnected("guest", "other", "role"), me("guest"))
    assert not roster.offers_to("other")


@pytest.mark.parametrize("offers", [True, False])
def test_who_came_during_a_break_is_offered_to_as_well(offers: bool) -> None:
    """`registered` says who makes the offers to those who are in the room already."""
    roster = Roster()
    roster.came_back(me("guest", PeerInfo("other", "guest", offers=offers), resumed=True), now=0.0)
    told = [roster.news(0.0), roster.news(0.0), roster.news(0.0)]
    assert isinstance(told[1], PeerConnected)
    assert told[2] is None
    assert roster.offers_to("other") is offers


def test_a_server_that_does_not_say_who_offers_means_the_sender() -> None:
    """So it is with servers of an earlier version."""
    other = PeerInfo("other", "receiver")
    for role, offers in (("sender", True), ("receiver", False)):
        earlier = dataclasses.replace(me(role), limits=None)
        assert makes_the_offers(other, earlier) is offers
