"""Moves the outbox stream into the store: stream → store → ack, oldest first, one batch in flight.

Receives  TicksAccepted, FlushRequested, LinkChanged; its own timers
Sends     BatchStored, RowsQuarantined (MetricsCollector, Gateway), Flushed, OutboxLost (BufferKeeper), LinkChanged
Owns      a Redis connection (the stream, as a consumer of its group); the store; the quarantine
If it dies  nothing was acknowledged that is not stored: the next incarnation reads its own pending entries first.

Rows go in slices, pauses between them, so that no turn of it holds up the hot path for long; in catch-up, at a flush
and at stop there are none.
"""

from collections import deque
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
    StoreMisconfigured,
    StoreRefusedRows,
    StoreUnavailable,
)
from tickwire.market.backoff import Backoff
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
class NextSlice:
    """Own timer: go on with the batch under way."""

    turn: int


@dataclass(slots=True)
class _Entry:
    """An entry read from the stream and how many of its rows are not in the store yet."""

    id: str
    left: int


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
        self._rows: deque[Row] = deque()
        self._entries: deque[_Entry] = deque()
        self._done: list[str] = []
        self._running = False
        self._fast = False
        self._turn = 0
        self._pending_ticks = 0
        self._flushes: list[ReplyTo] = []
        self._flushed_rows = 0
        self._refused = 0
        self._recovered = False
        self._size = 0
        self._store_state: LinkState = "connecting"
        self._timer: Timer | None = None

    def open(self) -> None:
        self._metrics = self._context.address("metrics_collector")
        self._gateway = self._context.address("gateway")
        self._keeper = self._context.address("buffer_keeper")
        self._outbox = self._make_outbox()
        self._store = self._make_store()
        self._quarantine = self._make_quarantine()
        self._size = self._store.batch_rows
        self._outbox.link.start()
        self._try_store()
        self._context.after(self._settings.interval_s, Interval())

    def _try_store(self) -> None:
        """So that readiness is known before the first batch."""
        try:
            self._store.open()
        except StoreError as error:
            self._store_is("degraded", str(error))
        else:
            self._store_is("up", "")

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._handle(message)

    def _handle(self, message: object) -> None:
        match message:
            case TicksAccepted():
                self._on_accepted(message)
            case FlushRequested():
                self._flushes.append(message.reply_to)
                self._store.hurry()
                self._begin(fast=True)
            case Interval():
                self._context.after(self._settings.interval_s, message)
                if self._store_state == "degraded" and not self._running:
                    self._try_store()
                self._begin(fast=False)
            case NextSlice():
                if message.turn == self._turn and self._running:
                    self._go_on()
            case LinkChanged():
                self._metrics.tell(message)
                self._gateway.tell(message)
                if message.state == "up":
                    self._recovered = False
                    if self._running:
                        self._begin(fast=self._fast)
            case _:
                raise TypeError(f"BatchWriter takes no {type(message).__name__}")

    def _on_accepted(self, accepted: TicksAccepted) -> None:
        self._pending_ticks += accepted.ticks
        many = self._pending_ticks >= self._settings.early_ticks
        if many or accepted.pending_entries >= self._settings.early_entries:
            self._begin(fast=self._pending_ticks > self._settings.catch_up_rows)

    # -- one batch: read, write slice by slice, acknowledge, until nothing is left -------------------------------

    def _begin(self, *, fast: bool) -> None:
        self._fast = self._fast or fast
        if self._running and not self._fast:
            return
        self._running = True
        self._pending_ticks = 0
        self._go_on()

    def _go_on(self) -> None:
        """One slice, then a timer for the next: other messages and other actors have their turn between."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._turn += 1
        try:
            if not self._rows and not self._read():
                self._finish(None)
                return
            self._write_slice()
        except OutboxMissing as error:
            self._forget_read()
            self._keeper.tell(OutboxLost(reason=str(error)))
            self._finish("the outbox is made anew")
            return
        except StoreRefusedRows:
            raise  # bisected in _write: cannot come here
        except StoreMisconfigured as error:
            self._held_up(str(error), None)
            return
        except StoreUnavailable as error:
            if error.timed_out:
                self._size = max(self._store.slice_rows, self._size // 2)
            self._held_up(str(error), error.retry_after_s)
            return
        except PortError as error:  # Redis: its link comes up again and says so
            self._forget_read()
            self._finish(f"Redis: {error}")
            return
        self._next(self._pause())

    def _next(self, delay_s: float) -> None:
        self._timer = self._context.after(delay_s, NextSlice(self._turn))

    def _pause(self) -> float:
        """Slices are spread over at most a third of the interval; none when there is a backlog or a flush."""
        if self._fast or self._flushes:
            return 0.0
        slices = max(1, len(self._rows) // max(1, self._store.slice_rows))
        return min(0.05, self._settings.interval_s / 3 / (slices * 4))

    def _read(self) -> bool:
        """Take the next entries; whether there were any."""
        entries = self._entries_to_write()
        for entry in entries:
            try:
                rows = unpack_rows(entry.payload)
            except UnknownPacking as error:
                self._quarantine.put_raw(entry.id, entry.payload, str(error))
                _log.error("entry_quarantined", entry=entry.id, error=str(error))
                rows = []
            self._rows.extend(rows)
            self._entries.append(_Entry(entry.id, len(rows)))
        self._settle(0)
        return bool(entries)

    def _entries_to_write(self) -> Sequence[OutboxEntry]:
        limit = self._settings.read_entries
        if not self._recovered:
            last = self._entries[-1].id if self._entries else "0-0"
            entries = self._outbox.read_own_pending(last, limit)
            if not entries:
                entries = self._outbox.claim_stale(self._settings.claim_idle_s, limit)
            if entries:
                return entries
            self._recovered = True
        return self._outbox.read_new(limit)

    def _write_slice(self) -> None:
        if not self._rows:
            self._acknowledge()
            return
        size = self._size if self._fast or self._flushes else self._store.slice_rows
        rows = [self._rows[i] for i in range(min(size, len(self._rows)))]
        started = self._clock.monotonic()
        self._refused = 0
        inserted = self._write(rows)
        for _ in rows:
            self._rows.popleft()
        self._settle(len(rows))
        self._store_is("up", "")
        self._backoff.reset()
        self._size = min(self._store.batch_rows, self._size * 2)
        self._flushed_rows += len(rows)
        stored = BatchStored(
            rows=len(rows) - self._refused,
            inserted=inserted,
            seconds=self._clock.monotonic() - started,
            pending=len(self._rows),
        )
        self._metrics.tell(stored)
        self._gateway.tell(stored)

    def _write(self, rows: Sequence[Row]) -> int | None:
        """Make the rows present; bad ones are found by bisection and quarantined."""
        try:
            return self._store.write(rows)
        except StoreRefusedRows as error:
            if len(rows) == 1:
                self._quarantine.put(rows, str(error))
                self._refused += 1
                refused = RowsQuarantined(rows=1, reason=error.code)
                self._metrics.tell(refused)
                self._gateway.tell(refused)
                return 0
        middle = len(rows) // 2
        halves = [self._write(rows[:middle]), self._write(rows[middle:])]
        return sum(half for half in halves if half is not None) if None not in halves else None

    def _settle(self, written: int) -> None:
        """So many rows are in the store: entries all of whose rows are may be acknowledged."""
        while self._entries:
            first = self._entries[0]
            taken = min(first.left, written)
            first.left -= taken
            written -= taken
            if first.left:
                break
            self._done.append(self._entries.popleft().id)
        if self._done and not self._rows:
            self._acknowledge()

    def _acknowledge(self) -> None:
        done, self._done = self._done, []
        if done:
            try:
                self._outbox.acknowledge(done)
            except PortError:
                self._done = done
                raise

    def _held_up(self, reason: str, retry_after_s: float | None) -> None:
        """The same rows again, after a pause; nothing is dropped."""
        if self._store_state != "degraded":
            _log.warning("store_holds", reason=reason, rows=len(self._rows))
        self._store_is("degraded", reason)
        self._answer(reason)
        self._next(retry_after_s if retry_after_s is not None else self._backoff.next_s())

    def _forget_read(self) -> None:
        """What was read and not acknowledged will be read again."""
        self._rows.clear()
        self._entries.clear()
        self._done.clear()
        self._recovered = False

    def _finish(self, error: str | None) -> None:
        self._running = self._fast = False
        self._answer(error)

    def _answer(self, error: str | None) -> None:
        for reply_to in self._flushes:
            reply_to.tell(Flushed(rows=self._flushed_rows, error=error))
        self._flushes.clear()
        self._flushed_rows = 0

    def _store_is(self, state: LinkState, detail: str) -> None:
        if state != self._store_state:
            self._store_state = state
            change = LinkChanged(owner="batch_writer", link="store", state=state, detail=detail)
            self._metrics.tell(change)
            self._gateway.tell(change)

    def close(self) -> None:
        for name in ("_outbox", "_store", "_quarantine"):
            port = getattr(self, name, None)
            if port is not None:
                (port.link if name == "_outbox" else port).close()
