"""Reads one feed: frames in, checked and numbered ticks out, encoded once for everybody.

Receives  Subscribe, Unsubscribe, TicksPushed, AssetGranted, AssetRefused, AssetReleased, HoleFound, FeedHeld,
          DrainRequested, Dialled, DialFailed, LinkChanged; frames of its own socket, on which it waits together with
          its mailbox
Sends     TicksReceived (Publisher, Gateway, BufferKeeper, CacheManager), BackfillReceived (BufferKeeper, CacheManager),
          TicksDoubted (CacheManager), AssetRequested, FeedChanged, AssetsAnnounced, FeedMeasured, Drained
Owns      the feed's WebSocket; identity and clock offset; a Redis connection (asset registry); its parts:
          FeedConnection (dial, subscribe, retry), FeedStatus (state, staleness), FeedTicks (events), FeedMeter (counts)
If it dies  the socket is closed and opened anew; a new epoch begins; ordinals and message numbers go on (FeedMemory).
"""

from collections.abc import Callable, Sequence
from typing import ParamSpec

import structlog

from tickwire.actors.asset_registry import AssetRegistry
from tickwire.actors.feed_connection import FeedConnection
from tickwire.actors.feed_meter import FeedMeter
from tickwire.actors.feed_status import RELEASE_S, FeedStatus
from tickwire.actors.feed_ticks import FeedTicks
from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.ports import (
    Clock,
    DialFailed,
    Dialled,
    FeedClosed,
    FeedDialler,
    FeedProfile,
    RegistryRedis,
    Waiter,
)
from tickwire.market.backoff import Backoff
from tickwire.market.identity import new_epoch
from tickwire.market.pipeline import FeedPipeline
from tickwire.market.staleness import Staleness
from tickwire.market.wire import Decoder
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.candles import HoleFound
from tickwire.messages.lifecycle import (
    Drained,
    DrainRequested,
    FeedChanged,
    FeedHeld,
    LinkChanged,
    Subscribe,
    TicksDoubted,
    TicksPushed,
    Unsubscribe,
)
from tickwire.messages.ticks import AssetGranted, AssetRefused, AssetReleased, AssetRequested

_log = structlog.get_logger("tickwire.tick_ingestor")

_P = ParamSpec("_P")

STATES_TO = ("buffer_keeper", "publisher", "cache_manager", "gateway", "metrics_collector")

US = 1_000_000
BEAT_S = 0.25
MEASURE_S = 1.0
HELD_TICKS_MAX = 100_000
"""Ticks held for a grant; beyond it the socket is left unread."""
GRANT_WAIT_S = 2.0
"""How long a drain waits for outstanding grants."""


class TickIngestor:
    def __init__(
        self,
        context: Context,
        *,
        profile: FeedProfile,
        dialler: FeedDialler | None,
        make_decoder: Callable[[], Decoder],
        make_pipeline: Callable[[], FeedPipeline],
        registry: Callable[[], RegistryRedis],
        waiter: Callable[[], Waiter],
        staleness: Staleness,
        backoff: Backoff,
        clock: Clock,
        observe: Callable[[FeedChanged], object] = lambda _: None,
        release_s: float = RELEASE_S,
    ) -> None:
        """`dialler` is None for a feed whose ticks the host pushes; `observe` is the host's ear, in our thread."""
        self._context = context
        self._feed = profile.name
        self._connects = dialler is not None
        self._make_registry: Callable[[], AssetRegistry] = lambda: AssetRegistry(registry(), profile)
        self._clock = clock
        self._pipeline = make_pipeline()
        self._waiter = waiter()
        self._connection = FeedConnection(profile, dialler, make_decoder, backoff)
        self._status = FeedStatus(profile.name, staleness, observe, release_s)
        self._meter = FeedMeter(profile.name)
        self._held = False
        self._drains: list[ReplyTo] = []
        self._next_beat = self._next_measure = self._drain_deadline = 0.0
        self._registry: AssetRegistry | None = None
        self._unwatch: list[Callable[[], None]] = []

    # -- life --------------------------------------------------------------------------------------------------

    def open(self) -> None:
        address = self._context.address
        self._states_to = [address(name) for name in STATES_TO]
        self._keeper, self._metrics = address("buffer_keeper"), address("metrics_collector")
        self._gateway, self._candles = address("gateway"), address("cache_manager")
        self._registry = self._make_registry()
        self._ticks = FeedTicks(
            self._feed,
            address=address,
            pipeline=self._pipeline,
            registry=self._registry,
            connection=self._connection,
            status=self._status,
            meter=self._meter,
            doubt=self._doubt,
        )
        self._unwatch = [receiver.watch(lambda _name, _congested: self.wake()) for receiver in self._ticks.receivers]
        self._registry.redis.link.start()
        self._renew()
        self._status.begin(self._states_to, self._clock.monotonic(), connects=self._connects)
        self._connection.dial(self._context.me.tell)

    def wait(self) -> None:
        session = self._connection.session
        if session is None or self._paused:
            self._waiter.wait(None, BEAT_S)
        elif not session.socket.pending:
            self._waiter.wait(session.socket, BEAT_S)

    def wake(self) -> None:
        self._waiter.wake()

    def close(self) -> None:
        for undo in self._unwatch:
            undo()
        self._unwatch = []
        self._connection.stop()
        if self._registry is not None:
            self._registry.redis.link.close()
        self._waiter.close()

    # -- steps -------------------------------------------------------------------------------------------------

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._guarded(self._handle, message)
        now = self._clock.monotonic()
        session = self._connection.session
        if session is not None and not self._paused:
            self._guarded(self._ticks.read, session, now, self._clock.now_us())
        self._hand_on()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_S
            self._beat(now)

    @property
    def _paused(self) -> bool:
        """A receiver has more than it can take, or the spool takes nothing: let the feed's TCP window fill."""
        if self._held or self._pipeline.numbering.held_ticks > HELD_TICKS_MAX:
            return True
        return any(receiver.congested for receiver in self._ticks.receivers)

    def _handle(self, message: object) -> None:
        match message:
            case TicksPushed():
                self._ticks.pushed(message, self._clock.monotonic(), self._clock.now_us())
            case AssetGranted():
                self._on_granted(message)
            case AssetRefused():
                _log.warning("asset_has_another_feed", asset=message.asset, feed=message.feed, owner=message.owner)
                self._pipeline.refuse(message.asset, message.owner)
            case AssetReleased():
                self._pipeline.numbering.release(message.asset)
            case Subscribe():
                self._connection.subscribe(message.asset)
            case Unsubscribe():
                self._status.forget(message.asset)
                self._doubt([message.asset])
                self._connection.unsubscribe(message.asset)
            case HoleFound():
                ahead_us = self._pipeline.offset_us
                begin_s, end_s = (message.from_us + ahead_us) // US, -(-(message.until_us + ahead_us) // US)
                self._connection.ask_candles(message.asset, begin_s, end_s)
            case FeedHeld():
                self._held = message.held
                self._status.hold(message.reason, self._clock.monotonic())
            case Dialled():
                self._connection.take(message, self._clock.monotonic())
            case DialFailed():
                if self._connection.is_current(message.attempt):
                    self._lost(message.reason)
            case LinkChanged():
                self._metrics.tell(message)
                self._gateway.tell(message)
                if message.state == "up" and self._registry is not None:
                    self._registry.rewrite()
            case DrainRequested():
                self._on_drain(message)
            case _:
                raise TypeError(f"TickIngestor takes no {type(message).__name__}")

    def _on_granted(self, granted: AssetGranted) -> None:
        mine = granted.incarnation == self._incarnation
        if mine and not self._pipeline.grant(granted.asset, granted.epoch, granted.next_seq):
            self._ticks.hand_on()
            self._renew()

    def _hand_on(self, counts_at_us: int | None = None) -> None:
        self._ask(self._pipeline.numbering.to_ask())
        self._ticks.hand_on(counts_at_us)

    def _doubt(self, assets: Sequence[str] | None) -> None:
        """Ticks of these (None: of all) may be missing from now on: they begin an epoch when they come again."""
        self._ticks.hand_on()  # what came before is still of the old one
        doubted = self._pipeline.numbering.doubt(assets)
        if doubted:
            self._renew()
            self._candles.tell(TicksDoubted(assets=doubted))

    def _renew(self) -> None:
        """What was granted until now is void: late grants are known by the incarnation that they name."""
        self._incarnation = new_epoch(self._clock.now_us())

    def _ask(self, assets: Sequence[str]) -> None:
        for asset in assets:
            self._keeper.tell(
                AssetRequested(asset=asset, feed=self._feed, incarnation=self._incarnation, reply_to=self._context.me)
            )

    # -- connection --------------------------------------------------------------------------------------------

    def _guarded(self, act: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Do what may find the connection at its end."""
        try:
            act(*args, **kwargs)
        except FeedClosed as error:
            if self._connection.drop(error):
                self._pipeline.take_early()
                self._hand_on()
                self._status.ended()
            else:
                self._lost(error.reason)

    def _lost(self, reason: str) -> None:
        now = self._clock.monotonic()
        self._connection.retry(reason, now)
        self._doubt(None)
        self._status.down(reason, now)

    # -- time --------------------------------------------------------------------------------------------------

    def _beat(self, now: float) -> None:
        self._guarded(self._beat_connection, now)
        if self._status.is_gone(now):
            self._pipeline.numbering.forget_grants()  # before another feed can be granted any of them
            self._renew()
            self._status.gone()
        self._status.judge(now)
        if self._registry is not None:
            self._registry.write()
        if self._drains:
            self._finish_drain(now)
        if now >= self._next_measure:
            self._next_measure = now + MEASURE_S
            self._ask(self._pipeline.numbering.ungranted())  # again: a keeper that died may have forgotten it
            self._measure()

    def _beat_connection(self, now: float) -> None:
        if self._connection.beat(now, paused=self._paused):
            self._status.connecting()
            self._connection.dial(self._context.me.tell)

    def _measure(self) -> None:
        self._hand_on(self._clock.now_us())  # what was refused or repeated is on record though no tick comes
        self._metrics.tell(self._meter.measure(self._pipeline, self._connection, paused=self._paused))

    # -- stopping ----------------------------------------------------------------------------------------------

    def _on_drain(self, request: DrainRequested) -> None:
        """Read no more; what was read goes on, once its assets are granted."""
        self._drains.append(request.reply_to)
        self._connection.stop()
        self._pipeline.take_early()
        self._drain_deadline = self._clock.monotonic() + GRANT_WAIT_S
        self._next_beat = 0.0

    def _finish_drain(self, now: float) -> None:
        if self._pipeline.numbering.held_ticks and now < self._drain_deadline:
            return
        self._pipeline.grant_rest(self._clock.now_us)
        self._measure()
        # The epoch goes on; but nobody listens from here on, and silence proves nothing.
        self._candles.tell(TicksDoubted(assets=self._pipeline.numbering.all_granted()))
        for reply_to in self._drains:
            reply_to.tell(Drained(feed=self._feed))
        self._drains = []
