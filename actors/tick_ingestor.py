"""Reads one feed: frames in, checked and numbered ticks out, encoded once for everybody.

Receives  Subscribe, Unsubscribe, TicksPushed, AssetGranted, AssetRefused, AssetReleased, FeedHeld, DrainRequested,
          Dialled, DialFailed, LinkChanged; frames of its own socket, on which it waits together with its mailbox
Sends     TicksReceived (Publisher, Gateway, BufferKeeper, CacheManager), BackfillReceived (BufferKeeper, CacheManager),
          AssetRequested, FeedChanged, AssetsAnnounced, FeedMeasured, Drained
Owns      the feed's WebSocket; identity and clock offset; a Redis connection (asset registry)
If it dies  the socket is closed and opened anew; a new epoch begins; ordinals and message numbers go on (FeedMemory).
"""

from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from tickwire.actors.asset_registry import AssetRegistry
from tickwire.actors.feed_session import FeedSession
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
from tickwire.market.wire import (
    AssetsListed,
    AuthRefused,
    CandleRows,
    ClosedByVenue,
    Decoder,
    Event,
    HistoryRows,
    Ignored,
    LiveRows,
    Malformed,
    Opened,
    Send,
)
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.lifecycle import (
    AssetsAnnounced,
    Drained,
    DrainRequested,
    FeedChanged,
    FeedHeld,
    FeedState,
    LinkChanged,
    Subscribe,
    TicksPushed,
    Unsubscribe,
)
from tickwire.messages.telemetry import FeedMeasured
from tickwire.messages.ticks import AssetGranted, AssetRefused, AssetReleased, AssetRequested, BackfillReceived

_log = structlog.get_logger("tickwire.tick_ingestor")

TICKS_TO = ("publisher", "gateway", "buffer_keeper", "cache_manager")
"""In the order in which they are told: what traders see first."""
BACKFILL_TO = ("buffer_keeper", "cache_manager")
STATES_TO = ("buffer_keeper", "publisher", "cache_manager", "gateway", "metrics_collector")

BEAT_S = 0.25
MEASURE_S = 1.0
HELD_TICKS_MAX = 100_000
"""Ticks held for a grant; beyond it the socket is left unread."""
RELEASE_S = 60.0
"""How long a feed is down before it gives its assets up to other feeds."""
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
        self._profile = profile
        self._dialler = dialler
        self._make_decoder = make_decoder
        self._make_registry = registry
        self._clock = clock
        self._observe = observe
        self._pipeline = make_pipeline()
        self._waiter = waiter()
        self._staleness = staleness
        self._backoff = backoff
        self._session: FeedSession | None = None
        self._state: FeedState = "connecting"
        self._stale: tuple[str, ...] = ()
        self._wanted = dict.fromkeys(profile.assets)
        self._held = False
        self._drains: list[ReplyTo] = []
        self._drain_deadline = 0.0
        self._attempt = 0
        self._redial_at: float | None = None
        self._release_s = release_s
        self._release_at: float | None = None
        self._next_beat = 0.0
        self._next_measure = 0.0
        self._frames_of_old = 0
        self._ticks = 0
        self._ignored: Counter[str] = Counter()
        self._reconnects = 0
        self._unwatch: list[Callable[[], None]] = []

    # -- life --------------------------------------------------------------------------------------------------

    def open(self) -> None:
        address = self._context.address
        self._receivers = [address(name) for name in TICKS_TO]
        self._backfill_to = [address(name) for name in BACKFILL_TO]
        self._states_to = [address(name) for name in STATES_TO]
        self._keeper = address("buffer_keeper")
        self._unwatch = [receiver.watch(lambda _name, _congested: self.wake()) for receiver in self._receivers]
        self._registry = AssetRegistry(self._make_registry(), self._profile)
        self._registry.redis.link.start()
        self._incarnation = new_epoch(self._clock.now_us())
        if self._dialler is None:
            self._change("live")
        else:
            self._release_at = self._clock.monotonic() + self._release_s
            self._change("connecting")
            self._dial()

    def wait(self) -> None:
        session = self._session
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
        if self._session is not None:
            self._session.close()
            self._session = None
        registry = getattr(self, "_registry", None)
        if registry is not None:
            registry.redis.link.close()
        self._waiter.close()

    # -- steps -------------------------------------------------------------------------------------------------

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._handle(message)
        now = self._clock.monotonic()
        if self._session is not None and not self._paused:
            self._read(self._session, now)
        self._hand_on()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_S
            self._beat(now)

    @property
    def _paused(self) -> bool:
        """A receiver has more than it can take, or the spool takes nothing: let the feed's TCP window fill."""
        if self._held or self._pipeline.numbering.held_ticks > HELD_TICKS_MAX:
            return True
        return any(receiver.congested for receiver in self._receivers)

    def _handle(self, message: object) -> None:
        match message:
            case TicksPushed():
                self._on_pushed(message)
            case AssetGranted():
                self._pipeline.grant(message.asset, message.epoch, message.next_seq)
            case AssetRefused():
                _log.warning("asset_has_another_feed", asset=message.asset, feed=message.feed, owner=message.owner)
                self._pipeline.refuse(message.asset, message.owner)
            case AssetReleased():
                self._pipeline.numbering.release(message.asset)
            case Subscribe():
                self._wanted[message.asset] = None
                self._say(lambda session: session.decoder.subscribe(message.asset))
            case Unsubscribe():
                self._wanted.pop(message.asset, None)
                self._say(lambda session: session.decoder.unsubscribe(message.asset))
            case FeedHeld():
                self._held = message.held
            case Dialled():
                self._on_dialled(message)
            case DialFailed():
                if message.attempt == self._attempt:
                    self._lost(message.reason)
            case LinkChanged():
                self._states_to[-1].tell(message)
                if message.state == "up":
                    self._registry.rewrite()
            case DrainRequested():
                self._on_drain(message)
            case _:
                raise TypeError(f"TickIngestor takes no {type(message).__name__}")

    # -- ticks -------------------------------------------------------------------------------------------------

    def _read(self, session: FeedSession, now: float) -> None:
        recv_us = self._clock.now_us()
        try:
            for arrival_us, events in session.read(now, recv_us):
                for event in events:
                    self._on_event(session, event, arrival_us, recv_us, now)
        except FeedClosed as error:
            self._closed(error)

    def _on_event(self, session: FeedSession, event: Event, arrival_us: int, recv_us: int, now: float) -> None:
        match event:
            case LiveRows():
                self._on_rows(event, arrival_us, recv_us, now)
            case HistoryRows() | CandleRows():
                self._pipeline.past(event, arrival_us, recv_us)
                self._market_is_heard()
            case Opened():
                session.opened = True
                self._market_is_heard()
                for asset in self._wanted:
                    session.answer(session.decoder.subscribe(asset))
            case AssetsListed():
                self._registry.listed(event.assets)
                announced = AssetsAnnounced(feed=self._profile.name, assets=[info.symbol for info in event.assets])
                for receiver in self._states_to[-2:]:
                    receiver.tell(announced)
            case Malformed():
                self._pipeline.intake.count("?", "malformed")
                _log.warning("malformed_frame", feed=self._profile.name, reason=event.reason, sample=repr(event.sample))
            case Ignored():
                self._ignored[event.event] += 1
            case AuthRefused():
                raise FeedClosed(f"the venue refused the session ({event.reason}); give a fresh one")
            case ClosedByVenue():
                raise FeedClosed(event.reason)
            case Send():
                pass  # the session sends it

    def _on_rows(self, rows: LiveRows, arrival_us: int, recv_us: int, now: float) -> None:
        self._market_is_heard()
        self._ticks += len(rows.assets)
        assets = self._pipeline.live(rows, arrival_us, recv_us)
        self._registry.saw(assets)
        for asset in assets:
            self._staleness.observe(asset, now, 1)

    def _on_pushed(self, pushed: TicksPushed) -> None:
        if pushed.rows:
            assets, stamps, prices = zip(*pushed.rows, strict=True)
            recv_us = self._clock.now_us()
            self._on_rows(LiveRows(assets, stamps, prices), recv_us, recv_us, self._clock.monotonic())

    def _hand_on(self) -> None:
        """Put what this step took in into the receivers' mailboxes; only then do its ordinals and numbers count."""
        for asset in self._pipeline.numbering.to_ask():
            self._ask(asset)
        messages = self._pipeline.messages()
        if not messages:
            return
        for message in messages:
            receivers = self._backfill_to if type(message) is BackfillReceived else self._receivers
            for receiver in receivers:
                receiver.tell(message)
        self._pipeline.settle()

    def _ask(self, asset: str) -> None:
        request = AssetRequested(
            asset=asset, feed=self._profile.name, incarnation=self._incarnation, reply_to=self._context.me
        )
        self._keeper.tell(request)

    # -- connection --------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        if self._dialler is not None:
            self._attempt += 1
            self._redial_at = None
            self._dialler.dial(self._attempt, self._context.me.tell)

    def _on_dialled(self, dialled: Dialled) -> None:
        if dialled.attempt != self._attempt or self._drains or self._session is not None:
            dialled.socket.close()
            return
        self._session = FeedSession(
            dialled.socket,
            self._make_decoder(),
            self._clock.monotonic(),
            arrivals_from_pings=self._profile.arrivals_from_pings,
        )
        _log.info("feed_connected", feed=self._profile.name)
        try:
            self._session.greet()
        except FeedClosed as error:
            self._closed(error)

    def _say(self, sends: Callable[[FeedSession], Sequence[Send]]) -> None:
        session = self._session
        if session is None or not session.opened:
            return  # said again when the session opens
        try:
            session.send(sends(session))
        except FeedClosed as error:
            self._closed(error)

    def _closed(self, error: FeedClosed) -> None:
        if self._session is not None:
            self._frames_of_old += self._session.frames
            self._session.close()
            self._session = None
        if error.code == 1000 and error.reason == "ended" and not self._profile.reconnects_after_end:
            self._pipeline.take_early()
            self._hand_on()
            self._change("ended")
            return
        self._lost(error.reason)

    def _lost(self, reason: str) -> None:
        delay = self._backoff.next_s()
        now = self._clock.monotonic()
        self._redial_at = now + delay
        if self._state not in ("down", "connecting"):
            self._release_at = now + self._release_s
        _log.warning("feed_lost", feed=self._profile.name, reason=reason, retry_in_s=round(delay, 2))
        self._change("down", reason)

    def _market_is_heard(self) -> None:
        if self._state not in ("live", "stale"):
            self._backoff.reset()
            self._release_at = None
            self._change("live")

    def _change(self, state: FeedState, detail: str = "", *, gone: bool = False) -> None:
        self._state = state
        change = FeedChanged(feed=self._profile.name, state=state, detail=detail, stale_assets=self._stale, gone=gone)
        for receiver in self._states_to:
            receiver.tell(change)
        self._observe(change)

    # -- time --------------------------------------------------------------------------------------------------

    def _beat(self, now: float) -> None:
        if self._session is not None:
            try:
                self._session.beat(now)
            except FeedClosed as error:
                self._closed(error)
        elif self._redial_at is not None and now >= self._redial_at and not self._drains:
            self._reconnects += 1
            self._change("connecting")
            self._dial()
        if self._release_at is not None and now >= self._release_at:
            self._release_at = None
            self._pipeline.numbering.forget_grants()  # before another feed can be granted any of them
            self._change(self._state, gone=True)
        self._judge_staleness(now)
        self._registry.write()
        if self._drains:
            self._finish_drain(now)
        if now >= self._next_measure:
            self._next_measure = now + MEASURE_S
            self._measure()

    def _judge_staleness(self, now: float) -> None:
        if self._state not in ("live", "stale"):
            return
        stale = self._staleness.stale(now)
        all_stale = bool(stale) and len(stale) == len(self._pipeline.newest_us)
        state: FeedState = "stale" if all_stale else "live"
        if stale != self._stale or state != self._state:
            self._stale = stale
            self._change(state)

    def _measure(self) -> None:
        for change in self._pipeline.offset_changes:
            _log.info("clock_offset", feed=self._profile.name, offset_s=change.offset_us / 1e6)
        self._pipeline.offset_changes.clear()
        frames = self._frames_of_old + (self._session.frames if self._session else 0)
        if self._session is not None:
            self._session.frames = 0
        self._frames_of_old = 0
        self._states_to[-1].tell(
            FeedMeasured(
                feed=self._profile.name,
                frames=frames,
                ticks=self._ticks,
                counts=self._pipeline.intake.take_counts(),
                ignored_events=self._ignored.total(),
                reconnects=self._reconnects,
                offset_us=self._pipeline.offset_us,
                paused=self._paused,
                lateness_us=self._pipeline.lateness_us,
            )
        )
        self._ticks = self._reconnects = self._pipeline.lateness_us = 0
        self._ignored.clear()

    # -- stopping ----------------------------------------------------------------------------------------------

    def _on_drain(self, request: DrainRequested) -> None:
        """Read no more; what was read goes on, once its assets are granted."""
        self._drains.append(request.reply_to)
        self._redial_at = None
        if self._session is not None:
            self._frames_of_old += self._session.frames
            self._session.close()
            self._session = None
        self._pipeline.take_early()
        self._drain_deadline = self._clock.monotonic() + GRANT_WAIT_S
        self._next_beat = 0.0

    def _finish_drain(self, now: float) -> None:
        if self._pipeline.numbering.held_ticks and now < self._drain_deadline:
            return
        for asset in self._pipeline.numbering.ungranted():
            self._pipeline.grant(asset, new_epoch(self._clock.now_us()), 1)
        self._hand_on()
        self._measure()
        for reply_to in self._drains:
            reply_to.tell(Drained(feed=self._profile.name))
        self._drains = []
