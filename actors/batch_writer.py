"""Moves the outbox stream into the store: stream → store → ack, oldest first, one batch in flight.

Receives  TicksAccepted, FlushRequested, LinkChanged; its own timers
Sends     BatchStored, RowsQuarantined (MetricsCollector, Gateway), Flushed, OutboxLost (BufferKeeper), LinkChanged
Owns      a Redis connection (the stream, as a consumer of its group); the store; the quarantine
If it dies  nothing was acknowledged that is not stored: the next incarnation reads its own pending entries first.

Rows go in slices, pauses between them, so that no turn of it holds up the hot path for long; in catch-up, at a flush
and at stop there are none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import structlog

from tickwire.actors.kernel.behaviour import Context, Timer
from tickwire.actors.ports import (
    Clock,
    OutboxEntry,
    OutboxMissing,
    OutboxRedis,
    PortError,
    Quarantine,
    Store,
    StoreError,
    StoreRefusedRows,
    StoreUnavailable,
)
from tickwire.market.backoff import Backoff
from tickwire.market.batching import Batch, Pace
from tickwire.market.packing import UnknownPacking, unpack_rows
from tickwire.market.rows import Row
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.lifecycle import Flushed, FlushRequested, LinkChanged, LinkState, OutboxLost
from tickwire.messages.telemetry import BatchStored, RowsQuarantined
from tickwire.messages.ticks import TicksAccepted

_log = structlog.get_logger("tickwire.batch_writer")


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
    claim_idle_s: float = 60.0
    """Entries that another consumer has held for so long are taken over."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Own timer: a batch is due."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Own timer: go on with the batch under way, or look whether the store is back."""

    turn: int


class BatchWriter:
    def __init__(
        self,
        context: Context,
        *,
        outbox: Callable[[], OutboxRedis],
        store: Callable[[], Store],
        quarantine: Callable[[], Quarantine],
        clock: Clock,
        random: Random,
        settings: BatchWriterSettings,
    ) -> None:
        self._context = context
        self._make_outbox = outbox
        self._make_store = store
        self._make_quarantine = quarantine
        self._clock = clock
        self._settings = settings
        self._backoff = Backoff(min_s=0.5, max_s=30.0, random=random)
        self._pace = Pace(settings.interval_s)
        self._batch = Batch()
        self._running = self._fast = self._held = self._broken_off = self._recovered = False
        self._not_before = 0.0
        """The store asked for peace until then (monotonic)."""
        self._size = 0
        self._turn = 0
        self._pending_ticks = 0
        self._flushes: list[ReplyTo] = []
        self._flushed_rows = 0
        self._store_state: tuple[LinkState, str] = ("connecting", "")
        self._timer: Timer | None = None
        self._closers: list[Callable[[], None]] = []

    def open(self) -> None:
        self._listeners = [self._context.address(name) for name in ("metrics_collector", "gateway")]
        self._keeper = self._context.address("buffer_keeper")
        self._outbox = self._make_outbox()
        self._closers.append(self._outbox.link.close)
        self._store = self._make_store()
        self._closers.append(self._store.close)
        self._quarantine = self._make_quarantine()
        self._closers.append(self._quarantine.close)
        self._size = self._store.batch_rows
        self._outbox.link.start()
        # Not here: a store that stands still would hold up the start of all others.
        self._context.me.tell(GoOn(self._turn))
        self._context.after(self._settings.interval_s, Interval())

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._handle(message)

    def _handle(self, message: object) -> None:
        match message:
            case TicksAccepted():
                self._on_accepted(message)
            case FlushRequested():
                self._on_flush(message)
            case Interval():
                self._context.after(self._settings.interval_s, message)
                self._tell_store_state()  # again: who was restarted since has not heard it
                self._begin(fast=False)
            case GoOn():
                if message.turn == self._turn:
                    self._go_on() if self._running else self._look_for_store()
            case LinkChanged():
                self._on_link(message)
            case _:
                raise TypeError(f"BatchWriter takes no {type(message).__name__}")

    def _on_accepted(self, accepted: TicksAccepted) -> None:
        self._pending_ticks += accepted.ticks
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
        if self._clock.monotonic() < self._not_before:
            self._answer(self._store_state[1])
        else:
            self._go_on()

    def _on_link(self, change: LinkChanged) -> None:
        for listener in self._listeners:
            listener.tell(change)
        if change.state == "up":
            self._recovered = False
            if self._broken_off:
                self._begin(fast=self._fast)

    # -- one batch: read, write slice by slice, acknowledge, until nothing is left -------------------------------

    def _begin(self, *, fast: bool) -> None:
        """Unless one is under way. A backlog ends its pauses, but not the peace that a failing store is left in."""
        self._fast = self._fast or fast
        if self._running and (self._held or not self._fast):
            return
        self._running = True
        self._pace.begin(self._clock.monotonic(), self._pending_ticks)
        self._pending_ticks = 0
        self._go_on()

    def _go_on(self) -> None:
        """One write, then a timer for the next: other messages and other actors have their turn between."""
        self._stop_timer()
        self._broken_off = False
        try:
            if not self._batch and not self._read():
                self._finish(None)
                return
            wrote = self._write()
        except OutboxMissing as error:
            self._keeper.tell(OutboxLost(reason=str(error)))
            self._break_off("the outbox is made anew")
        except StoreError as error:
            self._hold_up(error)
        except PortError as error:  # Redis: its link comes up again and says so
            self._broken_off = True
            self._break_off(f"Redis: {error}")
        else:
            self._held = False
            self._wait(self._pause_s(wrote))

    def _pause_s(self, wrote: int) -> float:
        if self._fast:
            return 0.0
        slice_rows = self._store.slice_rows
        return self._pace.pause_s(self._clock.monotonic(), wrote=wrote, waiting=len(self._batch), slice_rows=slice_rows)

    def _read(self) -> bool:
        """Take the next entries; whether there were any."""
        entries = self._entries_to_write()
        unpacked = [(entry.id, self._unpack(entry)) for entry in entries]
        for entry_id, rows in unpacked:
            self._batch.add(entry_id, rows)
        return bool(entries)

    def _unpack(self, entry: OutboxEntry) -> Sequence[Row]:
        try:
            return unpack_rows(entry.payload)
        except UnknownPacking as error:
            _log.error("entry_quarantined", entry=entry.id, error=str(error))
            try:
                self._quarantine.put_raw(entry.id, entry.payload, str(error))
            except PortError:
                self._recovered = False  # what was read with it is read again
                raise
            return []

    def _entries_to_write(self) -> Sequence[OutboxEntry]:
        limit = self._settings.read_entries
        if not self._recovered:
            entries = self._outbox.read_own_pending("0-0", limit)
            if not entries:
                entries = self._outbox.claim_stale(self._settings.claim_idle_s, limit)
            if entries:
                return entries
            self._outbox.settle()
            self._recovered = True
        return self._outbox.read_new(limit)

    def _write(self) -> int:
        """The next rows: stored, quarantined, or (where the store refuses several) halved. How many are dealt with."""
        rows = self._batch.head(self._size if self._fast else min(self._size, self._store.slice_rows))
        dealt = len(rows)
        if rows:
            self._context.fence.check()
            try:
                self._store_rows(rows)
            except StoreRefusedRows as error:
                dealt = self._refuse(rows, error)
            self._store_is("up", "")
            self._backoff.reset()
        if not self._batch:
            self._acknowledge()
        return dealt

    def _store_rows(self, rows: Sequence[Row]) -> None:
        started = self._clock.monotonic()
        inserted = self._store.write(rows)
        self._batch.done(len(rows))
        self._size = min(self._store.batch_rows, self._size * 2)
        self._flushed_rows += len(rows)
        seconds = self._clock.monotonic() - started
        self._tell(BatchStored(rows=len(rows), inserted=inserted, seconds=seconds, pending=len(self._batch)))

    def _refuse(self, rows: Sequence[Row], error: StoreRefusedRows) -> int:
        if len(rows) > 1:
            self._batch.split(len(rows))
            return 0
        self._quarantine.put(rows, str(error))
        self._batch.done(1)
        self._tell(RowsQuarantined(rows=1, reason=error.code))
        return 1

    def _acknowledge(self) -> None:
        if self._batch.settled:
            self._outbox.acknowledge(self._batch.settled)
            self._batch.acknowledged()

    # -- when it can't go on -------------------------------------------------------------------------------------

    def _hold_up(self, error: StoreError) -> None:
        """The same rows again, after a pause; nothing is dropped."""
        self._held = True
        if isinstance(error, StoreUnavailable) and error.timed_out:
            self._size = max(1, self._size // 2)
        self._degrade(error)
        self._answer(str(error))

    def _look_for_store(self) -> None:
        """With nothing to write: so that its state is known all the same."""
        try:
            self._store.open()
        except StoreError as error:
            self._degrade(error)
        else:
            self._store_is("up", "")
            self._backoff.reset()

    def _degrade(self, error: StoreError) -> None:
        asked_s = error.retry_after_s if isinstance(error, StoreUnavailable) else None
        if asked_s is not None:
            self._not_before = self._clock.monotonic() + asked_s
        self._store_is("degraded", str(error))
        self._wait(asked_s if asked_s is not None else self._backoff.next_s())

    def _break_off(self, error: str) -> None:
        """What was read and not acknowledged will be read again."""
        self._batch.clear()
        self._recovered = False
        self._finish(error)

    def _finish(self, error: str | None) -> None:
        self._running = self._fast = self._held = False
        self._answer(error)
        if self._store_state[0] == "degraded":
            self._wait(self._backoff.next_s())

    def _answer(self, error: str | None) -> None:
        for reply_to in self._flushes:
            reply_to.tell(Flushed(rows=self._flushed_rows, error=error))
        self._flushes.clear()

    def _wait(self, delay_s: float) -> None:
        self._stop_timer()
        self._timer = self._context.after(delay_s, GoOn(self._turn))

    def _stop_timer(self) -> None:
        """Its message may be in the mailbox already: that is of an old turn then."""
        self._turn += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- telling -------------------------------------------------------------------------------------------------

    def _store_is(self, state: LinkState, detail: str) -> None:
        if (state, detail) == self._store_state:
            return
        self._store_state = (state, detail)
        if state == "degraded":
            _log.warning("store_holds", reason=detail, rows=len(self._batch))
        self._tell_store_state()

    def _tell_store_state(self) -> None:
        state, detail = self._store_state
        self._tell(LinkChanged(owner="batch_writer", link="store", state=state, detail=detail))

    def _tell(self, message: BatchStored | RowsQuarantined | LinkChanged) -> None:
        for listener in self._listeners:
            listener.tell(message)

    def close(self) -> None:
        while self._closers:
            self._closers.pop()()
