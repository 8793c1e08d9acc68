"""An asset's past out of a store, read in slices, newest first. Each generator yields between two calls of the store.

Candles are those that the store keeps; where it keeps none, they are made of its ticks. A question that takes too much
ends early: what it found is right as far as it goes, and `older` says that there is more.
"""

from collections.abc import Callable, Generator, Sequence

from tickwire.actors.ports import Store, StoreMisconfigured
from tickwire.market.bars import Bar
from tickwire.market.timeframes import SECONDS, bucket_start
from tickwire.messages.candles import Candle
from tickwire.messages.history import HistoryLoaded, StoreQuestion, TicksLoaded
from tickwire.runtime.stores.candle_table import LAST_TS

US = 1_000_000
SLICE_TICKS = 2000
MOST_TICKS = 200_000
"""That one question makes candles of: a day of an asset that ticks twice a second."""
MOST_CALLS = 400
BUDGET_S = 3.0
"""One question's time: well below what CacheManager waits."""

Walk = Generator[None, None, HistoryLoaded | TicksLoaded]


def walk(store: Store, question: StoreQuestion, now_s: int, monotonic: Callable[[], float]) -> Walk:
    """The generator that answers a question."""
    if question.timeframe is None:
        return read_ticks(store, question)
    return CandleWalk(store, question, question.timeframe, now_s, monotonic).read()


def read_ticks(store: Store, question: StoreQuestion) -> Walk:
    """The newest ticks in the range; those of one stamp come together or not at all, so no page cuts them apart."""
    since, until = question.from_us or 0, question.until_us
    until = LAST_TS * US if until is None else until
    size = question.limit + 1
    while True:
        ticks = store.ticks(question.asset, since, until, size)
        if len(ticks) < size:
            return TicksLoaded(question=question, rows=ticks, older=False)
        page = [tick for tick in ticks if tick[0] > ticks[0][0]]
        if page:
            return TicksLoaded(question=question, rows=page, older=True)
        size *= 2
        yield


class CandleWalk:
    def __init__(
        self, store: Store, question: StoreQuestion, timeframe: str, now_s: int, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._question = question
        self._timeframe = timeframe
        self._seconds = seconds = SECONDS[timeframe]
        self._now_s = now_s
        self._monotonic = monotonic
        self._ends_at = monotonic() + BUDGET_S
        self._since = -(-(question.from_us or 0) // (seconds * US)) * seconds
        until_us = LAST_TS * US if question.until_us is None else min(question.until_us, LAST_TS * US)
        self._until = -(-until_us // (seconds * US)) * seconds
        """Buckets: opened from `since` on and before `until`."""
        self._found: list[Candle] = []
        """Newest first."""
        self._ticks = self._calls = 0
        self._cut = False

    def read(self) -> Walk:
        kept = self._kept(self._since, self._until, self._question.limit)
        end = self._until
        for candle in reversed(kept):
            yield from self._hole(candle.timestamp + self._seconds, end)
            if self._done:
                break
            self._found.append(candle)
            end = candle.timestamp
        if not self._done:
            yield from self._hole(self._since, end)
        older = self._cut or (self._full and self._anything_before(self._found[-1].timestamp))
        return HistoryLoaded(question=self._question, candles=self._found[::-1], older=older)

    @property
    def _full(self) -> bool:
        return len(self._found) >= self._question.limit

    @property
    def _done(self) -> bool:
        return self._full or self._cut

    def _kept(self, since: int, until: int, limit: int) -> Sequence[Candle]:
        try:
            return self._store.candles(self._question.asset, self._timeframe, since, until, limit)
        except StoreMisconfigured:
            return ()  # an older database without the table; whatever else it may be, the ticks' reading says it, too

    def _anything_before(self, start: int) -> bool:
        if start <= self._since:
            return False
        asset, since_us = self._question.asset, self._since * US
        return bool(self._kept(self._since, start, 1) or self._store.ticks(asset, since_us, start * US, 1))

    def _hole(self, start: int, end: int) -> Generator[None, None, None]:
        """Between the kept ones, [start, end): candles of what ticks there are."""
        if start >= end or self._done:
            return
        bars: dict[int, Bar] = {}
        need = self._question.limit - len(self._found)
        until_us, size = end * US, SLICE_TICKS
        while True:
            yield
            ticks = self._store.ticks(self._question.asset, start * US, until_us, size)
            self._calls += 1
            self._ticks += len(ticks)
            whole = len(ticks) < size
            if not whole and ticks[0][0] == ticks[-1][0]:
                size *= 2
                continue
            if not whole:
                ticks = [tick for tick in ticks if tick[0] > ticks[0][0]]  # the oldest stamp may be cut
            for us, text in reversed(ticks):
                _take(bars, bucket_start(us, self._seconds), float(text))
            if whole or len(bars) > need:
                break
            if self._spent:
                self._cut = True
                break
            until_us, size = ticks[0][0], SLICE_TICKS
        self._show(bars, need)
        self._cut = self._cut or (bool(self._found) and not self._full and self._spent)

    @property
    def _spent(self) -> bool:
        return self._ticks >= MOST_TICKS or self._calls >= MOST_CALLS or self._monotonic() >= self._ends_at

    def _show(self, bars: dict[int, Bar], need: int) -> None:
        starts = sorted(bars, reverse=True)
        if self._cut and (len(starts) > 1 or self._found):
            starts.pop()  # its earlier ticks were not read
        elif self._cut and starts:
            bars[starts[0]] = bars[starts[0]]._replace(quality="partial")
        for start in starts[:need]:
            closed = start + self._seconds <= self._now_s
            self._found.append(bars[start].candle(self._timeframe, is_closed=closed))


def _take(bars: dict[int, Bar], start: int, price: float) -> None:
    """Take a tick earlier than all before it."""
    bar = bars.get(start)
    if bar is None:
        bars[start] = Bar(start, price, price, price, price, 1, "backfilled")
    else:
        bars[start] = bar._replace(open=price, high=max(bar.high, price), low=min(bar.low, price), ticks=bar.ticks + 1)
