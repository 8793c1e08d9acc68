"""The data directory's disk: real SQLite, in memory, whose files outlive a killed process and whose writes can fail.

What was committed stays; what was not is rolled back when the process ends, as SQLite's journal promises. It stands in
for the module `sqlite3` in `runtime/stores/spool.py`, `quarantine.py` and `ledger.py`.
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Point = Callable[[str], None]
"""Called before and after each statement: it may raise a crash or a kill."""


class Disk:
    """Stands in for the module sqlite3."""

    Error = sqlite3.Error
    OperationalError = sqlite3.OperationalError

    def __init__(self, point: Point) -> None:
        self.point = point
        self.full = False
        self.failing: Callable[[], bool] = lambda: False
        """Asked at each write: whether this one fails."""
        self.forgetting: Callable[[sqlite3.Connection, int], None] = lambda _db, _row: None
        """Told before spool rows are deleted: up to and with which."""
        self.committed: Callable[[str], None] = lambda _name: None
        """Told after a transaction on a file was committed."""
        self._files: dict[str, sqlite3.Connection] = {}

    def connect(self, path: Path, **_: object) -> "DiskConnection":
        return DiskConnection(self, self.file(Path(path).name), Path(path).name)

    def file(self, name: str) -> sqlite3.Connection:
        """The file itself, for looking in."""
        if name not in self._files:
            self._files[name] = sqlite3.connect(":memory:", isolation_level=None)
        return self._files[name]

    def lose_uncommitted(self) -> None:
        """The process is gone."""
        for db in self._files.values():
            if db.in_transaction:
                db.execute("rollback")

    def close(self) -> None:
        for db in self._files.values():
            db.close()


class DiskConnection:
    """As much of `sqlite3.Connection` as the stores use."""

    def __init__(self, disk: Disk, db: sqlite3.Connection, name: str) -> None:
        self._disk = disk
        self._db = db
        self._name = name

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        word = sql.split(None, 1)[0].lower()
        if word in ("select", "pragma", "rollback"):
            return self._db.execute(sql, parameters)
        self._before(word)
        if sql.startswith("delete from spool"):
            self._disk.forgetting(self._db, parameters[0])
        cursor = self._db.execute(sql, parameters)
        if word == "commit":
            self._disk.committed(self._name)
        self._disk.point(f"after {word} {self._name}")
        return cursor

    def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        """One transaction, as an executemany without one open is not: the rows of one quarantine are a single one."""
        self._before("insert")
        cursor = self._db.executemany(sql, rows)
        self._disk.point(f"after insert {self._name}")
        return cursor

    def executescript(self, script: str) -> sqlite3.Cursor:
        return self._db.executescript(script)

    def _before(self, word: str) -> None:
        self._disk.point(f"before {word} {self._name}")
        if self._disk.full or self._disk.failing():
            raise sqlite3.OperationalError("database or disk is full")

    def close(self) -> None:
        """What was not committed is lost."""
        if self._db.in_transaction:
            self._db.execute("rollback")
