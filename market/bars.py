"""Open, high, low, close of a bucket, and how several become one. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from tickwire.messages.candles import Candle, Quality

WORST_FIRST: tuple[Quality, ...] = ("gap", "partial", "backfilled", "live")


class Bar(NamedTuple):
    """A candle without its timeframe; `start` is the bucket's opening second UTC."""

    start: int
    open: float
    high: float
    low: float
    close: float
    ticks: int
    quality: Quality
    volume: float = 0

    @property
    def whole(self) -> bool:
        """Known from the bucket's start to its end."""
        return self.quality in ("live", "backfilled")

    def candle(self, timeframe: str, *, is_closed: bool) -> Candle:
        return Candle(
            timestamp=self.start,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            is_closed=is_closed,
            timeframe=timeframe,
            ticks=self.ticks,
            quality=self.quality,
        )


def bar_of(candle: Candle) -> Bar:
    return Bar(
        candle.timestamp,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.ticks,
        candle.quality,
        candle.volume,
    )


def roll(start: int, parts: Sequence[Bar]) -> Bar:
    """One bar of its parts, at least one, ascending: as good as the worst of them."""
    _, opens, highs, lows, closes, ticks, qualities, volumes = zip(*parts, strict=True)
    worst = min(set(qualities), key=WORST_FIRST.index)
    return Bar(start, opens[0], max(highs), min(lows), closes[-1], sum(ticks), worst, sum(volumes))


def union(earlier: Bar, later: Bar) -> Bar:
    """Two views of one bucket that may overlap: `earlier` saw its beginning, `later` its end. No tick counts twice."""
    return later._replace(
        open=earlier.open,
        high=max(earlier.high, later.high),
        low=min(earlier.low, later.low),
        ticks=max(earlier.ticks, later.ticks),
        volume=max(earlier.volume, later.volume),
    )
