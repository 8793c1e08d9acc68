"""The minute that a tick is part of, as it is now: what `redis_update` says beside the tick. Pure."""

from dataclasses import replace

from tickwire.market.forming import FormingCandle
from tickwire.market.timeframes import SECONDS, bucket_start
from tickwire.messages.candles import Candle

MINUTE = "1m"


class Minutes:
    """Of one asset: the forming one, and the one before it for ticks that come late."""

    def __init__(self) -> None:
        self._forming = FormingCandle(MINUTE)
        self._before: Candle | None = None

    def seed(self, known: Candle) -> None:
        """What the candle cache knew of the forming one."""
        self._forming.seed(known)

    def add(self, ts_us: int, price: float) -> Candle | None:
        """Take a tick; its minute, or None where that is neither of the two."""
        for over in self._forming.add([ts_us], [price]):
            self._before = over
        start = bucket_start(ts_us, SECONDS[MINUTE])
        forming = self._forming.candle
        if forming is not None and forming.timestamp == start:
            return forming
        before = self._before
        if before is None or before.timestamp != start:
            return None
        self._before = replace(before, high=max(before.high, price), low=min(before.low, price))
        return self._before
