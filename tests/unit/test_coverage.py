"""Which time is known of an asset: what may be joined, and that no hole between live ticks is hidden."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tickwire.market.coverage import JOIN_US, MOST_SPANS, US, Coverage

Span = tuple[int, int]


def live(coverage: Coverage, first_s: float, last_s: float) -> None:
    coverage.begin(round(first_s * US))
    coverage.extend(round(last_s * US))


def past(coverage: Coverage, first_s: float, last_s: float) -> None:
    coverage.past(round(first_s * US), round(last_s * US))


def holes(coverage: Coverage) -> list[tuple[float, float]]:
    return [(begin / US, end / US) for begin, end in coverage.holes]


def test_history_that_ends_shortly_before_the_first_live_tick_leaves_no_hole() -> None:
    coverage = Coverage()
    past(coverage, 0, 100)
    live(coverage, 100.7, 130)
    assert holes(coverage) == []
    assert coverage.state(90 * US, 120 * US) == "whole"
    assert coverage.holes_made == 0


def test_nor_does_it_if_it_comes_after_that_tick() -> None:
    coverage = Coverage()
    live(coverage, 100.7, 130)
    past(coverage, 0, 100)
    assert holes(coverage) == []
    assert coverage.state(90 * US, 120 * US) == "whole"


@pytest.mark.parametrize("history_first", [True, False])
def test_history_that_ends_long_before_the_first_live_tick_leaves_one(history_first: bool) -> None:
    coverage = Coverage()
    after = 100 + JOIN_US / US + 0.1
    if history_first:
        past(coverage, 0, 100)
    live(coverage, after, 130)
    if not history_first:
        past(coverage, 0, 100)
    assert holes(coverage) == [(100, after)]


def test_a_short_hole_between_live_ticks_stays_though_history_had_come_before_them() -> None:
    coverage = Coverage()
    past(coverage, 0, 100)
    live(coverage, 100.5, 130)
    live(coverage, 130.5, 160)
    assert holes(coverage) == [(130, 130.5)]
    assert coverage.state(120 * US, 135 * US) == "gap"
    assert coverage.holes_made == 1


def test_of_the_ticks_after_a_cut_only_the_history_that_tells_of_the_cut_closes_it() -> None:
    coverage = Coverage()
    live(coverage, 0, 100)
    live(coverage, 103, 104)
    live(coverage, 105, 130)
    past(coverage, -50, 101)
    assert holes(coverage) == [(104, 105)]


def test_history_that_begins_after_a_cut_says_nothing_of_it() -> None:
    coverage = Coverage()
    live(coverage, 0, 100)
    live(coverage, 120, 130)
    past(coverage, 101, 119)
    assert holes(coverage) == [(100, 101)]


def test_what_an_earlier_run_had_is_never_joined_to_live_ticks_that_it_does_not_touch() -> None:
    coverage = Coverage()
    live(coverage, 30.5, 60)
    coverage.remembered([(0, True), (15, True)], 15)
    assert holes(coverage) == [(30, 30.5)]
    coverage.stored(30 * US, [30_200_000])
    assert holes(coverage) == [(30.2, 30.5)]


def test_a_tick_that_history_ends_with_and_that_came_live_joins_nothing_over_a_cut() -> None:
    coverage = Coverage()
    past(coverage, 0, 100)
    live(coverage, 100, 100)
    live(coverage, 101, 110)
    assert holes(coverage) == [(100, 101)]


def test_history_that_ends_with_the_last_tick_before_a_cut_says_that_none_was_missed() -> None:
    coverage = Coverage()
    live(coverage, 0, 100)
    past(coverage, 50, 100)
    live(coverage, 103, 110)
    assert holes(coverage) == []


def test_silence_counts_as_known_until_it_is_doubted() -> None:
    coverage = Coverage()
    live(coverage, 0, 10)
    coverage.silent(40 * US)
    assert coverage.state(0, 30 * US) == "whole"
    assert coverage.end() == 10 * US
    assert coverage.state(0, 30 * US) == "partial"
    live(coverage, 41, 60)
    assert holes(coverage) == [(10, 41)]
    assert coverage.end() is None


def test_ticks_that_begin_anew_take_silence_back_too() -> None:
    coverage = Coverage()
    live(coverage, 0, 10)
    coverage.silent(40 * US)
    live(coverage, 20, 30)
    assert holes(coverage) == [(10, 20)]
    assert coverage.state(25 * US, 35 * US) == "partial"


def test_silence_that_a_tick_ended_is_known_for_good() -> None:
    coverage = Coverage()
    live(coverage, 0, 10)
    coverage.silent(40 * US)
    coverage.extend(50 * US)
    assert coverage.end() is None
    live(coverage, 60, 70)
    assert holes(coverage) == [(50, 60)]


def test_silence_hides_no_hole_before_it_and_lists_none_within() -> None:
    coverage = Coverage()
    live(coverage, 0, 10)
    live(coverage, 20, 30)
    coverage.silent(90 * US)
    past(coverage, 50, 60)
    assert holes(coverage) == [(10, 20)]


def test_the_oldest_holes_are_forgotten_past_a_bound() -> None:
    coverage = Coverage()
    for number in range(MOST_SPANS + 10):
        live(coverage, 100 * number, 100 * number + 50)
    assert len(holes(coverage)) == MOST_SPANS - 1
    assert holes(coverage)[-1] == (100 * (MOST_SPANS + 8) + 50, 100 * (MOST_SPANS + 9))


# -- any history, any order

JOIN_S = JOIN_US // US
LENGTH_S = 60
instants = st.integers(0, LENGTH_S - 1)
lives = st.lists(instants, min_size=2, max_size=16, unique=True).map(sorted)
pasts = st.lists(st.tuples(instants, instants).map(lambda ends: (min(ends), max(ends))), max_size=4)
places = st.lists(st.integers(0, 8), min_size=4, max_size=4)


QUARTER = US // 4


def known(live_spans: Sequence[Span], past_spans: Sequence[Span]) -> list[bool]:
    """Of each quarter of a second whether it is known, worked out without spans.

    Live ticks stand on whole seconds, history half a second later, so that no two ends are one.
    """
    quarters = [False] * (4 * LENGTH_S + 4)
    for first, last in live_spans:
        quarters[4 * first : 4 * last + 1] = [True] * (4 * (last - first) + 1)
    for first, last in past_spans:
        quarters[4 * first + 2 : 4 * last + 3] = [True] * (4 * (last - first) + 1)
    begins = {4 * first for first, _ in live_spans}
    for end in {4 * last + 2 for _, last in past_spans}:
        after = next((at for at in range(end + 1, len(quarters)) if quarters[at]), end)
        if after in begins and after - end <= 4 * JOIN_S:
            quarters[end:after] = [True] * (after - end)
    return quarters


@settings(max_examples=1000)
@given(ends=lives, past_spans=pasts, when=places)
def test_in_any_order_of_arrival_what_lacks_is_what_neither_live_ticks_nor_history_cover(
    ends: list[int], past_spans: list[Span], when: list[int]
) -> None:
    """Of history that begins shortly behind other history's end nobody can say which of them is right."""
    assume(all(not last < first <= last + JOIN_S for _, last in past_spans for first, _ in past_spans))
    coverage, live_spans = Coverage(), list(zip(ends[::2], ends[1::2], strict=False))
    came = list(zip(when, past_spans, strict=False))
    for place in range(9):
        for first, last in [span for at, span in came if at == place]:
            past(coverage, first + 0.5, last + 0.5)
        for first, last in live_spans[place : place + 1]:
            coverage.begin(first * US)
            for second in range(first, last + 1):
                coverage.extend(second * US)
    points = [at for at, is_known in enumerate(known(live_spans, past_spans)) if is_known]
    gaps = [(one * QUARTER, another * QUARTER) for one, another in pairwise(points) if another > one + 1]
    assert coverage.holes == gaps
