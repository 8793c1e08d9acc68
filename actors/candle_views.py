"""The forming candles that somebody watches, each said at most ten times a second. Gateway's, in its thread."""

from collections.abc import Sequence

from tickwire.actors.gateway_frames import candle_out
from tickwire.market.forming import FormingCandle
from tickwire.market.tick_book import TickBook
from tickwire.market.timeframes import SECONDS, bucket_start
from tickwire.messages.candles import Candle
from tickwire.messages.clients import CandleOut
from tickwire.messages.ticks import TickColumns

EVERY_S = 0.1


class _View:
    """One asset and timeframe."""

    __slots__ = ("candle", "dirty", "said_at")

    def __init__(self, timeframe: str) -> None:
        self.candle = FormingCandle(timeframe)
        self.said_at = float("-inf")
        self.dirty = False


class CandleViews:
    """By asset and timeframe. What there is to say comes out as CandleOut."""

    def __init__(self) -> None:
        self._views: dict[str, dict[str, _View]] = {}

    def open(self, asset: str, timeframe: str, book: TickBook) -> bool:
        """Begin a view from the ticks at hand; False if it is there already."""
        views = self._views.setdefault(asset, {})
        if timeframe in views:
            return False
        view = views[timeframe] = _View(timeframe)
        if book.ts_us is not None:
            start = bucket_start(book.ts_us, SECONDS[timeframe])
            ticks = [(us, price) for us, price in book.points() if us >= start * 1_000_000]
            view.candle.add([us for us, _ in ticks], [price for _, price in ticks])
            view.dirty = True
        return True

    def close(self, asset: str, timeframe: str) -> None:
        views = self._views.get(asset, {})
        views.pop(timeframe, None)
        if not views:
            self._views.pop(asset, None)

    def add(self, asset: str, columns: Sequence[TickColumns]) -> list[CandleOut]:
        """Take live ticks; a bucket that they end is said at once, as it last was."""
        out: list[CandleOut] = []
        for view in self._views.get(asset, {}).values():
            for column in columns:
                over = view.candle.add(column.ts_us, list(map(float, column.prices)))
                out += [candle_out(asset, candle) for candle in over]
            view.dirty = True
        return out

    def seed(self, asset: str, timeframe: str, candles: Sequence[Candle]) -> None:
        """What the candle cache knows: its last candle, where that one still forms."""
        view = self._views.get(asset, {}).get(timeframe)
        if view is not None and candles and not candles[-1].is_closed:
            view.candle.seed(candles[-1])
            view.dirty = True

    def say(self, asset: str, timeframe: str) -> CandleOut | None:
        """The candle as it is now, for somebody who has just come."""
        view = self._views.get(asset, {}).get(timeframe)
        candle = view.candle.candle if view is not None else None
        return candle_out(asset, candle) if candle is not None else None

    def due(self, now: float) -> tuple[list[CandleOut], float | None]:
        """What may be said now, and in how many seconds there is more to say (None: when ticks come)."""
        out: list[CandleOut] = []
        wait: float | None = None
        for asset, views in self._views.items():
            for view in views.values():
                candle = view.candle.candle
                if not view.dirty or candle is None:
                    continue
                left = view.said_at + EVERY_S - now
                if left <= 0:
                    view.said_at, view.dirty = now, False
                    out.append(candle_out(asset, candle))
                else:
                    wait = left if wait is None else min(wait, left)
        return out, wait
