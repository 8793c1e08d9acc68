"""Makes ticks durable: spool first, then the Redis buffer and the outbox stream.

Receives  TicksReceived, BackfillReceived, TicksLost, CandlesMade, AssetRequested, FeedChanged, OutboxLost,
          DrainRequested, LinkChanged
Sends     TicksAccepted, SpoolMeasured, AssetGranted, AssetRefused, AssetReleased, FeedHeld, OutboxForwarded
Owns      the spool; a Redis connection (lists `ticks:*`, epoch hashes, its outbox stream)
If it dies  the messages in flight come again; the spool knows the last one taken of each sender, so each is
          committed once. A new boot id forwards what is not stored; uids absorb the repeats.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from tickwire.actors.asset_grants import AssetGrants
from tickwire.actors.forwarder import Forwarder
from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.ports import BufferRedis, Clock, PortError, RedisRefused, Spool, SpoolFailed
from tickwire.actors.unaccepted import Intake, Unaccepted, loss
from tickwire.actors.waiting_candles import WaitingCandles
from tickwire.market.ownership import Ownership
from tickwire.market.packing import pack
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.candles import CandlesMade
from tickwire.messages.lifecycle import (
    DrainRequested,
    FeedChanged,
    FeedHeld,
    LinkChanged,
    LinkState,
    OutboxForwarded,
    OutboxLost,
)
from tickwire.messages.telemetry import SpoolMeasured
from tickwire.messages.ticks import (
    LOST,
    AssetReleased,
    AssetRequested,
    BackfillReceived,
    TickColumns,
    TicksAccepted,
    TicksLost,
    TicksReceived,
)

_log = structlog.get_logger("tickwire.buffer_keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferKeeperSettings:
    buffer_size: int = 1000
    window_entries: int = 10_000
    window_bytes: int = 64 * 1024 * 1024
    entry_ticks: int = 5_000
    """Most ticks of one spool row, unless one message alone has more."""
    spool_bytes: int = 4 * 1024 * 1024 * 1024
    """A spool that holds more takes nothing."""
    shed_after_s: float = 30.0
    """How long the feeds are left unread while the spool takes nothing; then what they bring is counted as lost."""
    poll_s: float = 0.25
    """How often the acknowledged floor is read while anything is outstanding, and a refusing Redis tried again."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Own timer. One that comes again after a crash is not of this incarnation, which has a timer of its own."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class ForwardMore:
    """To itself: the spool is ahead of Redis, and new ticks had their turn. One at a time, of this incarnation."""

    incarnation: int


class BufferKeeper:
    def __init__(
        self,
        context: Context,
        *,
        redis: Callable[[], BufferRedis],
        spool: Callable[[], Spool],
        clock: Clock,
        feeds: Mapping[str, str],
        unaccepted: Unaccepted,
        ownership: Ownership,
        candles: WaitingCandles,
        settings: BufferKeeperSettings,
    ) -> None:
        """`feeds`: feed → its TickIngestor's id.

        Three outlive incarnations: `unaccepted` and `candles`, what the spool has not taken, and `ownership`, or a feed
        could be granted what another one is sending.
        """
        self._context = context
        self._make_redis = redis
        self._make_spool = spool
        self._clock = clock
        self._feeds = feeds
        self._settings = settings
        self._ownership = ownership
        self._drains: list[ReplyTo] = []
        self._trouble_told = ""
        self._unaccepted = unaccepted
        self._candles = candles
        self._trouble = ""
        self._goes_on = False

    def open(self) -> None:
        self._spool = self._make_spool()
        self._taken = dict(self._spool.taken())
        self._redis = self._make_redis()
        self._forwarder = Forwarder(
            self._redis,
            self._spool,
            buffer_size=self._settings.buffer_size,
            window_entries=self._settings.window_entries,
            window_bytes=self._settings.window_bytes,
        )
        self._grants = AssetGrants(self._redis, self._spool, self._forwarder, self._ownership, self._clock)
        self._take_over_unaccepted()
        self._batch_writer = self._context.address("batch_writer")
        self._metrics = self._context.address("metrics_collector")
        self._gateway = self._context.address("gateway")
        if self._spool.first_row <= self._spool.last_row:
            rows = self._spool.last_row - self._spool.first_row + 1
            _log.info("spool_has_rows", rows=rows, bytes=self._spool.size_bytes)
        self._redis.link.start()
        self._context.after(self._settings.poll_s, Poll(self._context.incarnation))

    def _take_over_unaccepted(self) -> None:
        """The last incarnation may have ended behind a commit of theirs."""
        self._forwarder.remember_again(_live(self._unaccepted.drop(self._taken)))
        self._taken |= {message.sender: message.number for message in self._unaccepted.messages}

    def step(self, batch: Sequence[object]) -> None:
        fresh: list[Intake] = []
        others: list[object] = []
        for message in batch:
            if isinstance(message, LinkChanged):
                self._handle(message)  # before ticks go out on a new connection
            elif isinstance(message, TicksReceived | BackfillReceived):
                if message.number > self._taken.get(message.sender, 0):
                    fresh.append(message)
                elif message not in self._unaccepted:
                    self._forwarder.remember_again(_live([message]))
            else:
                others.append(message)
        if fresh:
            self._accept(fresh)
        for message in others:
            self._handle(message)
        self._answer_drains()
        self._tell_trouble()

    def _handle(self, message: object) -> None:
        match message:
            case CandlesMade():
                self._candles.add(message.candles)
            case AssetRequested():
                self._grants.take(message)
            case LinkChanged():
                self._on_link_changed(message)
            case FeedChanged():
                self._on_feed_changed(message)
            case TicksLost():
                self._on_ticks_lost(message)
            case OutboxLost():
                self._on_outbox_lost(message)
            case DrainRequested():
                self._drains.append(message.reply_to)
            case ForwardMore():
                if message.incarnation == self._context.incarnation:
                    self._goes_on = False
                    self._forward_on()
            case Poll():
                if message.incarnation == self._context.incarnation:
                    self._on_poll(message)
            case _:
                raise TypeError(f"BufferKeeper takes no {type(message).__name__}")

    # -- accepting ---------------------------------------------------------------------------------------------

    def _accept(self, fresh: list[Intake]) -> None:
        messages = [*self._unaccepted.messages, *fresh]
        payloads = [pack(chunk) for chunk in _chunks(messages, self._settings.entry_ticks)]
        taken = {message.sender: message.number for message in messages}
        started = self._clock.monotonic()
        try:
            self._check_bound()
            rows = self._spool.commit(payloads, taken)
        except SpoolFailed as error:
            self._hold(fresh, error)
            return
        committed = self._clock.monotonic()
        self._taken.update(taken)
        self._resume()
        columns = _live(messages)
        self._forwarder.remember(columns)
        self._grants.seen(column.asset for column in columns)
        taken_by_redis = self._forwarder.forward(columns, list(zip(rows, payloads, strict=True)))
        forward_seconds = self._clock.monotonic() - committed if taken_by_redis else None
        self._report(sum(m.ticks for m in messages), len(rows), committed - started, forward_seconds)

    def _accept_candles(self) -> None:
        self._check_bound()
        self._forwarder.forward((), self._candles.commit(self._spool))

    def _on_ticks_lost(self, lost: TicksLost) -> None:
        """Under a sender of its own: messages behind the lost one may be in the spool already."""
        summary = loss(lost.message, f"{LOST}mailbox: {lost.reason}", sender=f"{lost.message.sender}/lost")
        if summary.number > self._taken.get(summary.sender, 0):
            self._accept([summary])

    def _check_bound(self) -> None:
        most = self._settings.spool_bytes
        if self._spool.size_bytes >= most:
            raise SpoolFailed(f"the spool holds {most} bytes (spool.max_bytes); bring the store back, or allow more")

    def _hold(self, fresh: list[Intake], error: SpoolFailed) -> None:
        """Nothing of it is accepted: keep it, stop the feeds, try again at the next poll; not for ever."""
        now = self._clock.monotonic()
        if not self._unaccepted:
            _log.error("spool_failed", error=str(error))
            self._tell_feeds(FeedHeld(held=True, reason=str(error)))
        elif self._unaccepted.give_up(now, self._settings.shed_after_s):
            _log.error("ticks_are_lost", error=str(error), after_s=self._settings.shed_after_s)
            self._tell_feeds(FeedHeld(held=False, reason=f"ticks are lost: {error}"))
        self._unaccepted.keep(fresh, now)
        for message in fresh:
            self._taken[message.sender] = message.number

    def _resume(self) -> None:
        if self._unaccepted:
            self._unaccepted.clear()
            _log.info("spool_works_again", lost=self._unaccepted.lost)
            self._tell_feeds(FeedHeld(held=False))

    def _tell_feeds(self, held: FeedHeld) -> None:
        for ingestor in self._feeds.values():
            self._context.address(ingestor).tell(held, control=True)

    def _report(self, ticks: int, rows: int, commit_seconds: float, forward_seconds: float | None) -> None:
        accepted = TicksAccepted(
            ticks=ticks,
            rows=rows,
            pending_entries=self._forwarder.pending_entries,
            commit_seconds=commit_seconds,
            forward_seconds=forward_seconds,
        )
        self._batch_writer.tell(accepted)
        self._metrics.tell(accepted)

    # -- assets ------------------------------------------------------------------------------------------------

    def _on_feed_changed(self, change: FeedChanged) -> None:
        if change.state != "ended" and not change.gone:
            return
        for asset in self._grants.release(change.feed):
            for peer, ingestor in self._feeds.items():
                if peer != change.feed:
                    self._context.address(ingestor).tell(AssetReleased(asset=asset))

    # -- Redis -------------------------------------------------------------------------------------------------

    def _on_link_changed(self, change: LinkChanged) -> None:
        self._tell_link(change)
        self._trouble_told = ""
        if change.state == "up":
            self._reach(self._forwarder.reconnected)
            self._forward_on()
        self._grants.take_early(change.state)

    def _tell_link(self, change: LinkChanged) -> None:
        self._metrics.tell(change)
        self._gateway.tell(change)

    def _tell_trouble(self) -> None:
        """A server that answers and takes nothing is no better than one that is away: say so by name."""
        trouble = self._forwarder.trouble
        if trouble == self._trouble_told or not self._redis.link.up:
            return
        self._trouble_told = trouble
        state: LinkState = "degraded" if trouble else "up"
        self._tell_link(LinkChanged(owner="buffer_keeper", link="redis", state=state, detail=trouble))

    def _on_outbox_lost(self, lost: OutboxLost) -> None:
        if self._redis.link.up:
            self._reach(lambda: self._forwarder.repair(lost.reason))
            self._forward_on()

    def _on_poll(self, poll: Poll) -> None:
        self._context.after(self._settings.poll_s, poll)
        if self._unaccepted:
            self._accept([])
        elif self._candles:
            self._reach(self._accept_candles)
        if self._redis.link.up:
            if not self._forwarder.checked:
                self._reach(self._forwarder.reconnected)
            if self._forwarder.lost:
                self._reach(lambda: self._forwarder.repair(self._forwarder.lost))
            if self._forwarder.pending_entries or self._forwarder.awaits_floor or self._drains:
                self._reach(self._forwarder.take_acknowledged)
            self._forward_on()
        measured = SpoolMeasured(
            spool_rows=self._spool.last_row - self._spool.first_row + 1,
            spool_bytes=self._spool.size_bytes,
            window_entries=self._forwarder.pending_entries,
            lost=self._unaccepted.lost,
        )
        self._metrics.tell(measured)
        self._batch_writer.tell(measured)

    def _reach(self, act: Callable[[], None]) -> bool:
        """Do what Redis or the disk may not take now, and say whether; a trouble that stays is logged once."""
        trouble = ""
        try:
            act()
        except RedisRefused as error:
            self._forwarder.note(error.kind)
        except PortError as error:
            trouble = str(error)
            if trouble != self._trouble:
                event = "spool_failed" if isinstance(error, SpoolFailed) else "redis_not_reached"
                _log.warning(event, error=trouble)
        self._trouble = trouble
        return not trouble

    def _forward_on(self) -> None:
        """Send what Redis has not seen, a chunk a turn so that new ticks need not wait behind it."""
        more = self._forwarder.forward((), ()) and self._forwarder.behind and not self._forwarder.window_full
        if more and not self._goes_on:
            self._goes_on = True
            self._context.me.tell(ForwardMore(self._context.incarnation))

    # -- stopping ----------------------------------------------------------------------------------------------

    def _answer_drains(self) -> None:
        """A drain is over when all is forwarded, or at once where Redis can't be reached: the spool keeps it."""
        if not self._drains:
            return
        if self._unaccepted:
            self._accept([])
        while self._candles and not self._unaccepted and self._reach(self._accept_candles):
            pass
        up = self._redis.link.up and not self._forwarder.trouble
        if up and self._forwarder.behind:
            return
        error = None
        if up:
            self._reach(self._forwarder.take_acknowledged)
            self._reach(self._mark_clean)
        else:
            error = f"Redis is not reached ({self._redis.link.detail or self._forwarder.trouble})"
        self._reach(self._spool.sync)
        rows = self._spool.last_row - self._spool.first_row + 1
        for reply_to in self._drains:
            reply_to.tell(OutboxForwarded(spool_rows=rows, error=error))
        self._drains.clear()

    def _mark_clean(self) -> None:
        """Unless ticks are out there that the spool did not take: their numbers must not be given again."""
        if not self._unaccepted:
            self._grants.mark_clean()

    def close(self) -> None:
        redis = getattr(self, "_redis", None)
        if redis is not None:
            redis.link.close()
        spool = getattr(self, "_spool", None)
        if spool is not None:
            spool.close()


def _live(messages: Iterable[Intake]) -> list[TickColumns]:
    return [column for each in messages if isinstance(each, TicksReceived) for column in each.columns]


def _chunks(messages: Sequence[Intake], most_ticks: int) -> list[list[Intake]]:
    """Messages in runs of at most so many ticks, at least one a run."""
    chunks: list[list[Intake]] = []
    weight = 0
    for message in messages:
        if not chunks or weight + message.ticks > most_ticks:
            chunks.append([])
            weight = 0
        chunks[-1].append(message)
        weight += message.ticks
    return chunks
