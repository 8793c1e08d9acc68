"""CacheManager's part that brings an earlier run's candles back from the store, and closes holes with stored ticks.

Of what Redis had nothing the store is asked, a timeframe at a time. A hole is looked into a few times: what the last
run accepted may be on its way to the store still.
"""

from tickwire.actors.ports import CandleSource
from tickwire.market.candle_book import CandleBook
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.candles import CandlesRestored, HolesAnswered, HolesRequested, TicksRestored

LOOK_AFTER_S = (2.0, 45.0, 150.0)
"""After a hole was found. A batch is stored within 30 s."""
LOOK_BACK_US = 24 * 3600 * 1_000_000
MOST_HOLES = 8
"""Of an asset that are looked into, the newest."""


class Restoring:
    def __init__(self, book: CandleBook, source: CandleSource) -> None:
        self._book = book
        self._source = source
        self._asked: set[tuple[str, int]] = set()
        self._looks: dict[str, list[float]] = {}
        """Asset → when its holes are looked into, the next time last."""

    def go_on(self, now: float) -> None:
        """Ask for what lacks."""
        book = self._book
        for key in book.unrestored:
            if key not in self._asked:
                self._asked.add(key)
                self._source.candles(key[0], TIMEFRAMES[key[1]], book.size)
        book.unrestored.clear()
        for name in book.holed:
            self._looks[name] = [now + after for after in reversed(LOOK_AFTER_S)]
        book.holed.clear()
        for name in [name for name, looks in self._looks.items() if looks[-1] <= now]:
            self._look(name)

    def _look(self, name: str) -> None:
        looks, asset = self._looks[name], self._book.peek(name)
        looks.pop()
        if not looks or asset is None:
            del self._looks[name]
        if asset is not None:
            for begin, end in asset.holes[-MOST_HOLES:]:
                self._source.ticks(name, max(begin, end - LOOK_BACK_US), end)

    def due(self) -> float | None:
        return min((looks[-1] for looks in self._looks.values()), default=None)

    def candles(self, restored: CandlesRestored) -> None:
        if self._book.peek(restored.asset) is not None:
            self._book.adopt(restored.asset, restored.timeframe, restored.candles, ours=True)

    def ticks(self, restored: TicksRestored) -> None:
        self._book.refill(restored.asset, restored.from_us, restored.ticks)

    def answer(self, asked: HolesRequested) -> None:
        asset = self._book.peek(asked.asset)
        holes = asset.holes if asset is not None else ()
        asked.reply_to.tell(HolesAnswered(asset=asked.asset, known=asset is not None, holes=holes))

    def close(self) -> None:
        self._source.close()
