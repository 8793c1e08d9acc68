"""The table `historical_ticks`, as every store has it."""

from collections.abc import Collection

from tickwire.market.rows import Row

TABLE = "historical_ticks"
QUFLX_COLUMNS = ("id", "pair", "price", "timestamp", "created_at")
OWN_COLUMNS = ("tick_uid", "ts_us", "recv_us", "source")
UID_INDEX = "historical_ticks_uid"

SECOND_US = 1_000_000

Values = tuple[str, str, str, int, int, int, str]


def values(row: Row) -> Values:
    """A row in the order of every insert: tick_uid, pair, price, timestamp, ts_us, recv_us, source."""
    return row.uid, row.pair, row.price, row.ts_us // SECOND_US, row.ts_us, row.recv_us, row.source


def missing_columns(present: Collection[str]) -> list[str]:
    """Columns that the table lacks, QuFLX's first."""
    return [name for name in (*QUFLX_COLUMNS, *OWN_COLUMNS) if name not in present]
