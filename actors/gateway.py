"""Serves clients: knows the last ticks of every asset and how all is, and hands what they watch to its server.

Receives  TicksReceived, CandleClosed, FeedChanged, AssetsAnnounced, LinkChanged, BatchStored, RowsQuarantined,
          HistoryServed, HistoryFailed; of its server ChannelWanted, ChannelsLeft, LoopEchoed, TicksRequested,
          AssetsRequested, StateRequested, ReaderEnded; its own timers
Sends     HistoryRequested (CacheManager), Subscribe (TickIngestor), ClientsMeasured and LinkChanged (MetricsCollector)
Owns      the HTTP/WebSocket server on its own event loop thread; a Redis connection (buffer refills)
If it dies  clients are sent away and come back with the last (epoch, seq) they saw; the port stays open, ticks and
          states are in GatewayMemory, and ticks that come twice are known by (epoch, seq).

A tick of an asset that nobody watches costs an append. All that clients are told goes through one queue, in order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from tickwire.actors.candle_views import CandleViews
from tickwire.actors.gateway_frames import (
    candle_out,
    error,
    gap_out,
    subscribed,
    subscribed_to_candles,
    ticks_out,
)
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.gateway_refills import Refills
from tickwire.actors.gateway_watchers import Watchers
from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.ports import Clock, GatewayServer, RefillRedis
from tickwire.market.tick_book import KEPT, Gap, TickBook
from tickwire.messages.candles import CandleClosed
from tickwire.messages.clients import (
    AssetsAnswered,
    AssetsRequested,
    AssetUnknown,
    ChannelsLeft,
    ChannelWanted,
    Joined,
    LoopEchoed,
    Refused,
    StateAnswered,
    StateRequested,
    StatusOut,
    TicksAnswered,
    TicksRequested,
    ToServer,
)
from tickwire.messages.history import HistoryFailed, HistoryRequested, HistoryServed
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged, ReaderEnded, Subscribe
from tickwire.messages.telemetry import BatchStored, ClientsMeasured, RowsQuarantined
from tickwire.messages.ticks import TickColumns, TicksReceived

_log = structlog.get_logger("tickwire.gateway")

HOLE_WAIT_S = 0.05
BEAT_S = 1.0
LOOP_HANGS_AFTER_S = 10.0
SEED_EVERY_S = 0.1


class LoopHung(Exception):
    """The server's event loop answers no probe."""


class ServerEnded(Exception):
    """The server's thread ended by itself."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Own timer."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class SeedDue:
    """Own timer: read the next asset's buffer."""


@dataclass(frozen=True, slots=True)
class HoleDue:
    """Own timer: what is missing before the asset's ticks has not come."""

    asset: str


@dataclass(frozen=True, slots=True)
class CandlesDue:
    """Own timer."""


OfIncarnation = ChannelWanted | ChannelsLeft | LoopEchoed | ReaderEnded | Beat


class Gateway:
    def __init__(
        self,
        context: Context,
        *,
        server: Callable[[], GatewayServer],
        redis: Callable[[], RefillRedis],
        memory: GatewayMemory,
        ingestors: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """`ingestors`: feed → its TickIngestor's id."""
        self._context = context
        self._make_server = server
        self._make_redis = redis
        self._memory = memory
        self._ingestors = ingestors
        self._clock = clock
        self._watchers = Watchers()
        self._views = CandleViews()
        self._fresh: dict[str, list[TickColumns]] = {}
        self._out: list[ToServer] = []
        self._holes: set[str] = set()
        self._candles_due = False
        self._seeding = False
        self._status = b""

    # -- life --------------------------------------------------------------------------------------------------

    def open(self) -> None:
        self._cache = self._context.address("cache_manager")
        self._metrics = self._context.address("metrics_collector")
        self._redis = self._make_redis()
        self._refills = Refills(self._redis, self._memory)
        self._server = self._make_server()
        self._server.start()
        self._redis.link.start()
        self._echoed_at = self._clock.monotonic()
        self._say_status()
        self._hand_on()
        self._context.after(BEAT_S, Beat(self._context.incarnation))

    def close(self) -> None:
        server, redis = getattr(self, "_server", None), getattr(self, "_redis", None)
        if server is not None:
            server.close()
        if redis is not None:
            redis.link.close()

    # -- steps -------------------------------------------------------------------------------------------------

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            if type(message) is TicksReceived:
                self._on_ticks(message)
            else:
                self._handle(message)
        for asset in list(self._fresh):
            self._show(asset)
        self._say_candles()
        self._hand_on()

    def _handle(self, message: object) -> None:
        if isinstance(message, OfIncarnation) and message.incarnation != self._context.incarnation:
            return  # of a server, a client or a timer that is no more
        match message:
            case ChannelWanted():
                self._on_wanted(message)
            case ChannelsLeft():
                self._on_left(message)
            case TicksRequested():
                self._on_ticks_requested(message)
            case AssetsRequested():
                message.reply_to.tell(AssetsAnswered(assets=self._memory.assets(announced=message.announced)))
            case StateRequested():
                message.reply_to.tell(self._state())
            case CandleClosed():
                if self._watchers.candles(message.asset, message.candle.timeframe):
                    self._show(message.asset)
                    self._out.append(candle_out(message.asset, message.candle))
            case HistoryServed():
                self._views.seed(message.asset, message.timeframe, message.candles)
            case HistoryFailed():
                _log.info("no_candle_to_begin_with", asset=message.asset, reason=message.reason)
            case FeedChanged() | LinkChanged() | AssetsAnnounced() | BatchStored() | RowsQuarantined():
                self._on_change(message)
            case LoopEchoed():
                self._on_echo(message)
            case _:
                self._on_own(message)

    def _on_own(self, message: object) -> None:
        match message:
            case HoleDue():
                self._holes.discard(message.asset)
                self._close_hole(message.asset)
            case CandlesDue():
                self._candles_due = False
            case Beat():
                self._beat(message)
            case SeedDue():
                self._seed()
            case ReaderEnded():
                raise ServerEnded(message.reason)
            case _:
                raise TypeError(f"Gateway takes no {type(message).__name__}")

    # -- ticks -------------------------------------------------------------------------------------------------

    def _on_ticks(self, received: TicksReceived) -> None:
        for column in received.columns:
            asset = column.asset
            book = self._memory.book(asset)
            if book is None:
                continue
            book.source = received.source
            fresh = book.take(column)
            if fresh and self._watchers.any(asset):
                self._fresh.setdefault(asset, []).extend(fresh)
            if book.hole is not None:
                self._on_hole(asset, book)
            self._memory.last_asset = asset

    def _show(self, asset: str) -> None:
        """Hand on what is fresh of an asset: built once, for all who watch it."""
        columns = self._fresh.pop(asset, None)
        if not columns:
            return
        if self._watchers.ticks(asset):
            start = 0
            for end in range(1, len(columns) + 1):
                if end == len(columns) or columns[end].epoch != columns[start].epoch:
                    self._out.append(ticks_out(columns[start:end]))
                    start = end
        self._out += self._views.add(asset, columns)

    def _on_hole(self, asset: str, book: TickBook) -> None:
        if book.held_ticks > KEPT:
            self._close_hole(asset)
        elif asset not in self._holes:
            self._holes.add(asset)
            self._context.after(HOLE_WAIT_S, HoleDue(asset))

    def _close_hole(self, asset: str) -> None:
        book = self._memory.books[asset]
        if book.hole is None:
            return
        for piece in book.fill(asset, self._refills.buffered(asset)):
            if not self._watchers.any(asset):
                continue
            if isinstance(piece, Gap):
                self._show(asset)
                self._out.append(gap_out(asset, piece))
            else:
                self._fresh.setdefault(asset, []).append(piece)
        self._show(asset)

    def _on_ticks_requested(self, request: TicksRequested) -> None:
        asset = request.asset
        book = self._memory.book(asset) if self._memory.knows(asset) else None
        if book is None:
            request.reply_to.tell(AssetUnknown(asset=asset))
            return
        request.reply_to.tell(TicksAnswered(asset=asset, ticks=self._refills.newest(asset, book, request.limit)))

    # -- clients -----------------------------------------------------------------------------------------------

    def _on_wanted(self, wanted: ChannelWanted) -> None:
        asset, timeframe = wanted.asset, wanted.timeframe
        book = self._memory.book(asset) if self._memory.knows(asset) else None
        if book is None:
            payload = error("unknown_asset", f"{asset}: no feed has announced it and no tick of it was seen")
            self._out.append(
                Refused(client=wanted.client, ticket=wanted.ticket, asset=asset, timeframe=timeframe, payload=payload)
            )
            return
        self._show(asset)  # those who are there already get it now, the newcomer in the snapshot
        self._refills.seed(asset, book)
        if not self._watchers.any(asset):
            self._ask_feed(asset, book)
        self._watchers.add(wanted.client, asset, timeframe)
        if timeframe is None:
            payload = subscribed(asset, book, wanted.since)
        else:
            payload = subscribed_to_candles(asset, book, timeframe)
        self._out.append(
            Joined(client=wanted.client, ticket=wanted.ticket, asset=asset, timeframe=timeframe, payload=payload)
        )
        if timeframe is not None:
            self._on_candles_wanted(asset, timeframe, book)

    def _on_candles_wanted(self, asset: str, timeframe: str, book: TickBook) -> None:
        if self._views.open(asset, timeframe, book):
            request = HistoryRequested(asset=asset, timeframe=timeframe, limit=1, reply_to=self._context.me)
            self._cache.tell(request)
            return
        said = self._views.say(asset, timeframe)
        if said is not None:
            self._out.append(said)

    def _ask_feed(self, asset: str, book: TickBook) -> None:
        """An asset that its feed only listed is asked for when somebody first wants it."""
        ingestor = self._ingestors.get(self._memory.announced.get(asset, ""))
        if book.total == 0 and ingestor is not None:
            self._context.address(ingestor).tell(Subscribe(asset=asset))

    def _on_left(self, left: ChannelsLeft) -> None:
        for asset, timeframe in self._watchers.leave(left.client, left.asset):
            self._show(asset)
            if timeframe is not None:
                self._views.close(asset, timeframe)

    def _say_candles(self) -> None:
        out, wait = self._views.due(self._clock.monotonic())
        self._out += out
        if wait is not None and not self._candles_due:
            self._candles_due = True
            self._context.after(wait, CandlesDue())

    # -- states ------------------------------------------------------------------------------------------------

    def _on_change(self, change: FeedChanged | LinkChanged | AssetsAnnounced | BatchStored | RowsQuarantined) -> None:
        self._memory.note(change)
        if isinstance(change, LinkChanged) and change.owner == self._context.id:
            self._metrics.tell(change)
            if change.state == "up":
                self._refills.learn_assets()
        if isinstance(change, FeedChanged | LinkChanged):
            self._say_status()

    def _say_status(self) -> None:
        status = self._memory.status()
        if status != self._status:
            self._status = status
            self._out.append(StatusOut(payload=status))

    def _state(self) -> StateAnswered:
        memory = self._memory
        book = memory.books.get(memory.last_asset) if memory.last_asset is not None else None
        return StateAnswered(
            feeds=list(memory.feeds.values()),
            links=list(memory.links.values()),
            last_asset=memory.last_asset,
            last_ts_us=book.ts_us if book is not None else None,
            stored=memory.stored,
            quarantined=memory.quarantined,
        )

    # -- time --------------------------------------------------------------------------------------------------

    def _beat(self, beat: Beat) -> None:
        self._context.after(BEAT_S, beat)
        silence_s = self._clock.monotonic() - self._echoed_at
        if silence_s > LOOP_HANGS_AFTER_S:
            _log.error("gateway_loop_hangs", silence_s=round(silence_s, 1), stack=self._server.stuck_at())
            raise LoopHung(f"the event loop has not answered for {silence_s:.0f} s")
        self._server.probe()
        self._memory.sample()
        if not self._seeding:
            self._seed()

    def _seed(self) -> None:
        """Read buffers ahead of any question, one asset at a time: a turn of this actor stays short."""
        self._seeding = self._refills.seed_next()
        if self._seeding:
            self._context.after(SEED_EVERY_S, SeedDue())

    def _on_echo(self, echo: LoopEchoed) -> None:
        self._echoed_at = self._clock.monotonic()
        measured = ClientsMeasured(
            clients=echo.clients,
            frames_sent=echo.frames_sent,
            ticks_conflated=echo.ticks_conflated,
            refused=echo.refused,
        )
        self._metrics.tell(measured)

    def _hand_on(self) -> None:
        if self._out:
            self._server.post(self._out)
            self._out = []
