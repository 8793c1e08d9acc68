"""The pure part of a restart: whether, whom, when, and when no more."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.actors.kernel import Backoff
from tickwire.actors.kernel.restart import ExitReason, RestartWindow, affected, delay_s, wants_restart
from tickwire.actors.kernel.specs import Restart


@pytest.mark.parametrize("reason", get_args(ExitReason))
def test_permanent_always_comes_back_transient_after_the_abnormal_temporary_never(reason: ExitReason) -> None:
    kinds: tuple[Restart, ...] = ("permanent", "transient", "temporary")
    assert [wants_restart(kind, reason) for kind in kinds] == [True, reason != "normal", False]


def test_strategies_say_whom_a_death_concerns_in_start_order() -> None:
    ids = ["a", "b", "c"]
    assert affected("one_for_one", ids, "b") == ["b"]
    assert affected("rest_for_one", ids, "b") == ["b", "c"]
    assert affected("one_for_all", ids, "b") == ["a", "b", "c"]


@given(attempt=st.integers(0, 10_000), uniform=st.floats(0.0, 1.0, exclude_max=True), factor=st.floats(0.0, 2.0))
def test_delays_double_up_to_the_most_each_lengthened_by_chance(attempt: int, uniform: float, factor: float) -> None:
    backoff = Backoff(min_s=0.2, max_s=30.0, random_factor=factor)
    whole = min(30.0, 0.2 * 2 ** min(attempt, 20))
    assert whole <= delay_s(backoff, attempt, uniform) <= whole * (1 + factor)


@given(gaps=st.lists(st.floats(0.0, 20.0), max_size=60), intensity=st.integers(0, 5), period_s=st.floats(0.5, 60.0))
def test_a_window_is_passed_exactly_when_more_than_intensity_lie_within_the_period(
    gaps: list[float], intensity: int, period_s: float
) -> None:
    window = RestartWindow(intensity=intensity, period_s=period_s)
    moments: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        moments.append(now)
        within = sum(moment > now - period_s for moment in moments)
        assert window.count(now) is (within > intensity)
