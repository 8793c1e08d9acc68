"""CacheManager's part that keeps candles which clients offered, for assets and timeframes the relay has none of.

They are in memory only: not in the book, not in Redis, not in the store, so none of them ever passes for our own.
"""

from collections import OrderedDict
from collections.abc import Sequence

from tickwire.messages.candles import Candle

MOST_OFFERED = 200
"""Pairs of asset and timeframe."""
MOST_CANDLES = 5000
"""Of each."""
MOST_IN_ALL = 100_000
"""25 MB. One more of either, and what was not asked for the longest is forgotten."""


class OfferedCandles:
    """By asset and timeframe (canonical). It outlives incarnations of its owner."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Sequence[Candle]] = OrderedDict()
        self._count = 0

    def keep(self, asset: str, timeframe: str, candles: Sequence[Candle]) -> int:
        """Keep the newest of them in place of what was offered before; returns how many."""
        self.forget(asset, timeframe)
        newest = self._kept[asset, timeframe] = candles[-MOST_CANDLES:]
        self._count += len(newest)
        while len(self._kept) > MOST_OFFERED or self._count > MOST_IN_ALL:
            _, gone = self._kept.popitem(last=False)
            self._count -= len(gone)
        return len(newest)

    def get(self, asset: str, timeframe: str) -> Sequence[Candle]:
        candles = self._kept.get((asset, timeframe))
        if candles is None:
            return ()
        self._kept.move_to_end((asset, timeframe))
        return candles

    def forget(self, asset: str, timeframe: str) -> None:
        """Also called for one that is not kept."""
        self._count -= len(self._kept.pop((asset, timeframe), ()))
