"""Moves the outbox stream into the store: stream → store → ack, oldest first, one batch in flight.

Receives  TicksAccepted, SpoolMeasured, FlushRequested, LinkChanged; its own timers
Sends     BatchStored, BacklogMeasured, RowsQuarantined (MetricsCollector, Gateway), CandlesStored (MetricsCollector),
          Flushed, OutboxLost (BufferKeeper), LinkChanged
Owns      a Redis connection (the stream, as a consumer of its group); the store; the quarantine; the ledger
If it dies  nothing was acknowledged that is not stored: the next incarnation reads its own pending entries first.

Rows go in slices, pauses between them, so that no turn of it holds up the hot path for long; in catch-up, at a flush
and at stop there are none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tickwire.actors.backlog import Backlog
from tickwire.actors.candle_shelf import CandleShelf
from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.one_timer import GoOn, OneTimer
from tickwire.actors.outbox_reader import OutboxReader
from tickwire.actors.ports import (
    Clock,
    Ledger,
    OutboxMissing,
    OutboxRedis,
    PortError,
    Quarantine,
    Store,
    StoreError,
    StoreRefusedRows,
)
from tickwire.actors.store_link import StoreLink
from tickwire.market.batching import Batch, Pace
from tickwire.market.rows import Row
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.lifecycle import Flushed, FlushRequested, LinkChanged, OutboxLost
from tickwire.messages.telemetry import BacklogMeasured, BatchStored, RowsQuarantined, SpoolMeasured
from tickwire.messages.ticks import TicksAccepted


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWriterSettings:
    interval_s: float = 30.0
    early_ticks: int = 20_000
    early_entries: int = 5_000
    """Half the forward window."""
    read_entries: int = 200
    """Entries read from the stream at once."""
    catch_up_rows: int = 20_000
    """More pending than this is a backlog: no slices, no pauses."""
    backlog_rows: int = 5_000
    """More waiting after a trouble is caught up, and said."""
    claim_idle_s: float = 60.0
    """Entries that another consumer has held for so long are taken over."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Own timer: a batch is due."""

    incarnation: int


class BatchWriter:
    def __init__(
        self,
        context: Context,
        *,
        outbox: Callable[[], OutboxRedis],
        store: Callable[[], Store],
        quarantine: Callable[[], Quarantine],
        ledger: Callable[[], Ledger],
        clock: Clock,
        random: Random,
        settings: BatchWriterSettings,
    ) -> None:
        self._context = context
        self._make_outbox = outbox
        self._make_store = store
        self._make_quarantine = quarantine
        self._make_ledger = ledger
        self._clock = clock
        self._random = random
        self._settings = settings
        self._batch = Batch()
        self._candles = CandleShelf(lambda stored: self._listeners[0].tell(stored))
        self._pace = Pace(settings.interval_s)
        self._running = self._fast = self._broken_off = False
        self._timer = OneTimer(context)
        self._backlog = Backlog(few=settings.backlog_rows, clock=clock, tell=self._tell)
        self._pending_ticks = 0
        self._flushes: list[ReplyTo] = []
        self._flushed_rows = 0
        self._closers: list[Callable[[], None]] = []

    def open(self) -> None:
        settings, context = self._settings, self._context
        self._listeners = [context.address(name) for name in ("metrics_collector", "gateway")]
        self._keeper = context.address("buffer_keeper")
        outbox = self._make_outbox()
        self._closers.append(outbox.link.close)
        self._store = StoreLink(self._make_store(), clock=self._clock, random=self._random, tell=self._tell)
        self._closers.append(self._store.close)
        self._quarantine = self._make_quarantine()
        self._closers.append(self._quarantine.close)
        ledger = self._make_ledger()
        self._closers.append(ledger.close)
        self._reader = OutboxReader(
            outbox,
            self._quarantine,
            ledger,
            self._batch,
            self._candles,
            read_entries=settings.read_entries,
            claim_idle_s=settings.claim_idle_s,
        )
        outbox.link.start()
        # The first look at the store is not here: one that stands still would hold up the start of all others.
        self._timer.set_now()
        context.after(settings.interval_s, Interval(context.incarnation))

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._handle(message)

    def _handle(self, message: object) -> None:
        match message:
            case TicksAccepted():
                self._on_accepted(message)
            case SpoolMeasured():
                self._backlog.spooled(message.spool_rows)
            case FlushRequested():
                self._on_flush(message)
            case Interval():
                if message.incarnation == self._context.incarnation:
                    self._context.after(self._settings.interval_s, message)
                    self._on_interval()
            case GoOn():
                if self._timer.due(message):
                    self._on_go_on()
            case LinkChanged():
                self._on_link(message)
            case _:
                raise TypeError(f"BatchWriter takes no {type(message).__name__}")

    def _on_interval(self) -> None:
        self._store.say_again()
        self._begin(fast=False)
        if self._broken_off and self._store.up:  # Redis gives nothing to try the store with: look whether it is there
            self._timer.set_now()

    def _on_accepted(self, accepted: TicksAccepted) -> None:
        self._pending_ticks += accepted.ticks
        self._backlog.seen(entries=accepted.rows, rows=accepted.ticks)
        many = self._pending_ticks >= self._settings.early_ticks
        if many or accepted.pending_entries >= self._settings.early_entries:
            self._begin(fast=self._pending_ticks > self._settings.catch_up_rows)

    def _on_flush(self, flush: FlushRequested) -> None:
        """Hurried, without pauses, and answered as soon as it is known that the store takes nothing now."""
        if not self._flushes:
            self._flushed_rows = 0
        self._flushes.append(flush.reply_to)
        self._store.hurry()
        self._running = self._fast = True
        if self._store.at_peace:
            self._answer(self._store.detail)
        else:
            self._go_on()

    def _on_go_on(self) -> None:
        """Go on with the batch under way, or look whether the store is back."""
        if self._running:
            self._go_on()
            return
        self._store.look()
        if not self._store.up:
            self._timer.set(self._store.retry_s)

    def _on_link(self, change: LinkChanged) -> None:
        self._tell(change)
        if change.state != "up":
            self._backlog.troubled()
        else:
            self._reader.again()
            if self._broken_off:
                self._begin(fast=False)

    # -- one batch: read, write slice by slice, acknowledge, until nothing is left -------------------------------

    def _begin(self, *, fast: bool) -> None:
        """Unless one is under way: that may be sped up, but a store that failed is left in peace until its time."""
        if self._running:
            faster, self._fast = fast and not self._fast, self._fast or fast
            if faster and not self._store.held:
                self._go_on()
            return
        self._running, self._fast = True, fast
        self._pace.begin(self._clock.monotonic(), self._pending_ticks)
        self._pending_ticks = 0
        self._go_on()

    def _go_on(self) -> None:
        """One write, then a timer for the next: other messages and other actors have their turn between."""
        self._timer.stop()
        self._broken_off = False
        try:
            if not self._batch and not self._batch.settled and not self._candles and not self._read():
                self._pending_ticks = 0
                self._finish(None)
                return
            wrote = self._write() if self._batch else self._write_candles()
            if not self._batch and not self._candles:
                self._reader.acknowledge()
        except OutboxMissing as error:
            self._keeper.tell(OutboxLost(reason=str(error)))
            self._reader.forget()
            self._finish("the outbox is made anew")
        except StoreError as error:  # the same rows again, later; nothing is dropped
            self._store.failed(error)
            self._backlog.troubled()
            self._answer(str(error))
            self._timer.set(self._store.retry_s)
        except PortError as error:  # Redis: its link comes up again and says so
            self._broken_off = True
            self._backlog.troubled()
            self._reader.forget()
            self._finish(f"Redis: {error}")
        else:
            self._timer.set(self._pause_s(wrote))

    def _read(self) -> int:
        entries = self._reader.read()
        self._backlog.seen(entries=entries, rows=len(self._batch))
        return entries

    def _write(self) -> int:
        """The next rows: stored, quarantined, or (where the store refuses several) halved. How many are dealt with."""
        rows = self._batch.head(self._store.most(fast=self._fast))
        if not rows:
            return 0
        self._context.fence.check()
        started = self._clock.monotonic()
        try:
            inserted = self._store.write(rows)
        except StoreRefusedRows as error:
            return self._refused(rows, error)
        self._batch.done(len(rows))
        self._flushed_rows += len(rows)
        self._backlog.stored(len(rows))
        seconds = self._clock.monotonic() - started
        assets = frozenset(row.pair for row in rows)
        pending = len(self._batch)
        self._tell(BatchStored(rows=len(rows), inserted=inserted, seconds=seconds, pending=pending, assets=assets))
        return len(rows)

    def _write_candles(self) -> int:
        """The next candles, behind all ticks: entries are acknowledged once they are dealt with."""
        self._context.fence.check()
        return self._candles.write(self._store, self._store.most(fast=self._fast))

    def _refused(self, rows: Sequence[Row], error: StoreRefusedRows) -> int:
        if len(rows) > 1:
            self._batch.split(len(rows))
            return 0
        self._quarantine.put(rows, str(error))
        self._batch.quarantined()
        self._tell(RowsQuarantined(rows=1, reason=error.code))
        return 1

    def _pause_s(self, wrote: int) -> float:
        if self._fast:
            return 0.0
        now, waiting = self._clock.monotonic(), len(self._batch)
        return self._pace.pause_s(now, wrote=wrote, waiting=waiting, slice_rows=self._store.slice_rows)

    def _finish(self, error: str | None) -> None:
        self._running = self._fast = False
        self._answer(error)
        if not self._store.up:
            self._timer.set(self._store.retry_s)

    def _answer(self, error: str | None) -> None:
        for reply_to in self._flushes:
            reply_to.tell(Flushed(rows=self._flushed_rows, error=error))
        self._flushes.clear()

    def _tell(self, message: BatchStored | BacklogMeasured | RowsQuarantined | LinkChanged) -> None:
        for listener in self._listeners:
            listener.tell(message)

    def close(self) -> None:
        while self._closers:
            self._closers.pop()()
