"""Timeframes: every spelling that clients use, and the buckets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.timeframes import SECONDS, TIMEFRAMES, UnknownTimeframe, bucket_start, parse_timeframe


def test_the_eight_are_ascending_and_each_holds_the_one_before_it_a_whole_number_of_times() -> None:
    lengths = list(SECONDS.values())
    assert TIMEFRAMES == ("15s", "1m", "5m", "15m", "30m", "1h", "4h", "1d")
    assert all(longer > shorter and longer % shorter == 0 for shorter, longer in pairwise(lengths))
    assert [parse_timeframe(name) for name in TIMEFRAMES] == list(TIMEFRAMES)


@pytest.mark.parametrize(
    ("spelt", "meant"),
    [
        ("1M", "1m"), ("15S", "15s"), ("4H", "4h"), ("1D", "1d"), ("1", "1m"), (1, "1m"), ("5", "5m"), ("15", "15m"),
        (60, "1h"), ("60", "1h"), (240, "4h"), ("1440", "1d"),
    ],
)  # fmt: skip
def test_other_spellings_mean_one_of_them(spelt: str | int, meant: str) -> None:
    assert parse_timeframe(spelt) == meant


@pytest.mark.parametrize(
    "spelt",
    [
        "", "0", "2", "01", "-1", "+1", "1.0", " 1m", "1m ", "1 m", "1w", "60m", "٥", "１", "99999", 0, -5,
        15.0, True, None, b"1m", ["1m"],
    ],
)  # fmt: skip
def test_what_is_none_of_them_is_refused_with_what_may_be_said(spelt: object) -> None:
    with pytest.raises(UnknownTimeframe, match=r"take one of 15s 1m 5m 15m 30m 1h 4h 1d"):
        parse_timeframe(spelt)  # type: ignore[arg-type]


def test_a_long_wrong_name_is_not_repeated_at_length() -> None:
    with pytest.raises(UnknownTimeframe) as caught:
        parse_timeframe("x" * 10_000)
    assert len(str(caught.value)) < 200


@given(ts_us=st.integers(0, 4_000_000_000_000_000), seconds=st.sampled_from(list(SECONDS.values())))
def test_a_bucket_holds_its_stamp_and_begins_at_a_multiple_of_its_length(ts_us: int, seconds: int) -> None:
    start = bucket_start(ts_us, seconds)
    assert start % seconds == 0
    assert start * 1_000_000 <= ts_us < (start + seconds) * 1_000_000
