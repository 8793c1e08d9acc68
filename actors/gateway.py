"""Serves clients: knows the last ticks of every asset and how all is, and hands what they watch to its server.

Receives  TicksReceived, CandleClosed, FeedChanged, AssetsAnnounced, AssetSelected, LinkChanged, BatchStored,
          RowsQuarantined, HistoryServed, HistoryFailed; of its server ChannelWanted, ChannelsLeft, LoopEchoed,
          TicksRequested, AssetsRequested, StateRequested, ReaderEnded; its own timers
Sends     HistoryRequested (CacheManager), Subscribe (TickIngestor), ClientsMeasured and LinkChanged (MetricsCollector)
Owns      the HTTP/WebSocket server on its own event loop thread; a Redis connection (buffer refills)
If it dies  clients are sent away and come back with the last (epoch, seq) they saw; the port stays open, ticks and
          states are in GatewayMemory, and ticks that come twice are known by (epoch, seq).

All that clients are told goes through one queue, in order. Ticks are the Board's, subscriptions are Clients'.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog

from tickwire.actors.gateway_board import Board
from tickwire.actors.gateway_clients import Clients
from tickwire.actors.gateway_loop import LoopWatch, ServerEnded
from tickwire.actors.gateway_memory import GatewayMemory, Noted
from tickwire.actors.gateway_refills import Refills
from tickwire.actors.gateway_timers import Due, Timers
from tickwire.actors.gateway_watchers import Watchers
from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.ports import Clock, GatewayServer, RefillRedis
from tickwire.messages.candles import CandleClosed
from tickwire.messages.clients import (
    AssetsAnswered,
    AssetsRequested,
    ChannelsLeft,
    ChannelWanted,
    LoopEchoed,
    StateRequested,
    StatusOut,
    TicksRequested,
    ToServer,
)
from tickwire.messages.history import HistoryFailed, HistoryRequested, HistoryServed
from tickwire.messages.lifecycle import AssetsAnnounced, AssetSelected, FeedChanged, LinkChanged, ReaderEnded, Subscribe
from tickwire.messages.telemetry import BacklogMeasured, BatchStored, ClientsMeasured, RowsQuarantined
from tickwire.messages.ticks import TicksReceived

_log = structlog.get_logger("tickwire.gateway")

HOLE_WAIT_S = 0.05
BEAT_S = 1.0
SEED_EVERY_S = 0.1


OfIncarnation = ChannelWanted | ChannelsLeft | LoopEchoed | ReaderEnded | Due


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
        self._timers = Timers(context)
        self._out: list[ToServer] = []
        self._candles_due = False
        self._seeding = False
        self._status = b""

    # -- life --------------------------------------------------------------------------------------------------

    def open(self) -> None:
        self._cache = self._context.address("cache_manager")
        self._metrics = self._context.address("metrics_collector")
        self._redis = self._make_redis()
        self._make_parts()
        self._server = self._make_server()
        self._server.start()
        self._redis.link.start()
        self._loop = LoopWatch(self._server, self._clock)
        self._say_status()
        self._hand_on()
        self._timers.set(BEAT_S, "beat")

    def _make_parts(self) -> None:
        memory, out, watchers = self._memory, self._out, Watchers()
        self._refills = Refills(self._redis, memory)
        self._board = Board(
            memory, self._refills, watchers, out, wait=lambda asset: self._timers.set(HOLE_WAIT_S, "hole", asset)
        )
        self._clients = Clients(
            memory, self._refills, watchers, self._board, out, ask_feed=self._ask_feed, ask_past=self._ask_past
        )

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
                self._board.take(message)
            elif not (isinstance(message, OfIncarnation) and message.incarnation != self._context.incarnation):
                self._handle(message)  # what is left out is of a server, a client or a timer that is no more
        self._board.show_all()
        self._say_candles()
        self._hand_on()

    def _handle(self, message: object) -> None:
        match message:
            case ChannelWanted():
                self._clients.want(message)
            case ChannelsLeft():
                self._clients.leave(message)
            case CandleClosed():
                self._clients.closed(message)
            case HistoryServed():
                self._board.views.seed(message.asset, message.timeframe, message.candles)
            case HistoryFailed():
                _log.info("no_candle_to_begin_with", asset=message.asset, reason=message.reason)
            case FeedChanged() | LinkChanged() | AssetsAnnounced() | AssetSelected():
                self._on_change(message)
            case BatchStored() | BacklogMeasured() | RowsQuarantined():
                self._on_change(message)
            case LoopEchoed():
                self._on_echo(message)
            case Due():
                self._on_due(message)
            case ReaderEnded():
                raise ServerEnded(message.reason)
            case _:
                self._answer(message)

    def _answer(self, question: object) -> None:
        match question:
            case TicksRequested():
                self._board.answer(question)
            case AssetsRequested():
                question.reply_to.tell(AssetsAnswered(assets=self._memory.assets(announced=question.announced)))
            case StateRequested():
                question.reply_to.tell(self._memory.state())
            case _:
                raise TypeError(f"Gateway takes no {type(question).__name__}")

    def _hand_on(self) -> None:
        if self._out:
            self._server.post(self._out)
            self._out.clear()

    # -- asking others -----------------------------------------------------------------------------------------

    def _ask_feed(self, feed: str, asset: str) -> None:
        ingestor = self._ingestors.get(feed)
        if ingestor is not None:
            self._context.address(ingestor).tell(Subscribe(asset=asset))

    def _ask_past(self, asset: str, timeframe: str) -> None:
        self._cache.tell(HistoryRequested(asset=asset, timeframe=timeframe, limit=1, reply_to=self._context.me))

    # -- states ------------------------------------------------------------------------------------------------

    def _on_change(self, change: Noted) -> None:
        self._memory.note(change, self._clock.now_us() / 1e6)
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

    def _on_echo(self, echo: LoopEchoed) -> None:
        self._loop.echoed()
        measured = ClientsMeasured(
            clients=echo.clients,
            frames_sent=echo.frames_sent,
            ticks_conflated=echo.ticks_conflated,
            refused=echo.refused,
        )
        self._metrics.tell(measured)

    # -- time --------------------------------------------------------------------------------------------------

    def _on_due(self, due: Due) -> None:
        match due.what:
            case "beat":
                self._beat()
            case "seed":
                self._seed()
            case "candles":
                self._candles_due = False  # said at the end of this step
            case "hole":
                self._board.waited(due.asset)

    def _beat(self) -> None:
        self._timers.set(BEAT_S, "beat")
        self._loop.probe()
        self._memory.sample()
        if not self._seeding:
            self._seed()

    def _seed(self) -> None:
        """Read buffers ahead of any question, one asset at a time: a turn of this actor stays short."""
        self._seeding = self._refills.seed_next()
        if self._seeding:
            self._timers.set(SEED_EVERY_S, "seed")

    def _say_candles(self) -> None:
        out, wait = self._board.views.due(self._clock.monotonic())
        self._out += out
        if wait is not None and not self._candles_due:
            self._candles_due = True
            self._timers.set(wait, "candles")
