"""Builds candles of all timeframes, keeps `historical:{asset}:{timeframe}`, answers questions about the past.

Receives  TicksReceived, BackfillReceived, HistoryRequested, HistoryLoaded, ReaderEnded, FeedChanged, LinkChanged
Sends     CandleClosed (Publisher, Gateway), HistoryServed, HistoryFailed, HistoryMeasured, LinkChanged
Owns      a Redis connection; a reader thread with a read connection to the store
If it dies  the candles outlive it (they are given to it); ticks that come again are known by epoch and seq.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field

import structlog

from tickwire.actors.kernel.behaviour import Context, Timer
from tickwire.actors.ports import CacheRedis, Clock, HistoryReader, PortError
from tickwire.market.candle_codec import BadCandles, decode_candles
from tickwire.market.candles import AssetCandles
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.candles import Candle, CandleClosed
from tickwire.messages.history import HistoryFailed, HistoryLoaded, HistoryRequested, HistoryServed
from tickwire.messages.lifecycle import FeedChanged, LinkChanged, ReaderEnded
from tickwire.messages.telemetry import HistoryMeasured
from tickwire.messages.ticks import BackfillReceived, TicksReceived

_log = structlog.get_logger("tickwire.cache_manager")

FLIGHT_S = 8.0
"""The store's time for one question."""
MOST_FLIGHTS = 64
MOST_WAITERS = 100
MOST_ASSETS = 2000
WRITE_EVERY_S = 0.1
WRITE_KEYS = 64
"""Keys a turn writes at most."""

Candles = MutableMapping[str, AssetCandles]
"""Asset → its candles, in the order they were first heard of; outlives incarnations."""


@dataclass(frozen=True, slots=True)
class Due:
    """Own timer: something may be over, or is to be written. One of an earlier incarnation starts nothing."""

    what: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Own timer: the reader has not answered this flight."""

    key: tuple[str, str]
    number: int


@dataclass(slots=True)
class Flight:
    number: int
    limit: int
    began: float
    waiters: list[HistoryRequested]
    timer: Timer
    larger: list[HistoryRequested] = field(default_factory=list)
    """They ask for more than this flight brings: looked at again when it has landed."""


class CacheManager:
    def __init__(
        self,
        context: Context,
        *,
        cache: Callable[[], CacheRedis],
        reader: Callable[[int], HistoryReader],
        clock: Clock,
        candles: Candles,
        size: int,
    ) -> None:
        self._context = context
        self._make_cache = cache
        self._make_reader = reader
        self._clock = clock
        self._candles = candles
        self._size = size
        self._pending: dict[tuple[str, int], None] = {}
        self._flights: dict[tuple[str, str], Flight] = {}
        self._feeds: dict[str, str] = {}
        self._number = 0
        self._readers = 0
        self._timers: dict[str, tuple[float, Timer]] = {}
        self._written_at = float("-inf")
        self._trouble = ""

    def open(self) -> None:
        self._cache = self._make_cache()
        self._metrics = self._context.address("metrics_collector")
        self._gateway = self._context.address("gateway")
        self._publisher = self._context.address("publisher")
        self._new_reader()
        self._cache.link.start()
        self._pending = {(asset, level): None for asset in self._candles for level in range(len(TIMEFRAMES))}
        self._arm()

    def _new_reader(self) -> None:
        self._readers += 1
        self._reader = self._make_reader(self._readers)

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._handle(message)
        self._hand_on()
        self._arm()

    def _handle(self, message: object) -> None:
        match message:
            case TicksReceived():
                now = self._clock.monotonic()
                for column in message.columns:
                    asset = self._asset(column.asset)
                    asset.feed = message.feed
                    asset.live(column, now)
            case BackfillReceived():
                for past in message.columns:
                    self._asset(past.asset).past(past)
                for rows in message.candles:
                    self._asset(rows.asset).broker(rows)
            case HistoryRequested():
                self._on_requested(message)
            case HistoryLoaded():
                self._on_loaded(message)
            case Overdue():
                self._on_overdue(message)
            case ReaderEnded():
                if message.incarnation == self._readers:
                    _log.warning("reader_ended", reason=message.reason)
                    self._fail_all(message.reason)
                    self._new_reader()
            case FeedChanged():
                self._feeds[message.feed] = message.state
            case LinkChanged():
                self._metrics.tell(message)
                self._gateway.tell(message)
            case Due():
                if message.incarnation == self._context.incarnation:
                    self._timers.pop(message.what, None)
                    self._elapse()
            case _:
                raise TypeError(f"CacheManager takes no {type(message).__name__}")

    def _asset(self, name: str) -> AssetCandles:
        asset = self._candles.get(name)
        if asset is None:
            asset = self._candles[name] = AssetCandles(self._size)
            if len(self._candles) > MOST_ASSETS:
                del self._candles[next(iter(self._candles))]
        return asset

    def _elapse(self) -> None:
        now = self._clock.monotonic()
        for asset in self._candles.values():
            asset.elapse(now, fed=self._feeds.get(asset.feed, "live") == "live")

    def _arm(self) -> None:
        """One timer for the next end of a bucket; none where nothing is open."""
        if "close" in self._timers:
            return
        dues = [due for asset in self._candles.values() if (due := asset.due()) is not None]
        if dues:
            self._at("close", min(dues))

    def _at(self, what: str, due: float) -> None:
        if what not in self._timers:
            delay = max(0.05, due - self._clock.monotonic())
            self._timers[what] = (due, self._context.after(delay, Due(what, self._context.incarnation)))

    # -- closed candles

    def _hand_on(self) -> None:
        for name, asset in self._candles.items():
            if asset.closed:
                closed, asset.closed = asset.closed, []
                for candle in closed:
                    message = CandleClosed(asset=name, candle=candle)
                    self._publisher.tell(message)
                    self._gateway.tell(message)
            if asset.changed:
                self._pending.update({(name, level): None for level in asset.changed})
                asset.changed.clear()
        if self._pending and self._cache.link.up:
            self._write()

    def _write(self) -> None:
        now = self._clock.monotonic()
        if now < self._written_at + WRITE_EVERY_S:
            self._at("write", self._written_at + WRITE_EVERY_S)
            return
        self._written_at = now
        keys = list(self._pending)[:WRITE_KEYS]
        try:
            for name in {name for name, _ in keys if name in self._candles}:
                self._seed(name, self._candles[name])
            self._cache.put(
                [
                    (name, TIMEFRAMES[level], self._candles[name].encoded(level, self._size))
                    for name, level in keys
                    if name in self._candles
                ]
            )
        except PortError as error:
            self._note(str(error))
            self._at("write", now + 1.0)
            return
        self._note("")
        for key in keys:
            del self._pending[key]
        if self._pending:
            self._at("write", now + WRITE_EVERY_S)

    def _seed(self, name: str, asset: AssetCandles) -> None:
        """What an earlier run knew, before it is overwritten."""
        if asset.seeded:
            return
        for timeframe in TIMEFRAMES:
            payload = self._cache.get(name, timeframe)
            if payload is not None:
                try:
                    asset.adopt(timeframe, decode_candles(payload, timeframe))
                except BadCandles as error:
                    _log.warning("bad_cached_candles", asset=name, timeframe=timeframe, reason=str(error))
        asset.seeded = True

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            _log.warning("cache_not_written", reason=trouble)
        self._trouble = trouble

    # -- questions

    def _on_requested(self, asked: HistoryRequested) -> None:
        began = self._clock.monotonic()
        asset = self._candles.get(asked.asset)
        if asset is not None and self._answers(asset, asked):
            self._serve([asked], asset.candles(asked.timeframe, asked.limit), "memory", began)
            return
        if self._cache.link.up and (asset is None or not asset.seeded):
            fresh = asset or AssetCandles(self._size)
            try:
                self._seed(asked.asset, fresh)
            except PortError as error:
                self._note(str(error))
            found = fresh.candles(asked.timeframe, asked.limit)
            if found and asset is None:
                self._candles[asked.asset] = fresh
            if len(found) >= asked.limit:
                self._serve([asked], found, "redis", began)
                return
        self._fly(asked, began)

    @staticmethod
    def _answers(asset: AssetCandles, asked: HistoryRequested) -> bool:
        wanted, had = asset.consulted.get(asked.timeframe, (0, 0))
        known = len(asset.candles(asked.timeframe, asked.limit))
        return known >= asked.limit or (had < wanted and had <= known)

    def _fly(self, asked: HistoryRequested, began: float) -> None:
        key = (asked.asset, asked.timeframe)
        flight = self._flights.get(key)
        if flight is not None and len(flight.waiters) + len(flight.larger) < MOST_WAITERS:
            (flight.waiters if flight.limit >= asked.limit else flight.larger).append(asked)
            return
        if flight is not None or len(self._flights) >= MOST_FLIGHTS:
            self._fail([asked], "too many questions at once; ask again in a moment", began)
            return
        self._number += 1
        limit = max(asked.limit, self._size)
        timer = self._context.after(FLIGHT_S, Overdue(key, self._number))
        self._flights[key] = Flight(self._number, limit, began, [asked], timer)
        self._reader.read(asked.asset, asked.timeframe, limit)

    def _on_loaded(self, loaded: HistoryLoaded) -> None:
        flight = self._flights.pop((loaded.asset, loaded.timeframe), None)
        if flight is None:
            return
        flight.timer.cancel()
        if loaded.error is not None:
            self._fail([*flight.waiters, *flight.larger], loaded.error, flight.began)
            return
        if loaded.candles or loaded.asset in self._candles:
            asset = self._asset(loaded.asset)
            asset.adopt(loaded.timeframe, loaded.candles)
            asset.consulted[loaded.timeframe] = (flight.limit, len(loaded.candles))
        known = self._candles.get(loaded.asset)
        mine = known.candles(loaded.timeframe, flight.limit) if known is not None else []
        merged = {candle.timestamp: candle for candle in (*loaded.candles, *mine)}
        self._serve(flight.waiters, [merged[at] for at in sorted(merged)], "store", flight.began)
        for each in flight.larger:
            self._on_requested(each)

    def _on_overdue(self, overdue: Overdue) -> None:
        flight = self._flights.get(overdue.key)
        if flight is None or flight.number != overdue.number:
            return
        self._fail_all(f"the store has not answered within {FLIGHT_S:g} s")
        self._reader.close()
        self._new_reader()

    def _fail_all(self, reason: str) -> None:
        for flight in self._flights.values():
            flight.timer.cancel()
            self._fail([*flight.waiters, *flight.larger], reason, flight.began)
        self._flights.clear()

    def _serve(self, asked: Sequence[HistoryRequested], candles: Sequence[Candle], source: str, began: float) -> None:
        for each in asked:
            answer = HistoryServed(
                asset=each.asset, timeframe=each.timeframe, candles=candles[-each.limit :],
                source=source,  # type: ignore[arg-type]
            )  # fmt: skip
            _answer(each.reply_to, answer)
        self._measure(source, began, len(asked))

    def _fail(self, asked: Sequence[HistoryRequested], reason: str, began: float) -> None:
        for each in asked:
            _answer(each.reply_to, HistoryFailed(asset=each.asset, timeframe=each.timeframe, reason=reason))
        self._measure("failed", began, len(asked))

    def _measure(self, outcome: str, began: float, waiters: int) -> None:
        seconds = self._clock.monotonic() - began
        self._metrics.tell(HistoryMeasured(outcome=outcome, seconds=seconds, waiters=waiters))  # type: ignore[arg-type]

    def close(self) -> None:
        for part in (getattr(self, "_reader", None), getattr(getattr(self, "_cache", None), "link", None)):
            if part is not None:
                part.close()


def _answer(to: ReplyTo, message: object) -> None:
    to.tell(message)
