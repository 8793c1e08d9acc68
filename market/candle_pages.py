"""Which candles a question about the past means, and how two sources' answers become one. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from tickwire.market.candle_rows import worth
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle


class Range(Protocol):
    """Opening seconds: from the first on, before the second; None is no bound."""

    @property
    def from_ts(self) -> int | None: ...

    @property
    def until_ts(self) -> int | None: ...


def within(candles: Sequence[Candle], asked: Range) -> Sequence[Candle]:
    """Those of ascending candles that are asked for."""
    if asked.from_ts is None and asked.until_ts is None:
        return candles
    stamps = [candle.timestamp for candle in candles]
    first = 0 if asked.from_ts is None else bisect_left(stamps, asked.from_ts)
    last = len(stamps) if asked.until_ts is None else bisect_left(stamps, asked.until_ts)
    return candles[first:last]


def better_of(stored: Sequence[Candle], held: Sequence[Candle], *, older: bool) -> list[Candle]:
    """Ascending; of two states of one candle the better known.

    With `older` the store has more before its first one: what is held from there may have holes and waits its turn.
    """
    merged = {candle.timestamp: candle for candle in stored}
    since = stored[0].timestamp if older and stored else 0
    for candle in held:
        known = merged.get(candle.timestamp)
        better = known is None or (worth(candle), candle.is_closed) > (worth(known), known.is_closed)
        if candle.timestamp >= since and better:
            merged[candle.timestamp] = candle
    return [merged[at] for at in sorted(merged)]


def over_by(candles: Sequence[Candle], now_s: int) -> Sequence[Candle]:
    """The last one as closed if its time is past: of an asset without a feed, whose own clock stands still."""
    if not candles or candles[-1].is_closed or candles[-1].timestamp + SECONDS[candles[-1].timeframe] > now_s:
        return candles
    return [*candles[:-1], replace(candles[-1], is_closed=True)]
