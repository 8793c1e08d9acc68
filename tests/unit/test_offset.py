"""How far a source's clock runs ahead, found from arrival times."""

import base64
import json

import pytest
from support.recordings import recording

from tickwire.market.offset import QUARTER_HOUR_US, OffsetChange, OffsetEstimator

S = 1_000_000
HOURS = 3600 * S
NOW = 1_756_866_774 * S


def test_before_the_first_sample_there_is_no_offset() -> None:
    one = OffsetEstimator()
    assert (one.offset_us, one.estimate_us) == (0, 0)


@pytest.mark.parametrize(
    ("ahead", "offset"),
    [(7199 * S, 2 * HOURS), (7199 * S - 400_000, 2 * HOURS), (2 * HOURS, 2 * HOURS), (-2, 0), (-3 * S, 0),
     (20_700 * S, 20_700 * S), (-5 * HOURS - 1, -5 * HOURS), (449 * S, 0), (450 * S, QUARTER_HOUR_US)],
)  # fmt: skip
def test_the_first_sample_decides_to_whole_quarter_hours(ahead: int, offset: int) -> None:
    one = OffsetEstimator()
    assert one.observe(NOW + ahead, NOW) == OffsetChange(offset_us=offset, before_us=None)
    assert (one.offset_us, one.estimate_us) == (offset, ahead)


@pytest.mark.parametrize("ahead", [15 * HOURS, -15 * HOURS, 40 * 24 * HOURS])
def test_a_stamp_further_off_than_any_time_zone_is_no_sample(ahead: int) -> None:
    one = OffsetEstimator()
    assert one.observe(NOW + ahead, NOW) is None
    assert one.observe(NOW + 2 * HOURS, NOW) == OffsetChange(offset_us=2 * HOURS, before_us=None)


def test_late_deliveries_change_nothing() -> None:
    one = OffsetEstimator()
    one.observe(NOW + 2 * HOURS, NOW)
    for second in range(1, 600):
        late = 20 * 60 * S if second % 5 else 0  # most arrive twenty minutes late, the largest of a window counts
        assert one.observe(NOW + 2 * HOURS + second * S - late, NOW + second * S) is None
    assert one.offset_us == 2 * HOURS


def run(one: OffsetEstimator, ahead: int, start_s: int, seconds: int) -> list[tuple[int, OffsetChange]]:
    changes = []
    for second in range(start_s, start_s + seconds):
        change = one.observe(NOW + second * S + ahead, NOW + second * S)
        if change is not None:
            changes.append((second, change))
    return changes


def test_a_change_needs_a_minute_of_agreement_and_is_told_once() -> None:
    one = OffsetEstimator(window_s=30, agreement_s=60)
    run(one, 2 * HOURS, 0, 100)
    # Their clock goes back an hour: for 30 s the window still holds the old one, then a minute has to agree.
    ((second, change),) = run(one, 1 * HOURS, 100, 300)
    assert change == OffsetChange(offset_us=1 * HOURS, before_us=2 * HOURS)
    assert 100 + 60 + 29 <= second <= 100 + 60 + 31
    assert one.offset_us == 1 * HOURS


def test_a_clock_that_goes_forward_is_followed_after_a_minute() -> None:
    one = OffsetEstimator()
    run(one, 2 * HOURS, 0, 100)
    ((second, _),) = run(one, 3 * HOURS, 100, 200)
    assert second == 160
    assert one.offset_us == 3 * HOURS


def test_one_stamp_of_the_future_changes_nothing() -> None:
    one = OffsetEstimator()
    run(one, 2 * HOURS, 0, 100)
    assert run(one, 5 * HOURS, 100, 1) == []
    assert run(one, 2 * HOURS, 101, 300) == []
    assert one.offset_us == 2 * HOURS


def test_disagreement_that_is_not_steady_starts_anew() -> None:
    one = OffsetEstimator()
    run(one, 0, 0, 10)
    for start in range(10, 400, 60):
        assert run(one, 1 * HOURS, start, 20) == []
        assert run(one, 0, start + 20, 40) == []
    assert one.offset_us == 0


def test_our_own_clock_set_back_does_not_freeze_it() -> None:
    one = OffsetEstimator()
    run(one, 2 * HOURS, 10_000, 100)
    changes = run(one, 2 * HOURS, 0, 300)
    assert changes == []
    assert one.offset_us == 2 * HOURS


@pytest.mark.parametrize(("window", "agreement"), [(0, 60), (60, 60), (90, 60), (-1, 1)])
def test_a_window_that_is_not_shorter_than_the_agreement_is_refused(window: float, agreement: float) -> None:
    with pytest.raises(ValueError, match="take 0 < window_s < agreement_s"):
        OffsetEstimator(window_s=window, agreement_s=agreement)


def test_the_recorded_session_runs_two_hours_ahead() -> None:
    one = OffsetEstimator()
    changes = []
    for line in recording("pocketoption.frames.jsonl").read_text().splitlines():
        frame = json.loads(line)
        payload = base64.b64decode(frame["data"]) if frame["type"] == "binary" else b"{}"
        value = json.loads(payload)
        if isinstance(value, list) and value and isinstance(value[0][0], str):
            changes.append(one.observe(round(value[0][1] * 1e6), round(frame["t"] * 1e6)))
    assert len(changes) == 148
    assert [change for change in changes if change] == [OffsetChange(offset_us=7200 * S, before_us=None)]
