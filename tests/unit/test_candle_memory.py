"""What a kept candle weighs: a relay of many assets keeps hundreds of each timeframe."""

import tracemalloc

from tickwire.market.bars import Bar
from tickwire.market.rollup import Rollup

CANDLES = 1_000
MOST_BYTES = 1_000


def bar(start: int) -> Bar:
    return Bar(start, 1.06548, 1.06561, 1.06512, 1.06533, 37, "live")


def test_a_candle_that_has_been_shown_weighs_little_more_than_its_json() -> None:
    rollup = Rollup(CANDLES, bar, lambda entered, _start: entered)
    rollup.at = 15 * CANDLES
    rollup.mark(0, range(0, 15 * CANDLES, 15))
    rollup.freshen(0)
    tracemalloc.start()
    try:
        json = rollup.encoded(0, CANDLES)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(json) > 100 * CANDLES
    assert kept - len(json) < MOST_BYTES * CANDLES
