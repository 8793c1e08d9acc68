"""CacheManager's part that answers questions about the past: from memory, Redis or the store.

Who asks for the same meanwhile shares the read. The reader is made for the first question after it ended, with a
growing pause where it ends again and again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import structlog

from tickwire.actors.candle_keys import CandleKeys
from tickwire.actors.kernel.behaviour import Address
from tickwire.actors.offered_candles import OfferedCandles
from tickwire.actors.ports import Clock, HistoryReader
from tickwire.market.candle_book import CandleBook
from tickwire.market.candles import AssetCandles
from tickwire.messages.candles import Candle
from tickwire.messages.history import (
    CandlesCleared,
    CandlesOffered,
    CandlesTaken,
    HistoryFailed,
    HistoryLoaded,
    HistoryRequested,
    HistoryServed,
)
from tickwire.messages.lifecycle import ReaderEnded
from tickwire.messages.telemetry import HistoryMeasured

_log = structlog.get_logger("tickwire.cache_manager")

FLIGHT_S = 8.0
"""The store's time for one question."""
MOST_FLIGHTS = 64
MOST_WAITERS = 100
PAUSES_S = (0.5, 30.0)
"""Between a reader's end and the next reader: at first, at most."""
NOBODY_S = 5.0
"""So long is an asset believed unknown that neither Redis nor the store knew."""
MOST_NOBODIES = 1000

Question = tuple[str, str]
"""Asset, timeframe."""


@dataclass(slots=True)
class Flight:
    limit: int
    began: float
    waiters: list[HistoryRequested]
    larger: list[HistoryRequested] = field(default_factory=list)
    """They ask for more than this flight brings: looked at again when it has landed."""


class HistoryDesk:
    def __init__(
        self,
        book: CandleBook,
        keys: CandleKeys,
        *,
        reader: Callable[[int], HistoryReader],
        clock: Clock,
        metrics: Address,
        incarnation: int,
        offered: OfferedCandles,
    ) -> None:
        self._book = book
        self._keys = keys
        self._make_reader = reader
        self._clock = clock
        self._metrics = metrics
        self._offered = offered
        self._reader: HistoryReader | None = None
        self._number = incarnation << 32
        """The reader's; no two of a relay's life share one, so an end told to an earlier incarnation is known."""
        self._ends = 0
        self._not_before = float("-inf")
        self._flights: dict[Question, Flight] = {}
        """The one that has waited the longest first."""
        self._nobodies: dict[Question, float] = {}
        """Question that nobody had an answer to → until when that is believed."""

    def asked(self, asked: HistoryRequested) -> None:
        began = self._clock.monotonic()
        asset = self._book.get(asked.asset)
        if asset is not None and (found := _enough(asset, asked)) is not None:
            self._serve([asked], found, "memory", began)
            return
        asset = self._keys.recall(asked.asset, asked.timeframe)
        found = asset.candles(asked.timeframe, asked.limit) if asset is not None else []
        if len(found) >= asked.limit:
            self._serve([asked], found, "redis", began)
        elif asset is None and self._nobodies.get((asked.asset, asked.timeframe), began) > began:
            self._serve([asked], [], "memory", began)
        else:
            self._fly(asked, began)

    def offered(self, offered: CandlesOffered) -> None:
        """A client's candles count where there are none of our own, and only until there are."""
        asset = self._keys.recall(offered.asset, offered.timeframe)
        own = asset is not None and bool(asset.candles(offered.timeframe, 1))
        count = 0 if own else self._offered.keep(offered.asset, offered.timeframe, offered.candles)
        offered.reply_to.tell(CandlesTaken(asset=offered.asset, timeframe=offered.timeframe, count=count))

    def cleared(self, cleared: CandlesCleared) -> None:
        self._offered.forget(cleared.asset, cleared.timeframe)
        cleared.reply_to.tell(CandlesTaken(asset=cleared.asset, timeframe=cleared.timeframe, count=0))

    def loaded(self, loaded: HistoryLoaded) -> None:
        question = (loaded.asset, loaded.timeframe)
        flight = self._flights.get(question)
        if flight is None or loaded.limit < flight.limit:  # of a reader of before a crash: its own answer comes yet
            return
        del self._flights[question]
        self._ends = 0
        if loaded.error is not None:
            self._fail([*flight.waiters, *flight.larger], loaded.error, flight.began)
            return
        if loaded.candles or self._book.peek(loaded.asset) is not None:
            self._book.adopt(loaded.asset, loaded.timeframe, loaded.candles)
        asset = self._book.get(loaded.asset)
        if asset is None:
            self._remember_nobody(question)
        else:
            asset.consulted[loaded.timeframe] = (flight.limit, len(loaded.candles))
        mine = asset.candles(loaded.timeframe, flight.limit) if asset is not None else []
        merged = {candle.timestamp: candle for candle in chain(loaded.candles, mine)}
        self._serve(flight.waiters, [merged[at] for at in sorted(merged)], "store", flight.began)
        for each in flight.larger:
            self.asked(each)

    def ended(self, ended: ReaderEnded) -> None:
        """A reader that ended by itself: the next one waits a while, or a bug in it would be a busy loop."""
        if ended.incarnation != self._number or self._reader is None:
            return
        first, most = PAUSES_S
        pause = min(most, first * 2 ** min(self._ends, 16))
        self._ends += 1
        self._not_before = self._clock.monotonic() + pause
        self._reader = None
        _log.warning("reader_ended", reason=ended.reason, again_in_s=pause)
        self._fail_all(ended.reason)

    def due(self) -> float | None:
        """When the flight that has waited the longest is overdue."""
        return next((flight.began + FLIGHT_S for flight in self._flights.values()), None)

    def expire(self, now: float) -> None:
        """Give a reader up that has not answered in time."""
        due = self.due()
        if due is not None and now >= due:
            self._fail_all(f"the store has not answered within {FLIGHT_S:g} s")
            self._close_reader()

    def close(self) -> None:
        self._fail_all("this part of the relay ends; ask again")
        self._close_reader()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _fly(self, asked: HistoryRequested, began: float) -> None:
        key = (asked.asset, asked.timeframe)
        flight = self._flights.get(key)
        if flight is not None and len(flight.waiters) + len(flight.larger) < MOST_WAITERS:
            (flight.waiters if flight.limit >= asked.limit else flight.larger).append(asked)
        elif flight is not None or len(self._flights) >= MOST_FLIGHTS:
            self._fail([asked], "too many questions at once; ask again in a moment", began)
        elif self._reader is None and began < self._not_before:
            reason = f"the store's reader ended; it is made anew in {self._not_before - began:.1f} s"
            self._fail([asked], reason, began)
        else:
            if self._reader is None:
                self._number += 1
                self._reader = self._make_reader(self._number)
            limit = max(asked.limit, self._book.size)
            self._flights[key] = Flight(limit, began, [asked])
            self._reader.read(asked.asset, asked.timeframe, limit)

    def _remember_nobody(self, question: Question) -> None:
        self._nobodies.pop(question, None)
        self._nobodies[question] = self._clock.monotonic() + NOBODY_S
        if len(self._nobodies) > MOST_NOBODIES:
            del self._nobodies[next(iter(self._nobodies))]

    def _fail_all(self, reason: str) -> None:
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            self._fail([*flight.waiters, *flight.larger], reason, flight.began)

    def _serve(self, asked: Sequence[HistoryRequested], candles: Sequence[Candle], source: str, began: float) -> None:
        if not candles and asked:
            offered = self._offered.get(asked[0].asset, asked[0].timeframe)
            candles, source = (offered, "client") if offered else (candles, source)
        for each in asked:
            answer = HistoryServed(
                asset=each.asset, timeframe=each.timeframe, candles=candles[-each.limit :],
                source=source,  # type: ignore[arg-type]
            )  # fmt: skip
            each.reply_to.tell(answer)
        self._measure(source, began, len(asked))

    def _fail(self, asked: Sequence[HistoryRequested], reason: str, began: float) -> None:
        for each in asked:
            each.reply_to.tell(HistoryFailed(asset=each.asset, timeframe=each.timeframe, reason=reason))
        self._measure("failed", began, len(asked))

    def _measure(self, outcome: str, began: float, waiters: int) -> None:
        seconds = self._clock.monotonic() - began
        self._metrics.tell(HistoryMeasured(outcome=outcome, seconds=seconds, waiters=waiters))  # type: ignore[arg-type]


def _enough(asset: AssetCandles, asked: HistoryRequested) -> Sequence[Candle] | None:
    """The candles, if there are as many as were asked for, or all that the store has."""
    wanted, had = asset.consulted.get(asked.timeframe, (0, 0))
    known = asset.candles(asked.timeframe, asked.limit)
    return known if len(known) >= asked.limit or (had < wanted and had <= len(known)) else None
