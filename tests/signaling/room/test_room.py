"""One room: who meets whom, who makes the offers, and who a message is for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room.deliveries import Delivery
from signaling.room.messages import Offer, PeerConnected, PeerInfo, State, Time
from signaling.room.refusal import Code, Refusal
from signaling.room.room import each, offers
from tests.signaling.room.class_bed import a_room, seat

ids = st.text("abc-_AZ09", min_size=1, max_size=12)
inside = st.sampled_from(["leader", "member", "quiet"])


@given(ids, ids, inside, inside)
def test_exactly_one_of_two_makes_the_offers(one: str, other: str, role: str, second: str) -> None:
    """Where at least one publishes, one of the two offers and the other does not; where none
    does, nobody.
    """
    if one == other:
        return
    room = a_room()
    first, then = seat(room, one, role), seat(room, other, second)
    expected = int(first.role.publishes or then.role.publishes)
    assert offers(first, then) + offers(then, first) == expected


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (("a", "member"), ("b", "member"), True),
        (("b", "member"), ("a", "leader"), False),
        (("b", "member"), ("a", "quiet"), True),
        (("a", "quiet"), ("b", "member"), False),
        (("a", "quiet"), ("b", "quiet"), False),
    ],
)
def test_who_offers_follows_from_roles_and_ids_alone(
    first: tuple[str, str], second: tuple[str, str], found: bool
) -> None:
    """The one that publishes; of two that do, the one whose id sorts first."""
    room = a_room()
    assert offers(seat(room, *first), seat(room, *second)) is found


def test_who_offers_stays_the_same_however_often_they_come_back() -> None:
    """In another process, in another order, away or not: the same one."""
    for order in (("a", "b"), ("b", "a")):
        room = a_room()
        peers = {peer_id: seat(room, peer_id, "member", since=i) for i, peer_id in enumerate(order)}
        assert offers(peers["a"], peers["b"])
        peers["a"].lost_at = 1.0
        assert offers(peers["a"], peers["b"])


def test_a_peer_meets_the_roles_that_its_role_meets() -> None:
    """And never itself; those who wait meet nobody, though they are heard of."""
    room = a_room()
    leader, member = seat(room, "l", "leader"), seat(room, "m", "member")
    quiet, waiting = seat(room, "q", "quiet"), seat(room, "k", "knocking")
    assert room.met_by(leader) == [member, quiet, waiting]
    assert room.met_by(member) == [leader, quiet]
    assert room.met_by(waiting) == []
    assert room.hearers(waiting) == [leader]
    assert room.hearers(member) == [leader, quiet]


def test_those_who_came_first_stand_first() -> None:
    """Whatever the order in which they came back."""
    room = a_room()
    late, early = seat(room, "late", "member", since=2), seat(room, "early", "member", since=1)
    seat(room, "l", "leader", since=0)
    assert room.with_role("member") == [early, late]


def test_a_peer_is_announced_with_what_it_shows() -> None:
    """`peer-connected` says whether the one who is told makes the offers; then comes the state."""
    room = a_room()
    b = seat(room, "b", "member")
    others = [seat(room, "a", "member"), seat(room, "c", "member"), seat(room, "q", "quiet")]
    b.name, b.state = "B", {"hand": True}
    shown = State({"hand": True}, from_="b")
    assert list(room.announce(b, others)) == [
        Delivery("a", PeerConnected("member", "b", "B", offers=True)),
        Delivery("a", shown),
        Delivery("c", PeerConnected("member", "b", "B")),
        Delivery("c", shown),
        Delivery("q", PeerConnected("member", "b", "B")),
        Delivery("q", shown),
    ]


def test_what_one_peer_may_know_of_another() -> None:
    """Id, role, name, whether it is away, and who offers."""
    room = a_room()
    a, b = seat(room, "a", "member"), seat(room, "b", "member")
    b.name, b.lost_at = "B", 1.0
    assert room.info(b, to=a) == PeerInfo("b", "member", "B", away=True, offers=True)
    assert room.info(a, to=b) == PeerInfo("a", "member")


@pytest.mark.parametrize("target", ["nobody", "m", "k", ""])
def test_only_somebody_it_meets_can_be_named(target: str) -> None:
    """Not itself, not one of a role it does not hear of, not one who is not there."""
    room = a_room()
    member = seat(room, "m", "member")
    seat(room, "k", "knocking")
    with pytest.raises(Refusal) as caught:
        room.named(member, target)
    assert caught.value.code == Code.UNKNOWN_TARGET


def test_a_message_is_for_whom_it_names() -> None:
    """`to` picks one of several, away or not."""
    room = a_room()
    a, b = seat(room, "a", "member"), seat(room, "b", "member")
    seat(room, "c", "member")
    b.lost_at = 1.0
    assert room.targets(a, Offer("", to="b")) == [b]
    assert room.targets(a, State({}, to="b")) == [b]


def test_a_state_is_for_all_who_hear_of_the_peer() -> None:
    """Those who are away among them; it is kept for those who come later."""
    room = a_room()
    a, b, q = seat(room, "a", "member"), seat(room, "b", "leader"), seat(room, "q", "quiet")
    seat(room, "k", "knocking")
    b.lost_at = 1.0
    assert room.targets(a, State({})) == [b, q]


def test_a_message_for_nobody_in_particular_is_for_the_only_one_there() -> None:
    """One who is away is meant only where nobody else can be; several are ambiguous."""
    room = a_room()
    a = seat(room, "a", "member")
    with pytest.raises(Refusal) as caught:
        room.targets(a, Offer(""))
    assert caught.value.code == Code.UNKNOWN_TARGET
    b = seat(room, "b", "member")
    b.lost_at = 1.0
    assert room.targets(a, Offer("")) == [b]
    c = seat(room, "c", "member")
    assert room.targets(a, Offer("")) == [c]
    b.lost_at = None
    with pytest.raises(Refusal) as caught:
        room.targets(a, Offer(""))
    assert caught.value.code == Code.AMBIGUOUS_TARGET


def test_a_message_to_several_is_one_object() -> None:
    """So that it is encoded once."""
    room = a_room()
    message = Time(1)
    told = list(each([seat(room, "a", "member"), seat(room, "b", "member")], message))
    assert [delivery.peer_id for delivery in told] == ["a", "b"]
    assert all(delivery.message is message for delivery in told)


def test_nobody_makes_offers_to_one_who_does_not_meet_it() -> None:
    """A leader hears of those who wait, and has no connection with them."""
    room = a_room()
    leader, waiting = seat(room, "l", "leader"), seat(room, "k", "knocking")
    assert not offers(leader, waiting)
    assert not offers(waiting, leader)
    assert list(room.announce(waiting, [leader])) == [Delivery("l", PeerConnected("knocking", "k"))]
