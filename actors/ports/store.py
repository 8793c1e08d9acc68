"""The durable target, what is kept beside it, and who reads it."""

from collections.abc import Sequence
from typing import Protocol

from tickwire.market.candle_rows import CandleRow
from tickwire.market.ledger import EntryPostings
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.messages.history import StoreQuestion


class Store(Protocol):
    """The durable target. Calls take at most 10 s (4 s while hurried, see `hurry`), then raise StoreUnavailable."""

    slice_rows: int
    """Rows a call should take when spread (SQLite 50: a long turn would hold up the hot path)."""
    batch_rows: int
    """Rows a call may take when catching up."""

    def open(self) -> None:
        """Connect, check the schema. Raises StoreUnavailable or StoreMisconfigured; may be called again."""

    def write(self, rows: Sequence[Row]) -> int | None:
        """Make all rows present, atomically; a row whose uid is there already is left alone.

        Returns how many were new, None where the store doesn't tell. Raises a StoreError; then either all
        rows are present or (as far as is known) none.
        """

    def ticks(
        self, pair: str, from_us: int, to_us: int, limit: int
    ) -> Sequence[tuple[int, str]]:  # (ts_us, price text)
        """Ticks with from_us <= ts_us < to_us, ascending by (ts_us, insertion), at most the newest `limit`.

        Rows of old writers have no ts_us: their whole second counts.
        """

    def newest_ts_us(self, pair: str) -> int | None:
        """The newest tick's stamp of an asset, None if it has none."""

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        """Make all candles present, atomically; of two states of one candle the better known stays.

        Which is better says `market.candle_rows.worth`: so an older state that comes again never replaces a newer.
        Returns how many were new or better, None where the store doesn't tell. Raises as `write` does; a store that
        has no table of candles is StoreMisconfigured.
        """

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        """Closed candles with from_ts <= timestamp < until_ts (seconds UTC), ascending, at most the newest `limit`.

        Raises as `ticks` does; a store that has no table of candles is StoreMisconfigured.
        """

    def hurry(self, hurried: bool) -> None:
        """Whether calls from now on take at most 4 s, because somebody waits for them, or 10 s."""

    def close(self) -> None: ...


class Quarantine(Protocol):
    """Rows that the store refused, kept in the data directory with the reason. Durable when `put` returns.

    Raises StoreUnavailable where its disk takes nothing: the batch waits, as for the store.
    """

    def put(self, rows: Sequence[Row], reason: str) -> None: ...

    def put_raw(self, entry_id: str, payload: bytes, reason: str) -> None:
        """An outbox entry that can't be unpacked."""

    def close(self) -> None: ...


class Ledger(Protocol):
    """What became of every tick, in the data directory. Durable when `post` returns.

    Raises StoreUnavailable where its disk takes nothing: the acknowledgement waits, as for the store.
    """

    def post(self, entries: Sequence[EntryPostings]) -> None:
        """Add what these entries of the spool come to; one that was added before changes nothing."""

    def close(self) -> None: ...


class HistoryReader(Protocol):
    """Reads candles out of the store on a thread of its own, which runs from when it is made.

    It tells its actor one HistoryLoaded or TicksLoaded a question, and ReaderEnded if the thread ends by itself.
    """

    def read(self, question: StoreQuestion) -> None:
        """Ask; never blocks. Questions are answered side by side: a short one does not wait for a long one."""

    def close(self) -> None:
        """End without waiting for a call under way; what it would still tell is not told. Idempotent."""


class CandleSource(Protocol):
    """Reads out of the store, on a thread of its own, what an earlier run has left there; nobody waits for it.

    It tells its actor CandlesRestored or TicksRestored, or nothing where there is nothing or the store can't be asked.
    """

    def candles(self, asset: str, timeframe: str, limit: int) -> None:
        """Ask for the last candles; never blocks."""

    def ticks(self, asset: str, from_us: int, until_us: int) -> None:
        """Ask for the ticks with from_us <= ts_us < until_us; never blocks."""

    def close(self) -> None:
        """End without waiting for a call under way; what it would still tell is not told. Idempotent."""
