"""CacheManager's reader: a thread with a read connection of its own to the store, candles out of its ticks.

Each question ends in one HistoryLoaded; the thread's own end, whatever its cause, in one ReaderEnded.
"""

import queue
import threading
from collections.abc import Callable

from tickwire.actors.ports import Clock, Store, StoreError
from tickwire.market.bars import Bar
from tickwire.market.timeframes import SECONDS, bucket_start
from tickwire.messages.candles import Candle
from tickwire.messages.history import HistoryLoaded
from tickwire.messages.lifecycle import ReaderEnded

US = 1_000_000
SPAN_US = 24 * 3600 * US
"""How far back candles are made of ticks."""
SLICE_TICKS = 2000
PAUSE_S = 0.002
"""Between slices: the hot path's turn."""
CALL_QUEUE = 64

Question = tuple[str, str, int]


class StoreReader:
    """`HistoryReader` on any store. `tell` takes messages in the reader's thread."""

    def __init__(
        self, make_store: Callable[[], Store], tell: Callable[[object], object], clock: Clock, incarnation: int
    ) -> None:
        self._make_store = make_store
        self._tell = tell
        self._clock = clock
        self._incarnation = incarnation
        self._questions: queue.Queue[Question | None] = queue.Queue(CALL_QUEUE + 1)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tickwire-reader-{incarnation}", daemon=True)
        self._thread.start()

    def read(self, asset: str, timeframe: str, limit: int) -> None:
        try:
            self._questions.put_nowait((asset, timeframe, limit))
        except queue.Full:
            self._tell(_loaded((asset, timeframe, limit), [], "the reader has too many questions"))

    def close(self) -> None:
        self._closed.set()
        try:
            self._questions.put_nowait(None)
        except queue.Full:
            return  # it looks at the event before each question

    def _run(self) -> None:
        reason = "an error of its own"
        store: Store | None = None
        opened = False
        try:
            while (question := self._questions.get()) is not None and not self._closed.is_set():
                asset, timeframe, limit = question
                try:
                    store = store or self._make_store()
                    if not opened:
                        store.open()
                        opened = True
                    answer = _loaded(question, self._candles(store, asset, timeframe, limit))
                except StoreError as error:
                    answer = _loaded(question, [], str(error))
                if not self._closed.is_set():
                    self._tell(answer)
            reason = "closed"
        finally:
            if store is not None:
                store.close()
            if not self._closed.is_set():
                self._tell(ReaderEnded(reader="store", reason=reason, incarnation=self._incarnation))

    def _candles(self, store: Store, asset: str, timeframe: str, limit: int) -> list[Candle]:
        """From the newest tick backward, slice by slice, until there are enough or 24 h are over."""
        newest = store.newest_ts_us(asset)
        if newest is None:
            return []
        seconds, bars = SECONDS[timeframe], dict[int, Bar]()
        least, until = newest - SPAN_US, newest + 1
        while not self._closed.is_set():
            ticks = store.ticks(asset, least, until, SLICE_TICKS)
            whole = len(ticks) < SLICE_TICKS
            if not whole and ticks[0][0] < ticks[-1][0]:
                ticks = [tick for tick in ticks if tick[0] > ticks[0][0]]  # the oldest stamp may be cut
            for us, text in reversed(ticks):
                _take(bars, bucket_start(us, seconds), float(text))
            if whole or len(bars) > limit:
                break
            until = ticks[0][0]
            self._closed.wait(PAUSE_S)
        now = self._clock.now_us() // US
        return [bars[at].candle(timeframe, is_closed=at + seconds <= now) for at in sorted(bars)[-limit:]]


def _take(bars: dict[int, Bar], start: int, price: float) -> None:
    """Take a tick earlier than all before it."""
    bar = bars.get(start)
    if bar is None:
        bars[start] = Bar(start, price, price, price, price, 1, "backfilled")
    else:
        bars[start] = bar._replace(open=price, high=max(bar.high, price), low=min(bar.low, price), ticks=bar.ticks + 1)


def _loaded(question: Question, candles: list[Candle], error: str | None = None) -> HistoryLoaded:
    asset, timeframe, limit = question
    return HistoryLoaded(
        asset=asset, timeframe=timeframe, candles=candles, source="store", limit=limit, error=error
    )  # fmt: skip
