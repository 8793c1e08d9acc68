"""CacheManager's part that brings an earlier run's candles back from the store, and closes holes.

Of what Redis had nothing the store is asked, a timeframe at a time. A hole is looked into a few times: what the last
run accepted may be on its way to the store still. What stored ticks do not close the venue is asked for, once, a piece
at a time: the oldest first, so that each piece's candles are handed on before memory has to forget them.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from tickwire.actors.ports import CandleSource
from tickwire.market.candle_book import CandleBook
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.candles import (
    CandlesRestored,
    Hole,
    HoleFound,
    HolesAnswered,
    HolesRequested,
    TicksRestored,
)

LOOK_AFTER_S = (2.0, 45.0, 150.0)
"""After a hole was found. A batch is stored within 30 s."""
LOOK_BACK_US = 24 * 3600 * 1_000_000
MOST_HOLES = 8
"""Of an asset that are looked into, the newest."""
ASK_EVERY_S = 0.5
"""A venue is asked no oftener."""
PIECE_US = 3600 * 1_000_000
MOST_TO_ASK = 5000
MOST_REMEMBERED = 20_000


class Restoring:
    def __init__(self, book: CandleBook, source: CandleSource, ask_venue: Callable[[str, HoleFound], None]) -> None:
        """`ask_venue` tells the ingestor of a feed."""
        self._book = book
        self._source = source
        self._ask_venue = ask_venue
        self._venue_asked: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._to_ask: deque[tuple[str, HoleFound]] = deque(maxlen=MOST_TO_ASK)
        self._ask_at = float("-inf")
        self._asked: set[tuple[str, int]] = set()
        self._looks: dict[str, list[float]] = {}
        """Asset → when its holes are looked into, the next time last."""

    def go_on(self, now: float) -> None:
        """Ask for what lacks."""
        book = self._book
        if len(self._asked) > MOST_REMEMBERED:
            self._asked.clear()
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
        if self._to_ask and now >= self._ask_at:
            self._ask_at = now + ASK_EVERY_S
            self._ask_venue(*self._to_ask.popleft())

    def _look(self, name: str) -> None:
        looks, asset = self._looks[name], self._book.peek(name)
        looks.pop()
        if not looks or asset is None:
            del self._looks[name]
        if asset is not None:
            for begin, end in asset.holes[-MOST_HOLES:]:
                self._source.ticks(name, max(begin, end - LOOK_BACK_US), end)
                if asset.feed and not asset.refilled(begin, end):
                    self._want_of_venue(asset.feed, name, begin, end)

    def _want_of_venue(self, feed: str, name: str, begin: int, end: int) -> None:
        if (name, end) in self._venue_asked:
            return
        self._venue_asked[name, end] = None
        if len(self._venue_asked) > MOST_REMEMBERED:
            self._venue_asked.popitem(last=False)
        for from_us in range(max(begin, end - LOOK_BACK_US), end, PIECE_US):
            piece = HoleFound(asset=name, from_us=from_us, until_us=min(from_us + PIECE_US, end))
            self._to_ask.append((feed, piece))

    def due(self) -> float | None:
        looks = min((looks[-1] for looks in self._looks.values()), default=None)
        if not self._to_ask:
            return looks
        return self._ask_at if looks is None else min(looks, self._ask_at)

    def candles(self, restored: CandlesRestored) -> None:
        if self._book.peek(restored.asset) is not None:
            self._book.adopt(restored.asset, restored.timeframe, restored.candles, ours=True)

    def ticks(self, restored: TicksRestored) -> None:
        self._book.refill(restored.asset, restored.from_us, restored.found)

    def answer(self, asked: HolesRequested) -> None:
        asset = self._book.peek(asked.asset)
        holes = []
        if asset is not None:
            spans = asset.holes
            holes = [Hole(from_us=a, until_us=b, refilled=asset.refilled(a, b)) for a, b in spans]
        asked.reply_to.tell(HolesAnswered(asset=asked.asset, known=asset is not None, holes=holes))

    def close(self) -> None:
        self._source.close()
