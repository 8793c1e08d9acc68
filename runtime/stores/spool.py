"""The spool: accepted ticks on local disk until the store has them. SQLite in WAL mode.

synchronous NORMAL survives the end of the process, SIGKILL included, not the loss of power; `sync="full"` does both.
A commit of one micro-batch takes some 10 µs. A damaged file is set aside when the spool is opened, and what can be read
of it is taken over; one found damaged later raises SpoolDamaged, upon which its owner starts again and opens it anew.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from tickwire.actors.ports import PortError, SpoolFailed
from tickwire.runtime.stores.mending import first_value, is_damage, mend, readable

CHECK_S = 2.0
"""For the look whether the file is damaged: its owner's start has a deadline."""

_HERE = Path(__file__).parent
_SCHEMA = (_HERE / "spool.sql").read_text()
_ROWS = (_HERE / "spool_rows.sql").read_text()


class SpoolDamaged(PortError):
    """The file on disk is no longer what SQLite wrote. Opening the spool again sets it aside."""


class SqliteSpool:
    """`actors.ports.Spool` in one file. Made and used in BufferKeeper's thread alone."""

    def __init__(
        self, path: Path, *, now_ms: Callable[[], int], run_id: str, sync: Literal["normal", "full"] = "normal"
    ) -> None:
        """Open or make the file. Senders' numbers of other runs than `run_id` are dropped: they start anew.

        Raises SpoolFailed if the file can't be opened.
        """
        self._path = path
        self._now_ms = now_ms
        mend_spool(path, within_s=CHECK_S)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute(f"pragma synchronous={sync}")
            self._db.executescript(_SCHEMA)
            self._db.execute("delete from taken where sender not like ? || '/%'", (run_id,))
            weight, first = self._db.execute("select coalesce(sum(length(entry)), 0), min(row) from spool").fetchone()
            newest = self._db.execute("select seq from sqlite_sequence where name = 'spool'").fetchone()
            last = self._db.execute("select value from meta where name = 'boot_ms'").fetchone()
        except sqlite3.Error as error:
            raise _unopened(path, error) from error
        self._bytes: int = weight
        self._last_row: int = newest[0] if newest else 0
        self._first_row: int = first if first is not None else self._last_row + 1
        self._last_boot_ms = self._boot_ms = last[0] if last else 0
        self.new_boot()

    @property
    def boot_ms(self) -> int:
        return self._boot_ms

    @property
    def last_boot_ms(self) -> int:
        return self._last_boot_ms

    def new_boot(self) -> int:
        boot = max(self._now_ms(), self._boot_ms + 1)
        with self._failing():
            self._db.execute("insert or replace into meta values ('boot_ms', ?)", (boot,))
        self._boot_ms = boot
        return boot

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> PortError:
        if is_damage(error):
            return SpoolDamaged(f"the spool {self._path} is damaged ({error}); it is set aside when it is opened again")
        return SpoolFailed(f"the spool {self._path} takes nothing ({error}); make room on its disk")

    def taken(self) -> Mapping[str, int]:
        with self._failing():
            return dict(self._db.execute("select sender, number from taken").fetchall())

    def commit(self, entries: Sequence[bytes], taken: Mapping[str, int]) -> range:
        first = self._last_row + 1
        execute = self._db.execute
        try:
            execute("begin immediate")
            for entry in entries:
                execute("insert into spool(entry) values (?)", (entry,))
            for sender in taken.items():
                execute("insert or replace into taken values (?, ?)", sender)
            execute("commit")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                execute("rollback")
            raise self._failure(error) from error
        self._last_row += len(entries)
        self._bytes += sum(map(len, entries))
        return range(first, self._last_row + 1)

    def read(self, after_row: int, limit: int) -> Sequence[tuple[int, bytes]]:
        with self._failing():
            return self._db.execute(
                "select row, entry from spool where row > ? order by row limit ?", (after_row, limit)
            ).fetchall()

    def forget(self, through_row: int) -> None:
        if through_row < self._first_row:
            return
        with self._failing():
            gone = self._db.execute(
                "select coalesce(sum(length(entry)), 0) from spool where row <= ?", (through_row,)
            ).fetchone()[0]
            self._db.execute("delete from spool where row <= ?", (through_row,))
        self._bytes -= gone
        self._first_row = min(through_row, self._last_row) + 1

    @property
    def first_row(self) -> int:
        return self._first_row

    @property
    def last_row(self) -> int:
        return self._last_row

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def sync(self) -> None:
        """Move the write-ahead log into the file and force it to the disk."""
        with self._failing():
            self._db.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        self._db.close()


def mend_spool(path: Path, *, within_s: float) -> None:
    """Set the file aside if it is damaged, and take over what can be read. Nobody may have it open.

    Raises SpoolFailed where that can't be done.
    """
    try:
        mend(path, _SCHEMA, _take_over, within_s=within_s)
    except (sqlite3.Error, OSError) as error:
        raise _unopened(path, error) from error


def _take_over(damaged: sqlite3.Connection, fresh: sqlite3.Connection) -> Mapping[str, object]:
    """Rows keep their numbers, and none is given again, by which the ledger knows them."""
    for query, put in (
        ("select name, value from meta", "insert or ignore into meta values (?, ?)"),
        ("select sender, number from taken", "insert or ignore into taken values (?, ?)"),
    ):
        with suppress(sqlite3.DatabaseError):
            fresh.executemany(put, damaged.execute(query))
    told = first_value(damaged, "select seq from sqlite_sequence where name = 'spool'")
    first = first_value(damaged, "select min(row) from spool")
    newest = first_value(damaged, "select max(row) from spool")
    last = max((number for number in (told, newest) if number is not None), default=None)
    kept = fresh.executemany("insert into spool(row, entry) values (?, ?)", readable(damaged, _ROWS, last)).rowcount
    if last is None and not kept:
        last = time.time_ns() // 1_000_000  # above every number there can have been
    if last is not None:
        fresh.execute("delete from sqlite_sequence where name = 'spool'")
        fresh.execute("insert into sqlite_sequence values ('spool', ?)", (last,))
    lost = "unknown" if first is None or told is None else told - first + 1 - kept
    return {"rows_taken_over": kept, "rows_lost": lost}


def _unopened(path: Path, error: Exception) -> SpoolFailed:
    return SpoolFailed(
        f"the spool {path} can't be opened ({error}); make room on its disk and let this user write there"
    )
