"""The pause between attempts to reach Redis."""

from tickwire.runtime.redisio.pause import pause_s


def test_pauses_double_up_to_the_cap() -> None:
    longest = [pause_s(attempt, (0.1, 5.0), lambda: 1.0) for attempt in range(8)]
    assert longest == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_chance_takes_at_most_half_away() -> None:
    assert pause_s(3, (0.1, 5.0), lambda: 0.0) == 0.4


def test_a_year_of_failures_still_has_a_pause() -> None:
    assert pause_s(10_000_000, (0.1, 5.0), lambda: 1.0) == 5.0
