"""The table `historical_ticks`, as every store has it: its columns, and what it takes."""

import re
from collections.abc import Collection

from tickwire.market.rows import Row

TABLE = "historical_ticks"
QUFLX_COLUMNS = ("id", "pair", "price", "timestamp", "created_at")
OWN_COLUMNS = ("tick_uid", "ts_us", "recv_us", "source")
WRITTEN = ("tick_uid", "pair", "price", "timestamp", "ts_us", "recv_us", "source")
UID_INDEX = "historical_ticks_uid"

SECOND_US = 1_000_000
MOST_PAIR = 20
BAD_VALUE = "value"
"""The code of rows that are refused before the store is asked."""

_PRICE = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10})?", re.ASCII)
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_BIGINT = range(-(2**63), 2**63)

Values = tuple[str, str, str, int, int, int, str]


def values(row: Row) -> Values:
    """A row in the order of WRITTEN."""
    return row.uid, row.pair, row.price, row.ts_us // SECOND_US, row.ts_us, row.recv_us, row.source


def missing_columns(present: Collection[str]) -> list[str]:
    """Columns that the table lacks, QuFLX's first."""
    return [name for name in (*QUFLX_COLUMNS, *OWN_COLUMNS) if name not in present]


def fault(row: Row) -> str | None:
    """What is wrong with a row, None where nothing is: the same for every store.

    Asked before the store is, because not every one would say it: SQLite takes anything, Postgres rounds a price of
    more than ten decimals without a word.
    """
    if not isinstance(row.uid, str) or not _UID.fullmatch(row.uid):
        return f"tick_uid {row.uid!r} is no UUID"
    if not isinstance(row.pair, str) or not 0 < len(row.pair) <= MOST_PAIR or not row.pair.isprintable():
        return f"pair {row.pair!r} has not 1 to {MOST_PAIR} printable characters"
    if not isinstance(row.price, str) or not _PRICE.fullmatch(row.price) or not row.price.strip("0."):
        return f"price {row.price!r} is no decimal above 0 and below 1e10 with at most 10 decimals"
    for name, stamp in (("ts_us", row.ts_us), ("recv_us", row.recv_us)):
        if type(stamp) is not int or stamp not in _BIGINT:
            return f"{name} {stamp!r} is no whole number of 64 bits"
    if not isinstance(row.source, str) or not row.source.isprintable():
        return f"source {row.source!r} has characters that do not print"
    return None


def first_fault(rows: Collection[Row]) -> str | None:
    """The first fault among rows."""
    return next(filter(None, map(fault, rows)), None)
