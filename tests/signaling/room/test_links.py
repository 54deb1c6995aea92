"""Links: keys, room codes and fragments."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room import links
from signaling.room.links import Links


def test_a_key_opens_its_room_in_its_role_alone() -> None:
    """A key is bound to one room and one role."""
    keys = Links(b"s" * 32)
    key = keys.key("abc", "sender")
    assert keys.opens("abc", "sender", key)
    assert not keys.opens("abc", "receiver", key)
    assert not keys.opens("abd", "sender", key)
    assert not keys.opens("abc", "sender", "")
    assert not keys.opens("abc", "sender", key + "A")


def test_a_key_has_128_bits() -> None:
    """A key is 16 bytes of base64url."""
    key = Links(b"s" * 32).key("abc", "sender")
    assert len(base64.urlsafe_b64decode(key + "==")) == 16


def test_another_secret_makes_other_keys() -> None:
    """Keys of one server open nothing on another."""
    assert not Links(b"b" * 32).opens("abc", "sender", Links(b"a" * 32).key("abc", "sender"))


@given(st.text(max_size=40))
def test_no_text_makes_the_check_fail_otherwise_than_by_saying_no(text: str) -> None:
    """Whatever stands in place of a key, the answer is yes or no."""
    assert not Links(b"s" * 32).opens("abc", "sender", text)


def test_the_home_room_is_the_same_after_a_restart() -> None:
    """The same secret gives the same room, so that a link kept on the phone goes on working."""
    assert Links(b"s" * 32).home_room() == Links(b"s" * 32).home_room()
    assert links.valid_room(Links(b"s" * 32).home_room())


@pytest.mark.parametrize("code", ["a", "abc-1", "7", "a" * 32])
def test_room_codes_are_short_and_plain(code: str) -> None:
    """A room code is up to 32 of a-z, 0-9 and -."""
    assert links.valid_room(code)


@pytest.mark.parametrize("code", ["", "-a", "A", "a.b", "a b", "a" * 33, "ä", "a\n"])
def test_other_room_codes_are_refused(code: str) -> None:
    """Anything else is no room code."""
    assert not links.valid_room(code)


def test_a_link_is_taken_apart() -> None:
    """A peer in Python reads origin, role, room and key from the link a person copied."""
    link = links.read_link("https://192.168.1.20:8443/sender#abc.KEY")
    assert (link.origin, link.role) == ("https://192.168.1.20:8443", "sender")
    assert (link.room, link.key) == ("abc", "KEY")
    assert "KEY" not in repr(link)


def test_a_link_without_fragment_has_neither_room_nor_key() -> None:
    """With open access a link may say nothing of a room."""
    link = links.read_link("http://127.0.0.1:8080/receiver")
    assert link.room is None
    assert link.key is None


@pytest.mark.parametrize("url", ["", "abc", "ftp://a/sender", "https:///sender"])
def test_what_is_no_link_is_refused(url: str) -> None:
    """A link is http or https, with a host."""
    with pytest.raises(ValueError, match="link"):
        links.read_link(url)


def test_fragments_are_as_short_as_access_allows() -> None:
    """With a key the fragment is ROOM.KEY; without, the default room needs none."""
    assert links.fragment("abc", "KEY") == "abc.KEY"
    assert links.fragment("abc", None) == "abc"
    assert links.fragment(links.OPEN_ROOM, None) == ""
