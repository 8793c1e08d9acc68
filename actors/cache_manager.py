"""Builds candles of all timeframes, keeps `historical:{asset}:{timeframe}`, answers questions about the past.

Receives  TicksReceived, BackfillReceived, HistoryRequested, StoredTicksRequested, CandlesOffered, CandlesCleared,
          HistoryCountsRequested, HistoryLoaded, TicksLoaded, ReaderEnded, CandlesRestored, TicksRestored,
          HolesRequested, TicksDoubted, FeedChanged, LinkChanged, DrainRequested
Sends     CandleClosed (Publisher, Gateway), CandlesMade (BufferKeeper), HoleFound (TickIngestor), HistoryServed,
          StoredTicksServed, HistoryFailed, CandlesTaken, HistoryCounted, HistoryMeasured, TicksLeftOut, LinkChanged
Owns      a Redis connection; two reader threads with a read connection to the store each
If it dies  the candles outlive it (they are given to it); ticks that come again are known by epoch and seq.

Whatever is due is done at the end of each step; its one timer only sees to it that there is a step.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog

from tickwire.actors.candle_keys import CandleKeys
from tickwire.actors.history_desk import HistoryDesk
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.one_timer import GoOn, OneTimer
from tickwire.actors.ports import CacheRedis, CandleSource, Clock, HistoryReader
from tickwire.actors.restoring import Restoring
from tickwire.market.candle_book import CandleBook
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.candles import (
    CandleClosed,
    CandlesMade,
    CandlesRestored,
    HoleFound,
    HolesRequested,
    TicksRestored,
)
from tickwire.messages.history import (
    CandlesCleared,
    CandlesOffered,
    HistoryCountsRequested,
    HistoryLoaded,
    HistoryRequested,
    StoredTicksRequested,
    TicksLoaded,
)
from tickwire.messages.lifecycle import Drained, DrainRequested, FeedChanged, LinkChanged, ReaderEnded, TicksDoubted
from tickwire.messages.telemetry import TicksLeftOut
from tickwire.messages.ticks import BackfillReceived, TicksReceived

_log = structlog.get_logger("tickwire.cache_manager")

LEAST_S = 0.01
"""Between two wakes by the timer."""
MEASURE_EVERY_S = 1.0
LOG_EVERY_S = 60.0


class CacheManager:
    def __init__(
        self,
        context: Context,
        *,
        cache: Callable[[], CacheRedis],
        reader: Callable[[int], HistoryReader],
        clock: Clock,
        source: Callable[[], CandleSource],
        candles: CandleBook,
        history: HistoryMemory,
        ingestors: Mapping[str, str],
    ) -> None:
        """`reader` makes one that tells its number when it ends; what `source` reads nobody waits for.

        `ingestors`: feed → its TickIngestor's id.
        """
        self._context = context
        self._make_cache = cache
        self._make_reader = reader
        self._make_source = source
        self._clock = clock
        self._book = candles
        self._history = history
        self._ingestors = ingestors
        self._timer = OneTimer(context)
        self._wakes_at: float | None = None
        self._drains: list[ReplyTo] = []
        self._told = self._logged = (candles.late, candles.ahead)
        self._measured_at = self._logged_at = float("-inf")

    def open(self) -> None:
        context = self._context
        self._cache = self._make_cache()
        self._metrics = context.address("metrics_collector")
        self._gateway = context.address("gateway")
        self._publisher = context.address("publisher")
        self._keeper = context.address("buffer_keeper")
        self._keys = CandleKeys(self._cache, self._book)
        self._desk = HistoryDesk(
            self._book, self._keys, reader=self._make_reader, clock=self._clock, metrics=self._metrics,
            incarnation=context.incarnation, memory=self._history,
        )  # fmt: skip
        self._restoring = Restoring(self._book, self._make_source(), self._tell_hole)
        self._cache.link.start()
        self._arm(self._clock.monotonic())

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._handle(message)
        now = self._clock.monotonic()
        self._book.elapse(now)
        self._hand_on()
        self._keys.write(now)
        self._restoring.go_on(now)
        self._desk.expire(now)
        self._tell_left_out(now)
        self._arm(now)

    def _handle(self, message: object) -> None:
        match message:
            case TicksReceived():
                self._book.live(message, self._clock.monotonic())
            case BackfillReceived():
                self._book.past(message)
            case HistoryRequested():
                self._desk.asked(message)
            case StoredTicksRequested():
                self._desk.asked_ticks(message)
            case CandlesOffered():
                self._desk.offered(message)
            case CandlesCleared():
                self._desk.cleared(message)
            case HistoryLoaded():
                self._desk.loaded(message)
            case TicksLoaded():
                self._desk.loaded_ticks(message)
            case HistoryCountsRequested():
                message.reply_to.tell(self._history.counts.told())
            case CandlesRestored():
                self._restoring.candles(message)
            case TicksRestored():
                self._restoring.ticks(message)
            case HolesRequested():
                self._restoring.answer(message)
            case DrainRequested():
                self._drains.append(message.reply_to)
            case ReaderEnded():
                self._desk.ended(message)
            case TicksDoubted() | FeedChanged():
                self._on_feed(message)
            case LinkChanged():
                self._metrics.tell(message)
                self._gateway.tell(message)
            case GoOn():
                if self._timer.due(message):
                    self._wakes_at = None
            case _:
                raise TypeError(f"CacheManager takes no {type(message).__name__}")

    def _on_feed(self, message: TicksDoubted | FeedChanged) -> None:
        """Silence of an asset is the market's while its feed is well and nothing may be missing."""
        if isinstance(message, TicksDoubted):
            self._book.doubt(message.assets)
        else:
            self._book.feed_is(message.feed, message.state)

    def _hand_on(self) -> None:
        for asset, candle in self._book.settle():
            message = CandleClosed(asset=asset, candle=candle)
            self._publisher.tell(message)
            self._gateway.tell(message)
        made = self._book.take_made()
        if made:
            self._keeper.tell(CandlesMade(candles=made))
        for reply_to in self._drains:
            reply_to.tell(Drained(feed=""))
        self._drains.clear()

    def _tell_hole(self, feed: str, hole: HoleFound) -> None:
        ingestor = self._ingestors.get(feed)
        if ingestor is not None:
            self._context.address(ingestor).tell(hole)

    def _tell_left_out(self, now: float) -> None:
        """Ticks that no candle shows: counted at most once a second, logged at most once a minute."""
        total = (self._book.late, self._book.ahead)
        if total != self._told and now >= self._measured_at + MEASURE_EVERY_S:
            late, ahead = self._told
            self._metrics.tell(TicksLeftOut(late=total[0] - late, ahead=total[1] - ahead))
            self._told, self._measured_at = total, now
        if total != self._logged and now >= self._logged_at + LOG_EVERY_S:
            late, ahead = self._logged
            _log.warning("ticks_in_no_candle", late=total[0] - late, ahead=total[1] - ahead)
            self._logged, self._logged_at = total, now

    def _left_out_due(self) -> float | None:
        untold = self._told != (self._book.late, self._book.ahead)
        return self._measured_at + MEASURE_EVERY_S if untold else None

    def _arm(self, now: float) -> None:
        parts = (self._book, self._keys, self._desk, self._restoring)
        dues = (*(part.due() for part in parts), self._left_out_due())
        earliest = min((due for due in dues if due is not None), default=None)
        if earliest is None:
            return
        at = max(earliest, now + LEAST_S)
        if self._wakes_at is None or at < self._wakes_at - LEAST_S:
            self._timer.set(at - now)
            self._wakes_at = at

    def close(self) -> None:
        for part in (getattr(self, "_desk", None), getattr(self, "_restoring", None)):
            if part is not None:
                part.close()
        cache = getattr(self, "_cache", None)
        if cache is not None:
            cache.link.close()
