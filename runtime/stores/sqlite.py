"""The store as one SQLite file, shared with readers: write-ahead log, synchronous NORMAL. It migrates itself.

NORMAL survives the end of the process, SIGKILL included; a loss of power may take the last transactions.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.runtime.stores.candle_table import CANDLES, candle_values, fit, stored_candle, within_time
from tickwire.runtime.stores.limits import Limits
from tickwire.runtime.stores.prices import plain
from tickwire.runtime.stores.table import (
    BAD_VALUE,
    OWN_COLUMNS,
    QUFLX_COLUMNS,
    TABLE,
    UID_INDEX,
    first_fault,
    values,
)

_HERE = Path(__file__).parent
_CREATE = (_HERE / "sqlite_table.sql").read_text()
_INSERT = (_HERE / "sqlite_insert.sql").read_text()
_TICKS = (_HERE / "sqlite_ticks.sql").read_text()
_NEWEST = (_HERE / "sqlite_newest.sql").read_text()
_CREATE_CANDLES = (_HERE / "sqlite_candles_table.sql").read_text()
_UPSERT_CANDLES = (_HERE / "sqlite_candles.sql").read_text()
_CANDLES = (_HERE / "sqlite_candles_read.sql").read_text()

_TYPES = {"tick_uid": "text", "ts_us": "integer", "recv_us": "integer", "source": "text"}
_WAIT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_INTERRUPT")
"""Over by themselves, or once somebody makes room: the same rows again."""


class SqliteStore:
    """`actors.ports.Store` in one file."""

    slice_rows = 50
    batch_rows = 5000

    def __init__(self, path: Path, *, limits: Limits | None = None) -> None:
        self._path = path
        self._limits = limits or Limits()
        self._wait_s = self._limits.call_s
        self._db: sqlite3.Connection | None = None
        self.migrated: list[str] = []
        """What opening changed in the file: names of columns and indexes, TABLE where it was made."""

    def open(self) -> None:
        try:
            self._connected()
        except sqlite3.Error as error:
            self.close()
            raise self._explain(error) from error

    def write(self, rows: Sequence[Row]) -> int | None:
        rejected = first_fault(rows)
        if rejected is not None:
            raise StoreRefusedRows(BAD_VALUE, rejected)
        try:
            return self._put(_INSERT, map(values, rows))
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _put(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        db = self._connected()
        before = db.total_changes
        db.execute("begin immediate")
        try:
            db.executemany(statement, rows)
            db.execute("commit")
        finally:
            if db.in_transaction:  # an error: SQLite rolls back by itself after some of them, not after all
                db.execute("rollback")
        return db.total_changes - before

    def ticks(self, pair: str, from_us: int, to_us: int, limit: int) -> Sequence[tuple[int, str]]:
        asked = {"pair": pair, "from_us": from_us, "to_us": to_us, "limit": limit}
        try:
            newest_first = self._connected().execute(_TICKS, asked).fetchall()
        except sqlite3.Error as error:
            raise self._explain(error) from error
        return [(ts_us, plain(price)) for ts_us, price in reversed(newest_first)]

    def newest_ts_us(self, pair: str) -> int | None:
        try:
            found = self._connected().execute(_NEWEST, {"pair": pair}).fetchone()
        except sqlite3.Error as error:
            raise self._explain(error) from error
        return None if found is None else found[0]

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        kept = fit(rows)
        try:
            return self._put(_UPSERT_CANDLES, map(candle_values, kept))
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        since, until = within_time(from_ts, until_ts)
        asked = {"asset": asset, "timeframe": timeframe, "from_ts": since, "until_ts": until, "limit": limit}
        try:
            cursor = self._connected().execute(_CANDLES, asked)
            names = [name for name, *_ in cursor.description]
            newest_first = [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise self._explain(error) from error
        return [stored_candle(row, timeframe) for row in reversed(newest_first)]

    def hurry(self, hurried: bool) -> None:
        self._wait_s = self._limits.hurried_s if hurried else self._limits.call_s
        if self._db is not None:
            self._db.execute(f"pragma busy_timeout = {int(self._wait_s * 1000)}")

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    # -- the file

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            # Any one thread at a time: whoever opens a store for reading may close it from another.
            db = sqlite3.connect(self._path, isolation_level=None, timeout=self._wait_s, check_same_thread=False)
            try:
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = normal")
                self._migrate(db)
            except (sqlite3.Error, StoreError):
                db.close()
                raise
            self._db = db
        return self._db

    def _migrate(self, db: sqlite3.Connection) -> None:
        """From nothing, or from QuFLX's table. Nothing is written where nothing lacks."""
        if not lacking(db):
            return
        db.execute("begin immediate")
        try:
            for name in lacking(db):  # again: another process may have been at it
                self._add(db, name)
                self.migrated.append(name)
            db.execute("commit")
        finally:
            if db.in_transaction:
                db.execute("rollback")

    def _add(self, db: sqlite3.Connection, name: str) -> None:
        match name:
            case "historical_ticks":
                db.execute(_CREATE)
            case "candles":
                db.execute(_CREATE_CANDLES)
            case "historical_ticks_uid":
                db.execute(f"create unique index {UID_INDEX} on {TABLE} (tick_uid)")
            case "historical_ticks_pair_timestamp":
                db.execute(f"create index {name} on {TABLE} (pair, timestamp)")
            case column if column in _TYPES:
                db.execute(f"alter table {TABLE} add column {column} {_TYPES[column]}")
            case column:
                raise StoreMisconfigured(
                    f"store sqlite:{self._path}: its table {TABLE} has no column {column}, so it is not the one that"
                    " tickwire and QuFLX write; name another file"
                )

    def _explain(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        text = f"store sqlite:{self._path}: {error}"
        if isinstance(error, sqlite3.IntegrityError | sqlite3.InterfaceError | sqlite3.ProgrammingError):
            return StoreRefusedRows(code, str(error))
        if code.startswith(_WAIT):
            return StoreUnavailable(f"{text} ({code})", timed_out=code.startswith("SQLITE_BUSY"))
        if code.startswith("SQLITE_CANTOPEN"):
            return StoreMisconfigured(f"{text}; make its folder {self._path.parent}, or let us write there")
        if code.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
            return StoreMisconfigured(f"{text}; let this user write the file and its folder")
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreMisconfigured(f"{text}; restore it from a backup, or name another file")
        self.close()  # the table was changed under us: the next call looks at it anew and mends it
        return StoreMisconfigured(f"{text} ({code}); is another program changing {TABLE}?")


def lacking(db: sqlite3.Connection) -> list[str]:
    """What the file lacks, in the order it is to be added."""
    columns = {name for _, name, *_ in db.execute(f"pragma table_info({TABLE})")}
    found = [TABLE] if not columns else [n for n in (*QUFLX_COLUMNS, *OWN_COLUMNS) if n not in columns]
    indexes = {name: unique for _, name, unique, *_ in db.execute(f"pragma index_list({TABLE})")}
    keyed = not columns or any(
        [column for _, _, column in db.execute(f'pragma index_info("{name}")')] == ["tick_uid"]
        for name, unique in indexes.items()
        if unique
    )
    pair_index = "historical_ticks_pair_timestamp"
    has_candles = db.execute("select count(*) from pragma_table_info(?)", (CANDLES,)).fetchone()[0]
    indexed = ([] if keyed else [UID_INDEX]) + ([] if pair_index in indexes else [pair_index])
    return found + indexed + ([] if has_candles else [CANDLES])
