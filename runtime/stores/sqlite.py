"""The default store: one SQLite file. It migrates itself."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tickwire.actors.ports import StoreMisconfigured, StoreUnavailable
from tickwire.market.rows import Row

_SCHEMA = Path(__file__).with_name("sqlite.sql")
_COLUMNS = {"tick_uid": "text", "ts_us": "integer", "recv_us": "integer", "source": "text"}
_INSERT = (
    "insert or ignore into historical_ticks (pair, price, timestamp, tick_uid, ts_us, recv_us, source)"
    " values (?, ?, ?, ?, ?, ?, ?)"
)


class SqliteStore:
    slice_rows = 50
    batch_rows = 5000

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        if self._db is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=normal")
            present = {row[1] for row in db.execute("pragma table_info(historical_ticks)")}
            for name, kind in _COLUMNS.items():
                if present and name not in present:
                    db.execute(f"alter table historical_ticks add column {name} {kind}")
            db.executescript(_SCHEMA.read_text())
            db.execute("create unique index if not exists historical_ticks_uid on historical_ticks (tick_uid)")
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise StoreUnavailable(f"{self._path}: {error}") from error
            raise StoreMisconfigured(f"{self._path} is no SQLite database ({error}); name another file") from error
        self._db = db

    def write(self, rows: Sequence[Row]) -> int | None:
        db = self._opened()
        values = [(r.pair, r.price, r.ts_us // 1_000_000, r.uid, r.ts_us, r.recv_us, r.source) for r in rows]
        before = db.total_changes
        try:
            db.execute("begin immediate")
            db.executemany(_INSERT, values)
            db.execute("commit")
        except sqlite3.OperationalError as error:
            if db.in_transaction:
                db.execute("rollback")
            raise StoreUnavailable(f"{self._path}: {error}") from error
        return db.total_changes - before

    def ticks(self, pair: str, from_us: int, to_us: int, limit: int) -> Sequence[tuple[int, str]]:
        found = self._opened().execute(
            "select coalesce(ts_us, timestamp * 1000000) as at, price from historical_ticks"
            " where pair = ? and timestamp >= ? and timestamp <= ? order by at desc, id desc limit ?",
            (pair, from_us // 1_000_000, to_us // 1_000_000, limit),
        )
        return [(at, str(price)) for at, price in reversed(found.fetchall()) if from_us <= at < to_us]

    def newest_ts_us(self, pair: str) -> int | None:
        found = self._opened().execute(
            "select max(coalesce(ts_us, timestamp * 1000000)) from historical_ticks where pair = ?", (pair,)
        )
        newest: int | None = found.fetchone()[0]
        return newest

    def hurry(self) -> None:
        pass

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self.open()
        assert self._db is not None
        return self._db
