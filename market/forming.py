"""The forming candle of one asset and timeframe, as a live view shows it. Pure.

Its prices are exact: open, high, low and close of the union of what the candle cache knew and all ticks seen since
(seeing one twice changes nothing). Its count is a view's: the closed candle that replaces it has the true one.
"""

from collections.abc import Sequence

from tickwire.market.timeframes import SECONDS, bucket_start
from tickwire.messages.candles import Candle, Quality


class FormingCandle:
    """Grows by `add`; begins anew with the first tick of a later bucket."""

    def __init__(self, timeframe: str) -> None:
        self.timeframe = timeframe
        self._seconds = SECONDS[timeframe]
        self._start: int | None = None
        self._open = self._high = self._low = self._close = 0.0
        self._volume = 0.0
        self._ticks = 0
        self._quality: Quality = "partial"

    @property
    def candle(self) -> Candle | None:
        if self._start is None:
            return None
        return Candle(
            timestamp=self._start,
            open=self._open,
            high=self._high,
            low=self._low,
            close=self._close,
            volume=self._volume,
            is_closed=False,
            timeframe=self.timeframe,
            ticks=self._ticks,
            quality=self._quality,
        )

    def add(self, ts_us: Sequence[int], prices: Sequence[float]) -> list[Candle]:
        """Take ticks in the order of their arrival; returns the candles that they ended, as they last were.

        Ticks of buckets that are over are left out: the candle cache amends those.
        """
        over: list[Candle] = []
        for us, price in zip(ts_us, prices, strict=True):
            start = bucket_start(us, self._seconds)
            if self._start is not None and start < self._start:
                continue
            if start != self._start:
                ended = self.candle
                if ended is not None:
                    over.append(ended)
                self._begin(start, price, "partial" if ended is None else "live")
            self._high = max(self._high, price)
            self._low = min(self._low, price)
            self._close = price
            self._ticks += 1
        return over

    def _begin(self, start: int, price: float, quality: Quality) -> None:
        self._start = start
        self._open = self._high = self._low = price
        self._volume = 0.0
        self._ticks = 0
        self._quality = quality

    def seed(self, known: Candle) -> None:
        """Merge what the candle cache knew of the bucket; an older bucket's candle is of no use."""
        if self._start is None or known.timestamp > self._start:
            self._begin(known.timestamp, known.open, known.quality)
            self._high, self._low, self._close = known.high, known.low, known.close
        elif known.timestamp < self._start:
            return
        # The cache saw the bucket from its beginning, this view only from when somebody looked.
        self._open = known.open
        self._high = max(self._high, known.high)
        self._low = min(self._low, known.low)
        self._ticks = max(self._ticks, known.ticks)
        self._volume = max(self._volume, known.volume)
        self._quality = known.quality
