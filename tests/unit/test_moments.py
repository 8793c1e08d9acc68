"""Moments as people write them."""

import pytest

from tickwire.market.moments import BadMoment, parse_moment

US = 1_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("0", 0), ("1756866774", 1_756_866_774 * US), ("1756866774.962001", 1_756_866_774_962_001),
        ("2025-09-03T02:32:54Z", 1_756_866_774 * US), ("2025-09-03T02:32:54.962001", 1_756_866_774_962_001),
        ("2025-09-03 04:32:54+02:00", 1_756_866_774 * US), ("2025-09-03", 1_756_857_600 * US), ("0e999999999", 0),
    ],
)  # fmt: skip
def test_seconds_and_iso_8601_are_read_to_the_microsecond(text: str, us: int) -> None:
    assert parse_moment(text) == us


@pytest.mark.parametrize(
    "text",
    ["", "now", "NaN", "inf", "-1", "1e400", "1756866774000", "2025-13-01", "1969-12-31", "2025-09-03T02:32:54 02:00",
     "x" * 10_000],
)  # fmt: skip
def test_what_is_no_moment_is_refused_with_how_one_is_written(text: str) -> None:
    with pytest.raises(BadMoment, match="2025-09-03T02:32:54Z") as refused:
        parse_moment(text)
    assert len(str(refused.value)) < 250
