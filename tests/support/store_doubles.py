"""A store in memory, for tests of actors: one `MemoryTable`, a `MemoryStore` for each who opens it, faults at will.

    table = MemoryTable()
    store = table.store()
    table.refuse_pair("BAD")              # a constraint of the table's own
    table.fail(StoreUnavailable("…"))     # every call, until fail(None)
    table.fail_next(StoreUnavailable("…"), commit=True)     # the next write is carried out, its answer is lost

It passes the same contract suite as the adapters on real servers (`tests/contract/test_stores.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tickwire.actors.ports import StoreError, StoreRefusedRows
from tickwire.market.candle_rows import CandleRow, worth
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.runtime.stores.candle_table import fit
from tickwire.runtime.stores.prices import plain
from tickwire.runtime.stores.table import BAD_VALUE, first_fault

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class OldRow:
    """What an old writer inserts."""

    pair: str
    price: str
    timestamp: int


@dataclass
class MemoryTable:
    """The table and its server. Everything is public."""

    rows: list[Row | OldRow] = field(default_factory=list)
    """In the order they were inserted."""
    writes: list[int] = field(default_factory=list)
    """Rows of each write that was asked for, failed ones too."""
    kept: dict[tuple[str, str, int], CandleRow] = field(default_factory=dict)
    """Candles by asset, timeframe, opening second."""
    candle_writes: list[int] = field(default_factory=list)
    candle_fault: StoreError | None = None
    """Of calls about candles alone."""
    opened: int = 0
    slice_rows: int = 50
    batch_rows: int = 5000
    refused_pairs: set[str] = field(default_factory=set)
    fault: StoreError | None = None
    next_faults: list[tuple[StoreError, bool]] = field(default_factory=list)
    stores: list["MemoryStore"] = field(default_factory=list)

    def store(self) -> "MemoryStore":
        self.stores.append(MemoryStore(self))
        return self.stores[-1]

    @property
    def uids(self) -> list[str]:
        return [row.uid for row in self.rows if isinstance(row, Row)]

    def refuse_pair(self, pair: str) -> None:
        self.refused_pairs.add(pair)

    def fail(self, error: StoreError | None) -> None:
        self.fault = error

    def fail_next(self, error: StoreError, *, commit: bool = False) -> None:
        self.next_faults.append((error, commit))


class MemoryStore:
    """`Store` on a MemoryTable."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table
        self.slice_rows = table.slice_rows
        self.batch_rows = table.batch_rows
        self.hurried = False
        self.closed = False

    def open(self) -> None:
        self._table.opened += 1
        self._answer()

    def write(self, rows: Sequence[Row]) -> int | None:
        self._table.writes.append(len(rows))
        self._answer()
        fault, commit = self._table.next_faults.pop(0) if self._table.next_faults else (None, True)
        new = self._insert(rows) if commit else 0
        if fault is not None:
            raise fault
        return new

    def _insert(self, rows: Sequence[Row]) -> int:
        bad = first_fault(rows)
        if bad is not None:
            raise StoreRefusedRows(BAD_VALUE, bad)
        if any(row.pair in self._table.refused_pairs for row in rows):
            raise StoreRefusedRows("23514", "the table's own constraint")
        there = set(self._table.uids)
        new = {row.uid: row for row in reversed(rows) if row.uid not in there}
        self._table.rows += reversed(new.values())
        return len(new)

    def ticks(self, pair: str, from_us: int, to_us: int, limit: int) -> Sequence[tuple[int, str]]:
        self._answer()
        found = [
            (_stamp(row), place, plain(row.price)) for place, row in enumerate(self._table.rows) if row.pair == pair
        ]
        newest = sorted(each for each in found if from_us <= each[0] < to_us)[-limit:]
        return [(ts_us, price) for ts_us, _, price in newest]

    def newest_ts_us(self, pair: str) -> int | None:
        self._answer()
        return max((_stamp(row) for row in self._table.rows if row.pair == pair), default=None)

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        self._table.candle_writes.append(len(rows))
        self._answer_candles()
        best = fit(rows)
        if any(row.asset in self._table.refused_pairs for row in best):
            raise StoreRefusedRows("23514", "the table's own constraint")
        kept, better = self._table.kept, 0
        for row in best:
            if row.key not in kept or worth(row.candle) > worth(kept[row.key].candle):
                kept[row.key] = row
                better += 1
        return better

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        self._answer_candles()
        kept = sorted(key for key in self._table.kept if key[:2] == (asset, timeframe) and from_ts <= key[2] < until_ts)
        return [self._table.kept[key].candle for key in kept[-limit:]] if limit else []

    def _answer_candles(self) -> None:
        self._answer()
        if self._table.candle_fault is not None:
            raise self._table.candle_fault

    def hurry(self, hurried: bool) -> None:
        self.hurried = hurried

    def close(self) -> None:
        self.closed = True

    def _answer(self) -> None:
        if self._table.fault is not None:
            raise self._table.fault


def _stamp(row: Row | OldRow) -> int:
    return row.ts_us if isinstance(row, Row) else row.timestamp * SECOND_US
