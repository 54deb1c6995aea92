"""Codes of rooms: short enough to type, too many to guess."""

import math
import re
import string

from signaling.room import links


def test_a_code_can_be_read_aloud() -> None:
    """Three, four and three small letters, none of which looks like a digit."""
    for _ in range(200):
        assert re.fullmatch("[a-z]{3}-[a-z]{4}-[a-z]{3}", code := links.new_code())
        assert not set(code) & set("ilo")


def test_a_code_may_name_a_room() -> None:
    """It is one of the codes that a link may carry."""
    assert all(links.valid_room(links.new_code()) for _ in range(200))


def test_every_letter_is_used_and_no_code_comes_twice() -> None:
    """A thousand codes differ, and hold every letter that they may."""
    made = {links.new_code() for _ in range(1000)}
    assert len(made) == 1000
    assert set("".join(made)) == set(string.ascii_lowercase) - set("ilo") | {"-"}


def test_a_code_has_45_bits() -> None:
    """Whoever guesses fifty in a second needs thousands of years for one room."""
    letters = len(set(links.new_code().replace("-", "")) | set(string.ascii_lowercase)) - 3
    assert math.log2(letters) * 10 > 45
    assert letters**10 / 2 / 50 > 10_000 * 365 * 86400
