"""The token bucket, and what an address counts as."""

import pytest

from turn.limits import TokenBucket, counted_as


def test_a_bucket_allows_a_burst_and_then_its_rate() -> None:
    """A full bucket gives its burst at once, then what the rate adds, and never more than that."""
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.take(1, 0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1, 1) for _ in range(3)] == [True, True, False]
    assert [bucket.take(1, 1000) for _ in range(4)] == [True, True, True, False]


def test_a_refused_take_costs_nothing() -> None:
    """If there are too few tokens, those that are there stay for a smaller request."""
    bucket = TokenBucket(rate=10, burst=100, now=0)
    assert bucket.take(60, 0)
    assert not bucket.take(41, 0)
    assert bucket.take(40, 0)
    assert not bucket.take(11, 1)
    assert bucket.take(10, 1)


def test_a_clock_that_steps_back_adds_and_takes_nothing() -> None:
    """An earlier time counts as no time."""
    bucket = TokenBucket(rate=1, burst=2, now=10)
    assert bucket.take(1, 5)
    assert bucket.take(1, 10)
    assert not bucket.take(1, 10.5)
    assert bucket.take(1, 11)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_what_an_address_counts_as(address: str, counted: str) -> None:
    """IPv6 counts by its /64 network, IPv4 by the address."""
    assert counted_as(address) == counted
