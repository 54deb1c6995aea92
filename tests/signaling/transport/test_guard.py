"""The guard: how many connections and how many wrong keys one address may have."""

import dataclasses
from typing import Any

import pytest

from signaling.config import Limits
from signaling.room.refusal import Code, Refusal
from signaling.transport import guard
from signaling.transport.guard import Guard

PHONE, LAPTOP = "192.0.2.1", "192.0.2.2"


def guarding(**limits: Any) -> Guard:
    return Guard(dataclasses.replace(Limits(), **limits))


def refused(there: Guard, address: str, now: float) -> bool:
    """Whether a connection is refused because there are too many."""
    try:
        there.connect(address, now)
    except Refusal as refusal:
        return refusal.code == Code.TOO_MANY_CONNECTIONS
    return False


def wait(there: Guard, address: str, now: float) -> str:
    """The code and sentence with which a try is refused; empty where it is allowed."""
    try:
        there.check_wrong_key(address, now)
    except Refusal as refusal:
        return f"{refusal.code}: {refusal.sentence}"
    return ""


def test_the_total_number_of_connections_is_limited() -> None:
    """A connection above the limit is refused, from any address, until another one closes."""
    there = guarding(connections=2)
    assert [refused(there, f"192.0.2.{n}", 0) for n in range(3)] == [False, False, True]
    there.disconnect("192.0.2.0")
    assert not refused(there, "192.0.2.9", 0)


def test_the_connections_of_each_address_are_limited() -> None:
    """An address that has reached its limit does not keep others out."""
    there = guarding(connections_per_address=2)
    assert [refused(there, PHONE, 0) for _ in range(3)] == [False, False, True]
    assert not refused(there, LAPTOP, 0)
    there.disconnect(PHONE)
    assert not refused(there, PHONE, 0)


def test_a_refused_connection_is_not_counted() -> None:
    """Trying to connect to a full server does not keep it full."""
    there = guarding(connections=1)
    assert [refused(there, PHONE, n) for n in range(5)] == [False, True, True, True, True]
    there.disconnect(PHONE)
    assert not refused(there, PHONE, 9)


def test_new_connections_of_an_address_are_limited_over_time() -> None:
    """A second's worth at once, then the rate, even if each one closes again."""
    there = guarding(connections_per_second=3)

    def knock(now: float) -> bool:
        if refused(there, PHONE, now):
            return False
        there.disconnect(PHONE)
        return True

    assert [knock(0) for _ in range(4)] == [True, True, True, False]
    assert [knock(0.34), knock(0.34)] == [True, False]
    assert [knock(2) for _ in range(4)] == [True, True, True, False]


def test_less_than_one_a_second_still_lets_one_in() -> None:
    """A rate below 1 means a pause between connections, not that none is allowed."""
    there = guarding(connections_per_second=0.5)
    assert [refused(there, PHONE, now) for now in (0, 1, 2)] == [False, True, False]


def test_disconnecting_twice_is_harmless() -> None:
    """The count never falls below zero."""
    there = guarding(connections=1)
    there.disconnect(PHONE)
    there.connect(PHONE, 0)
    there.disconnect(PHONE)
    there.disconnect(PHONE)
    assert [refused(there, PHONE, 1), refused(there, PHONE, 1)] == [False, True]


def test_some_wrong_keys_cost_nothing() -> None:
    """A person who mistypes does not have to wait."""
    there = guarding(failed_keys_per_minute=3)
    for _ in range(3):
        there.wrong_key(PHONE, 0)
    assert wait(there, PHONE, 0) == ""


def test_above_the_limit_the_delay_doubles_up_to_a_minute() -> None:
    """1, 2, 4 s and so on; the sentence says how long, and after that a try is allowed."""
    there = guarding(failed_keys_per_minute=1)
    there.wrong_key(PHONE, 0)
    now = 0.0
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        there.wrong_key(PHONE, now)
        refusal = wait(there, PHONE, now)
        assert refusal.startswith(Code.TOO_MANY_ATTEMPTS)
        assert f"in {seconds} s" in refusal
        assert "in 1 s" in wait(there, PHONE, now + seconds - 0.5)
        now += seconds
        assert wait(there, PHONE, now) == ""


def test_wrong_keys_of_one_address_do_not_delay_another() -> None:
    """Each address waits for its own mistakes only."""
    there = guarding(failed_keys_per_minute=1)
    for _ in range(5):
        there.wrong_key(PHONE, 0)
    assert wait(there, PHONE, 0)
    assert wait(there, LAPTOP, 0) == ""


def test_wrong_keys_far_apart_cost_nothing() -> None:
    """The limit is a rate, not a total."""
    there = guarding(failed_keys_per_minute=1)
    for n in range(10):
        there.wrong_key(PHONE, 60.0 * n)
        assert wait(there, PHONE, 60.0 * n) == ""


def test_after_a_while_without_a_wrong_key_an_address_is_forgiven() -> None:
    """The next wrong key costs nothing again, and the first delay is short again."""
    there = guarding(failed_keys_per_minute=1)
    for _ in range(8):
        there.wrong_key(PHONE, 0)
    there.wrong_key(PHONE, guard.FORGIVEN_AFTER)
    assert wait(there, PHONE, guard.FORGIVEN_AFTER) == ""
    there.wrong_key(PHONE, guard.FORGIVEN_AFTER)
    assert "in 1 s" in wait(there, PHONE, guard.FORGIVEN_AFTER)


def test_each_wrong_key_puts_forgiveness_off() -> None:
    """Until then each one doubles the delay, though the rate alone would allow it."""
    there = guarding(failed_keys_per_minute=1)
    for _ in range(3):
        there.wrong_key(PHONE, 0)
    for now, seconds in ((guard.FORGIVEN_AFTER - 1, 4), (guard.FORGIVEN_AFTER + 60, 8)):
        there.wrong_key(PHONE, now)
        assert f"in {seconds} s" in wait(there, PHONE, now)


def test_the_addresses_of_one_network_share_a_count() -> None:
    """Someone who has a /64 network does not get the limit 2^64 times."""
    there = guarding(connections_per_address=1, failed_keys_per_minute=1)
    assert not refused(there, "2001:db8::1", 0)
    assert refused(there, "2001:db8::2", 0)
    for n in range(2):
        there.wrong_key(f"2001:db8::{n}", 0)
    assert wait(there, "2001:db8::ffff", 0)


def test_the_tables_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently seen address is forgotten, an open connection never."""
    monkeypatch.setattr(guard, "MAX_ADDRESSES", 2)
    there = guarding(failed_keys_per_minute=1, connections_per_second=1, connections_per_address=9)
    for address in (PHONE, PHONE, LAPTOP, LAPTOP, "192.0.2.3", "192.0.2.3"):
        there.wrong_key(address, 0)
    assert wait(there, PHONE, 0) == ""
    assert wait(there, LAPTOP, 0)
    for n in range(1, 5):
        there.connect(f"192.0.2.{n}", 0)
    assert not refused(there, PHONE, 0)  # Its rate is forgotten ...
    there.disconnect(PHONE)
    there.disconnect(PHONE)  # ... and both of its connections were still known.
    assert len(there._wrong_keys) == len(there._arrivals) == 2
    assert set(there._open) == {"192.0.2.2", "192.0.2.3", "192.0.2.4"}
