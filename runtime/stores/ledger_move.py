"""The ledger after a retry: what was quarantined is stored.

Both figures change in one transaction, after the rows have left the quarantine: broken off before it, the account still
balances and calls them quarantined.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.ledger import minute_of
from tickwire.market.rows import Row

WAIT_S = 10.0
DAY_S = 86_400

_HERE = Path(__file__).parent
_LEAVE = (_HERE / "ledger_unquarantined.sql").read_text()
_STORED = (_HERE / "ledger_stored.sql").read_text()


def move_to_stored(ledger: Path, rows: Iterable[Row]) -> None:
    """Rows that were quarantined and are stored now. Raises StoreUnavailable; no ledger is no error."""
    if not ledger.exists():
        return
    figures = Counter((row.pair, minute_of(row.recv_us)) for row in rows)
    try:
        address = f"{ledger.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT_S)) as db:
            db.execute("begin immediate")
            for (asset, minute), count in figures.items():
                _move(db, asset, minute, count)
            db.execute("commit")
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"ledger {ledger}: {error}; the rows are stored, tickwire audit goes on to call them quarantined"
        ) from error


def _move(db: sqlite3.Connection, asset: str, minute: int, count: int) -> None:
    for place in (minute, minute // DAY_S * DAY_S):
        moved = {"asset": asset, "minute": place, "count": count}
        if db.execute(_LEAVE, moved).rowcount:
            db.execute(_STORED, moved)
            return
