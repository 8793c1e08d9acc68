"""CacheManager's part that keeps candles which clients offered, for assets and timeframes the relay has none of.

They are in memory only: not in the book, not in Redis, not in the store, so none of them ever passes for our own.
"""

from collections import OrderedDict
from collections.abc import Sequence

from tickwire.messages.candles import Candle

MOST_OFFERED = 200
"""One more, and the one that was not asked for the longest is forgotten."""
MOST_CANDLES = 5000


class OfferedCandles:
    """By asset and timeframe (canonical). It outlives incarnations of its owner."""

    def __init__(self, most: int = MOST_OFFERED) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, str], Sequence[Candle]] = OrderedDict()

    def keep(self, asset: str, timeframe: str, candles: Sequence[Candle]) -> int:
        """Keep the newest of them in place of what was offered before; returns how many."""
        newest = candles[-MOST_CANDLES:]
        self._kept[asset, timeframe] = newest
        self._kept.move_to_end((asset, timeframe))
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return len(newest)

    def get(self, asset: str, timeframe: str) -> Sequence[Candle]:
        candles = self._kept.get((asset, timeframe))
        if candles is None:
            return ()
        self._kept.move_to_end((asset, timeframe))
        return candles

    def forget(self, asset: str, timeframe: str) -> None:
        """Also called for one that is not kept."""
        self._kept.pop((asset, timeframe), None)
