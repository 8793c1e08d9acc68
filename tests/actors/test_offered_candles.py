"""Candles that clients offer: how many are kept, and which go first."""

from collections.abc import Sequence

import pytest
from support.cache_manager import candles

from tickwire.actors.offered_candles import MOST_CANDLES, MOST_IN_ALL, MOST_OFFERED, OfferedCandles
from tickwire.messages.candles import Candle


def many(count: int) -> Sequence[Candle]:
    return candles(15) * count


def test_the_newest_of_too_many_are_kept() -> None:
    offered = OfferedCandles()
    every = candles(*range(15, 15 * (MOST_CANDLES + 3), 15))
    assert offered.keep("A", "15s", every) == MOST_CANDLES
    assert offered.get("A", "15s") == every[-MOST_CANDLES:]


@pytest.mark.parametrize(("each", "most"), [(1, MOST_OFFERED), (MOST_CANDLES, MOST_IN_ALL // MOST_CANDLES)])
def test_one_more_than_there_is_room_for_takes_the_place_of_what_was_not_asked_for_the_longest(
    each: int, most: int
) -> None:
    offered = OfferedCandles()
    for number in range(most):
        offered.keep(f"A{number}", "15s", many(each))
    assert offered.get("A0", "15s")
    offered.keep("B", "15s", many(each))
    assert [name for name in ("A0", "A1", "A2", "B") if offered.get(name, "15s")] == ["A0", "A2", "B"]


def test_what_is_offered_anew_or_cleared_leaves_its_room() -> None:
    offered = OfferedCandles()
    offered.keep("A", "15s", many(1))
    for _ in range(2 * MOST_IN_ALL // MOST_CANDLES):
        offered.keep("B", "15s", many(MOST_CANDLES))
    for _ in range(2 * MOST_IN_ALL // MOST_CANDLES):
        offered.keep("C", "15s", many(MOST_CANDLES))
        offered.forget("C", "15s")
    offered.forget("nobody", "15s")
    assert [name for name in ("A", "B", "C") if offered.get(name, "15s")] == ["A", "B"]
