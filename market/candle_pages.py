"""Which candles a question about the past means, and how two sources' answers become one. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from tickwire.market.candle_rows import worth
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
    """Ascending; of two states of one candle the better known, and the forming one as it is held.

    With `older` the store has more before its first one: what is held from there may have holes and waits its turn.
    """
    merged = {candle.timestamp: candle for candle in stored}
    since = stored[0].timestamp if older and stored else 0
    for candle in held:
        known = merged.get(candle.timestamp)
        if candle.timestamp >= since and (known is None or not candle.is_closed or worth(candle) >= worth(known)):
            merged[candle.timestamp] = candle
    return [merged[at] for at in sorted(merged)]
