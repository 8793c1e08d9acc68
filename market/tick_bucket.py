"""The ticks of one base bucket: what they come to, and for a while the ticks themselves. Pure.

The ticks are kept (16 bytes each) so that history can be told from what came live; a sealed bucket keeps the sums.
"""

from array import array
from collections import Counter
from collections.abc import Sequence

MOST_TICKS = 4000
"""A bucket with more is sealed at once."""


class Bucket:
    __slots__ = (
        "backfilled", "close", "first_us", "high", "last_us", "low", "open", "past_to_us", "prices", "stamps", "start",
        "ticks",
    )  # fmt: skip

    def __init__(self, start: int) -> None:
        self.start = start
        self.open = self.high = self.low = self.close = 0.0
        self.ticks = 0
        self.first_us = self.last_us = 0
        self.past_to_us = -1
        """Stamp of the newest tick that came as history: up to it a live tick may be known already."""
        self.backfilled = False
        self.stamps: array[int] | None = array("q")
        self.prices: array[float] = array("d")

    def live(self, ts_us: Sequence[int], prices: Sequence[float], ordinals: Sequence[int]) -> None:
        """Take ticks, ascending by stamp, those of one stamp in the order they came."""
        if ts_us[0] <= self.past_to_us:
            ts_us, prices = self._unknown(ts_us, prices, ordinals)
            if not ts_us:
                return
        self._add(ts_us, prices)

    def past(self, ts_us: Sequence[int], prices: Sequence[float], ordinals: Sequence[int]) -> None:
        """Take ticks of the broker's history, ascending; those that came live already are known."""
        self.past_to_us = max(self.past_to_us, ts_us[-1])
        if self.stamps is None:
            self._widen(ts_us, prices)
            return
        fresh_us, fresh = self._unknown(ts_us, prices, ordinals)
        if not fresh_us:
            return
        self.backfilled = True
        together = [*zip(fresh_us, fresh, strict=True), *zip(self.stamps, self.prices, strict=True)]
        together.sort(key=lambda tick: tick[0])  # stable: of one stamp, history saw the beginning
        self.ticks, self.stamps, self.prices = 0, array("q"), array("d")
        self._add([us for us, _ in together], [price for _, price in together])

    def seal(self) -> None:
        self.stamps, self.prices = None, array("d")

    def _add(self, ts_us: Sequence[int], prices: Sequence[float]) -> None:
        high, low = (prices[0], prices[0]) if len(prices) == 1 else (max(prices), min(prices))
        if not self.ticks:
            self.open, self.close, self.high, self.low = prices[0], prices[-1], high, low
            self.first_us, self.last_us = ts_us[0], ts_us[-1]
        else:
            if ts_us[0] < self.first_us:
                self.open, self.first_us = prices[0], ts_us[0]
            if ts_us[-1] >= self.last_us:
                self.close, self.last_us = prices[-1], ts_us[-1]
            if high > self.high:
                self.high = high
            if low < self.low:
                self.low = low
        self.ticks += len(ts_us)
        if self.stamps is not None:
            self.stamps.extend(ts_us)
            self.prices.extend(prices)
            if self.ticks > MOST_TICKS:
                self.seal()

    def _unknown(
        self, ts_us: Sequence[int], prices: Sequence[float], ordinals: Sequence[int]
    ) -> tuple[list[int], list[float]]:
        """Those of which fewer with equal stamp and price are known than their ordinal says came before."""
        if self.stamps is None:
            after = [i for i, us in enumerate(ts_us) if us > self.past_to_us]
            return [ts_us[i] for i in after], [prices[i] for i in after]
        known = Counter(zip(self.stamps, self.prices, strict=True))
        new = [i for i, tick in enumerate(zip(ts_us, prices, strict=True)) if known[tick] <= ordinals[i]]
        return [ts_us[i] for i in new], [prices[i] for i in new]

    def _widen(self, ts_us: Sequence[int], prices: Sequence[float]) -> None:
        """A sealed bucket can't tell which ticks it has: of two counts that may overlap the larger is taken."""
        apart = ts_us[-1] < self.first_us or ts_us[0] > self.last_us
        if ts_us[0] < self.first_us:
            self.open, self.first_us = prices[0], ts_us[0]
        if ts_us[-1] > self.last_us:
            self.close, self.last_us = prices[-1], ts_us[-1]
        self.high, self.low = max(self.high, *prices), min(self.low, *prices)
        self.ticks = self.ticks + len(ts_us) if apart else max(self.ticks, len(ts_us))
        self.backfilled = self.backfilled or apart
