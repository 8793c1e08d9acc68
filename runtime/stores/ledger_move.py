"""The ledger after a retry or a drop: what was quarantined is stored, or lost.

Both figures change in one transaction, after the rows have left the quarantine: broken off before it, the account still
balances and calls them quarantined.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.ledger import Fate, minute_of
from tickwire.market.rows import Row

DROPPED = "quarantine: dropped by hand"
WAIT_S = 10.0
DAY_S = 86_400

_HERE = Path(__file__).parent
_LEAVE = (_HERE / "ledger_unquarantined.sql").read_text()
_ARRIVE = (_HERE / "ledger_arrived.sql").read_text()


def move_to_stored(ledger: Path, rows: Iterable[Row]) -> None:
    """Rows that were quarantined and are stored now. Raises StoreUnavailable; no ledger is no error."""
    _move(ledger, rows, "stored", "")


def move_to_lost(ledger: Path, rows: Iterable[Row]) -> None:
    """Rows that were quarantined and have been dropped. Raises StoreUnavailable; no ledger is no error."""
    _move(ledger, rows, "lost", DROPPED)


def _move(ledger: Path, rows: Iterable[Row], fate: Fate, reason: str) -> None:
    figures = Counter((row.pair, minute_of(row.recv_us)) for row in rows)
    if not figures or not ledger.exists():
        return
    try:
        address = f"{ledger.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT_S)) as db:
            db.execute("begin immediate")
            for (asset, minute), count in figures.items():
                _move_minute(db, {"asset": asset, "count": count, "fate": fate, "reason": reason}, minute)
            db.execute("commit")
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"ledger {ledger}: {error}; the rows are {fate}, tickwire audit goes on to call them quarantined"
        ) from error


def _move_minute(db: sqlite3.Connection, moved: dict[str, object], minute: int) -> None:
    for place in (minute, minute // DAY_S * DAY_S):
        if db.execute(_LEAVE, {**moved, "minute": place}).rowcount:
            db.execute(_ARRIVE, {**moved, "minute": place})
            return
