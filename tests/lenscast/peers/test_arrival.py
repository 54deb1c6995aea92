"""When a picture was taken, estimated from the sender's stamps and when the pictures came."""

import random
from itertools import pairwise

import pytest

from lenscast.peers.arrival import WINDOW_SECONDS, CaptureClock

LEAST, JITTER = 0.05, 0.2
"""What a picture takes on its way at least, and how much more it may be, in seconds."""


def estimates(stamps: list[float], drift: float = 0.0) -> list[tuple[float, float]]:
    """When each picture was really taken, and the estimate."""
    ways = random.Random(3)
    clock = CaptureClock()
    found = []
    for stamp in stamps:
        taken = 1000.0 + stamp * (1 + drift)
        found.append((taken, clock.time(stamp, taken + LEAST + ways.random() * JITTER)))
    return found


def test_the_jitter_of_the_way_is_taken_out() -> None:
    """What is left, once a fast picture has come, is the least time that any of them took."""
    for taken, estimate in estimates([number / 30 for number in range(1000)])[300:]:
        assert estimate - taken == pytest.approx(LEAST, abs=0.02)


@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
def test_clocks_that_run_apart_are_followed(drift: float) -> None:
    """After an hour the estimate is as good as at the beginning, and it has never gone back."""
    found = estimates([number / 5 for number in range(3600 * 5)], drift)
    assert all(one < two for (_, one), (_, two) in pairwise(found))
    for taken, estimate in found[-100:]:
        assert estimate - taken == pytest.approx(LEAST, abs=0.03)


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 1e9])
def test_a_clock_that_jumps_does_little_harm(jump: float) -> None:
    """No estimate is after the picture came, nor longer before than pictures are compared for."""
    clock = CaptureClock()
    for number in range(300):
        came = number / 30
        estimate = clock.time(came + (jump if number > 100 else 0.0), came)
        assert came - WINDOW_SECONDS <= estimate <= came + 1e-6
