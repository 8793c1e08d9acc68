"""Pauses between attempts: growing, capped, jittered."""

import random

import pytest

from tickwire.market.backoff import Backoff


def backoff(jitter: float = 0.0, seed: int = 1) -> Backoff:
    return Backoff(min_s=0.5, max_s=30.0, random=random.Random(seed), jitter=jitter)


def test_pauses_double_up_to_the_longest() -> None:
    one = backoff()
    assert [one.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert one.attempt == 8


def test_it_goes_on_for_ever() -> None:
    one = backoff()
    assert [one.next_s() for _ in range(5000)][-1] == 30.0


def test_success_starts_it_anew() -> None:
    one = backoff()
    one.next_s()
    one.next_s()
    one.reset()
    assert (one.attempt, one.next_s()) == (0, 0.5)


def test_jitter_shortens_and_never_lengthens() -> None:
    one, whole = backoff(jitter=0.2), backoff()
    for _ in range(200):
        pause, most = one.next_s(), whole.next_s()
        assert most * 0.8 <= pause <= most


def test_two_that_failed_together_come_back_apart() -> None:
    one, other = backoff(jitter=0.2, seed=1), backoff(jitter=0.2, seed=2)
    assert [one.next_s() for _ in range(5)] != [other.next_s() for _ in range(5)]


@pytest.mark.parametrize(
    ("min_s", "max_s", "jitter"), [(0, 1, 0.2), (2, 1, 0.2), (-1, 1, 0.2), (1, 2, 1.0), (1, 2, -0.1)]
)
def test_limits_that_make_no_sense_are_refused(min_s: float, max_s: float, jitter: float) -> None:
    with pytest.raises(ValueError, match="take"):
        Backoff(min_s=min_s, max_s=max_s, random=random.Random(1), jitter=jitter)
