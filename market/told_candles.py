"""The broker's own candles of one asset: what they fill, and where they are all that is known. Pure."""

from collections.abc import Sequence

from tickwire.market.bars import Bar
from tickwire.market.coverage import Coverage
from tickwire.market.rollup import LENGTHS, Rollup
from tickwire.market.tick_order import US
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.candles import Quality
from tickwire.messages.ticks import BrokerCandles

MINUTE = TIMEFRAMES.index("1m")


class ToldCandles:
    def __init__(self, rollup: Rollup) -> None:
        self._rollup = rollup
        self._told = Coverage()
        """Of whole candles of a minute or less: a minute without one had no tick."""

    def take(self, candles: BrokerCandles, now_us: int | None) -> Sequence[int]:
        """Take them where they begin a bucket that counts still; returns their opening seconds.

        What ends after `now_us` forms still. None: no live tick has told the time, and nothing is known better.
        """
        period, level, rollup = candles.period_s, LENGTHS.index(candles.period_s), self._rollup
        floor = rollup.floor[level]
        rows = [row for row in candles.rows[-rollup.keep :] if row[0] >= floor and row[0] % period == 0]
        over = {row[0] for row in rows if now_us is None or (row[0] + period) * US <= now_us}
        for start, opened, high, low, closed in rows:
            quality: Quality = "backfilled" if start in over else "partial"
            rollup.told(level, Bar(start, opened, high, low, closed, 0, quality))
        if over and level <= MINUTE:
            self._told.past(min(over) * US, (max(over) + period) * US)
        return [row[0] for row in rows]

    def refilled(self, begin_us: int, end_us: int) -> bool:
        """Whether every candle of a minute or longer is whole over this hole, though its ticks lack."""
        length = LENGTHS[MINUTE]
        self._rollup.freshen(MINUTE)
        return all(map(self._is_whole, range(begin_us // US // length * length, -(-end_us // US), length)))

    def _is_whole(self, start: int) -> bool:
        if self._rollup.has(MINUTE, start):
            return self._rollup.is_whole(MINUTE, start)
        return self._told.state(start * US, (start + LENGTHS[MINUTE]) * US) == "whole"
