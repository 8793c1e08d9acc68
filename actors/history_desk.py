"""CacheManager's part that answers questions about the past: from memory, Redis or the store.

What may lack something is served at once, as stale, while one read for all fetches the rest (`_is_stale` says when).
"""

from collections.abc import Callable, Sequence
from typing import Literal

from tickwire.actors.candle_keys import CandleKeys
from tickwire.actors.history_memory import Believed, HistoryMemory
from tickwire.actors.ports import Clock, HistoryReader
from tickwire.actors.store_flights import Asked, Flight, StoreFlights
from tickwire.market.candle_book import CandleBook
from tickwire.market.candle_pages import better_of, over_by, within
from tickwire.market.candles import AssetCandles, Consulted
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.candles import Candle
from tickwire.messages.history import (
    CandlesCleared,
    CandlesOffered,
    CandlesTaken,
    HistoryFailed,
    HistoryLoaded,
    HistoryRequested,
    HistoryServed,
    StoredTicksRequested,
    StoredTicksServed,
    StoreQuestion,
    TicksLoaded,
)
from tickwire.messages.lifecycle import ReaderEnded
from tickwire.messages.telemetry import HistoryMeasured

US = 1_000_000
STALE_S = 30.0
"""So long the store's word holds that it has no more: another relay may write it, or an import."""
REFRESH_S = 5.0
"""Between two reads of the store for a stale answer."""
NOBODY_S = 5.0
"""So long is an asset believed unknown that neither Redis nor the store knew."""
MOST_BELIEVED = 1000

Source = Literal["memory", "redis", "store", "client"]
Outcome = Literal["memory", "redis", "store", "client", "stale", "failed"]


class HistoryDesk:
    def __init__(
        self,
        book: CandleBook,
        keys: CandleKeys,
        *,
        reader: Callable[[int], HistoryReader],
        clock: Clock,
        metrics: ReplyTo,
        incarnation: int,
        memory: HistoryMemory,
    ) -> None:
        self._book = book
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._offered = memory.offered
        self._counts = memory.counts
        self._flights = StoreFlights(reader, clock, incarnation=incarnation, failed=self._fail)
        self._nobodies = Believed(MOST_BELIEVED)
        """Questions that nobody had an answer to."""
        self._refreshed = Believed(MOST_BELIEVED)
        self.due, self.expire, self.close = self._flights.due, self._flights.expire, self._flights.close

    # -- candles

    def asked(self, asked: HistoryRequested) -> None:
        began = self._clock.monotonic()
        known = self._book.get(asked.asset)
        if known is not None and self._answered(known, asked, "memory", began):
            return
        question = self._question(asked)
        asset, read = self._keys.recalled(asked.asset, asked.timeframe)
        if asset is not None and self._answered(asset, asked, "redis", began, read):
            return
        here = asset is not None and (not _bounded(asked) or within(asset.held(asked.timeframe), asked))
        if not here and self._nobodies.holds(question, began):
            self._serve([asked], [], "memory", began, older=False)
        else:
            self._flights.wait(asked, question, began)

    def loaded(self, loaded: HistoryLoaded) -> None:
        flight = self._landed(loaded)
        if flight is None:
            return
        mine = self._learnt(loaded)
        waiters = [each for each in flight.waiters if isinstance(each, HistoryRequested)]
        if waiters:
            candles = better_of(loaded.candles, within(mine, waiters[0]), older=loaded.older)
            if not candles:
                self._nobodies.put(self._question(waiters[0]), self._clock.monotonic() + NOBODY_S)
            self._serve(waiters, candles, "store", flight.began, older=loaded.older)
        for each in flight.larger:
            if isinstance(each, HistoryRequested):
                self.asked(each)

    def _learnt(self, loaded: HistoryLoaded) -> Sequence[Candle]:
        """What is held of the timeframe after this. A part of the past is not adopted: it would leave a hole behind."""
        question, timeframe = loaded.question, loaded.question.timeframe
        assert timeframe is not None
        bounded = question.from_us is not None or question.until_us is not None
        if not bounded and (loaded.candles or self._book.peek(question.asset) is not None):
            self._book.adopt(question.asset, timeframe, loaded.candles)
        asset = self._book.get(question.asset)
        if asset is None:
            return []
        held = asset.held(timeframe)
        if not bounded:
            not_kept = bool(loaded.candles and loaded.candles[0].timestamp < held[0].timestamp)
            limit = len(held) if not_kept else question.limit  # who asks for more next is not given less than before
            now, floor = self._clock.monotonic(), asset.floor(timeframe)
            asset.consulted[timeframe] = Consulted(now, limit, loaded.older or not_kept, floor)
        return self._shown(asset, held)

    def _shown(self, asset: AssetCandles, held: Sequence[Candle]) -> Sequence[Candle]:
        return held if asset.feed else over_by(held, self._clock.now_us() // US)

    def _answered(
        self, asset: AssetCandles, asked: HistoryRequested, source: Source, began: float,
        read: Sequence[Candle] | None = None,
    ) -> bool:  # fmt: skip
        """Serve what is held, if it is all that was asked for; `read` is all of it."""
        timeframe, bounded = asked.timeframe, _bounded(asked)
        held = read
        if held is None:
            held = self._shown(asset, asset.held(timeframe) if bounded else asset.candles(timeframe, asked.limit + 1))
        found = within(held, asked)
        consulted = _valid(asset, timeframe)
        whole = (consulted is not None and not consulted.older) or _goes_back(held, asked)
        as_before = consulted is not None and not bounded and asked.limit <= consulted.limit
        unconfirmed = consulted is None and timeframe in asset.recalled
        ends_early = len(found) < asked.limit and not _goes_back(held, asked)
        outdated = self._outdated(asset, consulted, began, ends_early=ends_early)
        doubted = unconfirmed or (outdated and ends_early)
        if not (whole or as_before or len(found) >= asked.limit) or (bounded and doubted):
            return False  # in ranges what is doubted waits: pages follow on each other without a hole
        stale = unconfirmed or outdated
        if stale:
            self._refresh(asked, began)
        self._serve([asked], found, source, began, older=not whole, stale=stale)
        return True

    def _outdated(self, asset: AssetCandles, consulted: Consulted | None, now: float, *, ends_early: bool) -> bool:
        """After a while others may have stored more: of an asset that no feed brings, and of any one's earlier past."""
        if consulted is None or now < consulted.at + STALE_S:
            return False
        fed = asset.feed != "" and self._book.feeds.get(asset.feed, "live") == "live"
        return not fed or (ends_early and not consulted.older)

    def _refresh(self, asked: HistoryRequested, began: float) -> None:
        question = StoreQuestion(asset=asked.asset, timeframe=asked.timeframe, limit=max(asked.limit, self._book.size))
        if not self._refreshed.holds((asked.asset, asked.timeframe), began):
            self._refreshed.put((asked.asset, asked.timeframe), began + REFRESH_S)
            self._flights.refresh(question, began)

    def _question(self, asked: HistoryRequested) -> StoreQuestion:
        """Without bounds a whole cache is read, so that who asks for a little more next finds it here."""
        return StoreQuestion(
            asset=asked.asset,
            timeframe=asked.timeframe,
            limit=asked.limit if _bounded(asked) else max(asked.limit, self._book.size),
            from_us=None if asked.from_ts is None else asked.from_ts * US,
            until_us=None if asked.until_ts is None else asked.until_ts * US,
        )

    # -- ticks

    def asked_ticks(self, asked: StoredTicksRequested) -> None:
        question = StoreQuestion(
            asset=asked.asset, timeframe=None, limit=asked.limit, from_us=asked.from_us, until_us=asked.until_us
        )  # fmt: skip
        self._flights.wait(asked, question, self._clock.monotonic())

    def loaded_ticks(self, loaded: TicksLoaded) -> None:
        flight = self._landed(loaded)
        if flight is None:
            return
        same = [each for each in flight.waiters if each.limit == loaded.question.limit]
        for each in same:
            each.reply_to.tell(StoredTicksServed(asset=each.asset, ticks=loaded.rows, older=loaded.older))
        self._measure("store", flight.began, len(same))
        for each in flight.all:
            if each not in same and isinstance(each, StoredTicksRequested):
                self.asked_ticks(each)

    # -- what clients offer

    def offered(self, offered: CandlesOffered) -> None:
        """A client's candles count where there are none of our own, and only until there are."""
        asset = self._keys.recall(offered.asset, offered.timeframe)
        own = asset is not None and bool(asset.candles(offered.timeframe, 1))
        count = 0 if own else self._offered.keep(offered.asset, offered.timeframe, offered.candles)
        offered.reply_to.tell(CandlesTaken(asset=offered.asset, timeframe=offered.timeframe, count=count))

    def cleared(self, cleared: CandlesCleared) -> None:
        self._offered.forget(cleared.asset, cleared.timeframe)
        cleared.reply_to.tell(CandlesTaken(asset=cleared.asset, timeframe=cleared.timeframe, count=0))

    # -- answers

    def ended(self, ended: ReaderEnded) -> None:
        self._flights.ended(ended)

    def _landed(self, loaded: HistoryLoaded | TicksLoaded) -> Flight | None:
        """The flight that this ends with an answer; who waits for one that failed is told here."""
        flight = self._flights.landed(loaded)
        if flight is None or loaded.error is None:
            return flight
        self._fail(flight.all, loaded.error, flight.began)
        return None

    def _serve(
        self, asked: Sequence[HistoryRequested], candles: Sequence[Candle], source: Source, began: float, *,
        older: bool, stale: bool = False,
    ) -> None:  # fmt: skip
        if not candles:
            offered = within(self._offered.get(asked[0].asset, asked[0].timeframe), asked[0])
            candles, source = (offered, "client") if offered else (candles, source)
        for each in asked:
            answer = HistoryServed(
                asset=each.asset, timeframe=each.timeframe, candles=candles[-each.limit :], source=source,
                older=older or len(candles) > each.limit, stale=stale,
            )  # fmt: skip
            each.reply_to.tell(answer)
        self._measure("stale" if stale else source, began, len(asked))

    def _fail(self, asked: Sequence[Asked], reason: str, began: float) -> None:
        for each in asked:
            timeframe = each.timeframe if isinstance(each, HistoryRequested) else ""
            each.reply_to.tell(HistoryFailed(asset=each.asset, timeframe=timeframe, reason=reason))
        if asked:
            self._measure("failed", began, len(asked))

    def _measure(self, outcome: Outcome, began: float, askers: int) -> None:
        self._counts.note(outcome, askers, askers - 1)
        seconds = self._clock.monotonic() - began
        self._metrics.tell(HistoryMeasured(outcome=outcome, seconds=seconds, waiters=askers))


def _bounded(asked: HistoryRequested) -> bool:
    return asked.from_ts is not None or asked.until_ts is not None


def _valid(asset: AssetCandles, timeframe: str) -> Consulted | None:
    """What the store said, as long as nothing was forgotten since."""
    consulted = asset.consulted.get(timeframe)
    return consulted if consulted is not None and consulted.floor == asset.floor(timeframe) else None


def _goes_back(held: Sequence[Candle], asked: HistoryRequested) -> bool:
    """Whether what is held begins before what is asked for."""
    return asked.from_ts is not None and bool(held) and held[0].timestamp < asked.from_ts
