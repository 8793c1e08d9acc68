"""Rows that the store refused: one SQLite file in the data directory, durable before they are acknowledged."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.rows import Row
from tickwire.runtime.stores.mending import first_value, is_damage, mend, readable

CHECK_S = 2.0
"""For the look whether the file is damaged."""

_HERE = Path(__file__).parent
_SCHEMA = (_HERE / "quarantine.sql").read_text()
_PUT_ROW = (_HERE / "quarantine_row.sql").read_text()
_PUT_ENTRY = (_HERE / "quarantine_entry.sql").read_text()
_ROWS = (_HERE / "quarantine_rows.sql").read_text()
_KEEP = (_HERE / "quarantine_keep.sql").read_text()


class SqliteQuarantine:
    """`actors.ports.Quarantine`. The same row or entry put again is kept once.

    Raises StoreUnavailable where the disk takes nothing: what can't be quarantined waits, like what can't be stored.
    A damaged file is set aside when it is opened, also after a call that found it out; what can be read is taken over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None
        with suppress(StoreUnavailable), self._db():  # a full disk must not keep its owner from starting
            pass

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._opened is None:
                self._opened = self._open()
            yield self._opened
        except sqlite3.Error as error:
            if is_damage(error):
                self.close()
                raise StoreUnavailable(f"quarantine {self._path}: {error}; it is set aside at the next try") from error
            raise StoreUnavailable(f"quarantine {self._path}: {error}; make room on its disk") from error
        except OSError as error:
            raise StoreUnavailable(f"quarantine {self._path}: {error}; let this user write there") from error

    def _open(self) -> sqlite3.Connection:
        mend(self._path, _SCHEMA, _take_over, within_s=CHECK_S)
        db = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
        try:
            db.execute("pragma journal_mode=wal")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def put(self, rows: Sequence[Row], reason: str) -> None:
        with self._db() as db:
            db.executemany(_PUT_ROW, [(reason, r.uid, r.pair, r.price, r.ts_us, r.recv_us, r.source) for r in rows])

    def put_raw(self, entry_id: str, payload: bytes, reason: str) -> None:
        with self._db() as db:
            db.execute(_PUT_ENTRY, (reason, entry_id, payload))

    def close(self) -> None:
        db, self._opened = self._opened, None
        if db is not None:
            db.close()


def _take_over(damaged: sqlite3.Connection, fresh: sqlite3.Connection) -> Mapping[str, object]:
    last = first_value(damaged, "select max(id) from quarantine")
    kept = fresh.executemany(_KEEP, readable(damaged, _ROWS, last)).rowcount
    return {"rows_taken_over": kept}
