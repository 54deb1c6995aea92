"""What peers say to each other: who may, to whom it goes, and what is kept of it."""

from typing import Any

import pytest

from signaling.room import conversation
from signaling.room.deliveries import Delivery
from signaling.room.messages import (
    Answer,
    ClientMessage,
    Control,
    DocumentVersion,
    End,
    IceCandidate,
    Offer,
    RoleChange,
    Say,
    SetDocument,
    State,
    Time,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Peer, Room
from tests.signaling.room.class_bed import a_room, seat, with_role
from tests.signaling.room.imaginary import CHAT, KEPT

MESSAGES: list[ClientMessage] = [
    Offer(""),
    Answer(""),
    IceCandidate(None),
    Control({}),
    State({}),
    Say(CHAT, "x"),
    SetDocument("board", 0, {}),
    DocumentVersion("board", 1, {}),
    RoleChange("quiet", to="m"),
    Time(1),
    End(),
]


def the_class() -> tuple[Room, Peer, Peer, Peer, Peer]:
    """A room with one peer of each role: l, m, q, k."""
    room = a_room()
    roles = {"l": "leader", "m": "member", "q": "quiet", "k": "knocking"}
    leader, member, quiet, knocking = (seat(room, *pair) for pair in roles.items())
    return room, leader, member, quiet, knocking


def code(call: Any, *args: Any) -> Code:
    with pytest.raises(Refusal) as caught:
        call(*args)
    return caught.value.code


def may_send(peer: Peer, message: ClientMessage) -> bool:
    try:
        conversation.check_may_send(peer, message)
    except Refusal as refusal:
        return refusal.code != Code.WRONG_ROLE
    return True


def test_each_role_sends_what_its_role_says() -> None:
    """And every role may ask for the time, and hand a sealed document back."""
    _room, leader, member, quiet, knocking = the_class()
    sends = {
        peer.id: {m.type for m in MESSAGES if may_send(peer, m)}
        for peer in (leader, member, quiet, knocking)
    }
    everyone = {"time", "document"}
    talks = {"offer", "answer", "ice-candidate", "control", "state", "set"} | everyone
    assert sends == {
        "l": talks | {"say", "role", "end"},
        "m": talks | {"say"},
        "q": talks,
        "k": everyone,
    }


def test_a_message_is_passed_on_with_its_speaker_in_place_of_its_target() -> None:
    """Nothing else of it changes."""
    _room, leader, *_ = the_class()
    told = conversation.route(leader, Control({"a": 1}, to="m"), 3)
    assert told == [Delivery("m", Control({"a": 1}, from_="l"))]


def test_a_state_that_is_for_all_is_kept() -> None:
    """The last one; one that is for somebody alone is not."""
    _room, _leader, member, *_ = the_class()
    told = conversation.route(member, State({"hand": True}), 3)
    assert {outcome.peer_id for outcome in told} == {"l", "q"}
    conversation.route(member, State({"hand": False}, to="l"), 3)
    assert member.state == {"hand": True}
    conversation.route(member, State({}), 3)
    assert member.state == {}


def test_only_the_side_that_offers_offers_and_only_the_other_answers() -> None:
    """l sorts before m, so l offers to m; to q, which does not publish, m offers."""
    _room, leader, member, quiet, _ = the_class()
    for peer, message in (
        (leader, Offer("", to="m")),
        (member, Answer("", to="l")),
        (member, Offer("", to="q")),
        (quiet, Answer("", to="m")),
    ):
        assert conversation.route(peer, message, 3)
    for peer, message in (
        (member, Offer("", to="l")),
        (leader, Answer("", to="m")),
        (quiet, Offer("", to="m")),
        (member, Answer("", to="q")),
    ):
        assert code(conversation.route, peer, message, 3) == Code.WRONG_ROLE


def test_a_role_asks_for_the_settings_that_it_may() -> None:
    """Some, or any where nothing is said; one too many and nothing is passed on."""
    room = a_room(with_role("member", controls=frozenset({"restart", "size"})))
    leader, member = seat(room, "l", "leader"), seat(room, "m", "member")
    assert conversation.route(leader, Control({"zoom": 1}), 3)
    for allowed in ({}, {"restart": True}, {"size": 1, "restart": "again"}):
        assert conversation.route(member, Control(allowed), 3)
    with pytest.raises(Refusal, match="restart, size") as caught:
        conversation.route(member, Control({"restart": True, "zoom": 1}), 3)
    assert caught.value.code == Code.WRONG_ROLE


@pytest.mark.parametrize("value", [None, [], {"x": 1}, "x" * 100, 10**100])
def test_who_may_ask_for_little_says_little(value: Any) -> None:
    """Of a setting that a role may ask for, the value is short; who may ask for any is trusted."""
    room = a_room(with_role("member", controls=frozenset({"restart"})))
    leader, member = seat(room, "l", "leader"), seat(room, "m", "member")
    with pytest.raises(Refusal, match='"restart" must be true, false') as caught:
        conversation.route(member, Control({"restart": value}), 3)
    assert caught.value.code == Code.BAD_FIELD
    assert conversation.route(leader, Control({"restart": value}), 3)


def test_candidates_are_counted_from_one_description_to_the_next() -> None:
    """As many as the limit; one that is refused for another reason does not count."""
    _room, leader, member, *_ = the_class()
    for peer, to, description in ((leader, "m", Offer), (member, "l", Answer)):
        for _ in range(2):
            conversation.route(peer, description("", to=to), 3)
            assert code(conversation.route, peer, IceCandidate(None, to="k9"), 3)
            for _ in range(3):
                conversation.route(peer, IceCandidate(None, to=to), 3)
            refused = code(conversation.route, peer, IceCandidate(None, to=to), 3)
            assert refused == Code.TOO_MANY_CANDIDATES
    with pytest.raises(Refusal):
        conversation.route(member, Offer("", to="l"), 3)
    assert code(conversation.route, member, IceCandidate(None, to="l"), 3)


def test_words_reach_all_who_hear_of_the_speaker_and_itself() -> None:
    """With who said it, its name, the time and the number; those who wait hear nothing."""
    room, _leader, member, *_ = the_class()
    member.name = "M"
    told = conversation.say(member, Say(CHAT, "hello"), 7.5)
    said = Say(CHAT, "hello", from_="m", name="M", at=7.5, n=1)
    assert told == [Delivery(peer, said) for peer in ("m", "l", "q")]
    assert room.history.after(0, {"member"}) == [said]


def test_a_speaker_does_not_say_who_it_is() -> None:
    """Whatever a message claims, the server says it again."""
    _room, _leader, member, *_ = the_class()
    claimed = Say(CHAT, "x", from_="l", name="L", at=1.0, n=99, private=True)
    (first, *_) = conversation.say(member, claimed, 7.5)
    assert isinstance(first, Delivery)
    assert first.message == Say(CHAT, "x", from_="m", at=7.5, n=1)


def test_words_for_one_peer_are_for_that_one_alone() -> None:
    """The speaker hears them too; they have a number, are marked, and are not kept."""
    room, leader, *_ = the_class()
    told = conversation.say(leader, Say(CHAT, "psst", to="m"), 7.5)
    said = Say(CHAT, "psst", from_="l", at=7.5, n=1, private=True)
    assert told == [Delivery("l", said), Delivery("m", said)]
    assert room.history.after(0, {"leader"}) == []
    assert room.history.count == 1


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        (Say("shout", "x"), Code.BAD_FIELD),
        (Say(CHAT, "x" * 101), Code.BAD_FIELD),
        (Say("wave", "x" * 11), Code.BAD_FIELD),
        (Say(CHAT, "x", to="nobody"), Code.UNKNOWN_TARGET),
        (Say(CHAT, "x", to="m"), Code.UNKNOWN_TARGET),
        (Say(CHAT, "x", to="k"), Code.UNKNOWN_TARGET),
    ],
)
def test_words_that_cannot_be_said_are_refused(message: Say, refused: Code) -> None:
    """A kind that is not there, too many characters, nobody to hear them; no number is used up."""
    room, _leader, member, *_ = the_class()
    assert code(conversation.say, member, message, 7.5) == refused
    assert room.history.count == 0
    assert room.history.after(0, {"member"}) == []


def test_words_may_be_as_long_as_their_kind_says() -> None:
    """Counted in characters; the limit is itself allowed."""
    _room, _leader, member, *_ = the_class()
    assert conversation.say(member, Say(CHAT, "é" * 100), 1)
    assert conversation.say(member, Say("wave", "x" * 10), 1)


def test_the_last_words_are_kept_and_no_more() -> None:
    """As many as their kind says; a kind that keeps none leaves nothing."""
    room, _leader, member, *_ = the_class()
    for number in range(20):
        conversation.say(member, Say(CHAT, str(number)), 1)
        conversation.say(member, Say("wave", "x"), 1)
    kept = room.history.after(0, {"member"})
    assert [said.body for said in kept] == [str(n) for n in range(20 - KEPT, 20)]


def test_words_reach_those_who_hear_and_not_those_who_are_heard() -> None:
    """A leader hears of those who wait; they do not hear it, except what is for them alone."""
    _room, leader, *_ = the_class()
    told = conversation.say(leader, Say(CHAT, "hello"), 7.5)
    assert [outcome.peer_id for outcome in told] == ["l", "m", "q"]
    told = conversation.say(leader, Say(CHAT, "wait", to="k"), 7.5)
    assert [outcome.peer_id for outcome in told] == ["l", "k"]
