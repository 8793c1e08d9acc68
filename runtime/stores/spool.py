"""The spool: accepted ticks on local disk until the store has them. SQLite in WAL mode.

synchronous NORMAL survives the end of the process, SIGKILL included, not the loss of power; `sync="full"` does both.
A commit of one micro-batch takes some 10 µs.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import structlog

from tickwire.actors.ports import SpoolFailed

_SCHEMA = Path(__file__).with_name("spool.sql")
_log = structlog.get_logger("tickwire.spool")


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
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute(f"pragma synchronous={sync}")
            self._db.executescript(_SCHEMA.read_text())
            self._db.execute("delete from taken where sender not like ? || '/%'", (run_id,))
            weight, first = self._db.execute("select coalesce(sum(length(entry)), 0), min(row) from spool").fetchone()
            newest = self._db.execute("select seq from sqlite_sequence where name = 'spool'").fetchone()
            last = self._db.execute("select value from meta where name = 'boot_ms'").fetchone()
        except sqlite3.Error as error:
            raise SpoolFailed(
                f"the spool {path} can't be opened ({error}); is the disk full or the file damaged?"
            ) from (error)
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
            raise SpoolFailed(f"the spool {self._path} takes nothing ({error}); make room on its disk") from error

    def taken(self) -> Mapping[str, int]:
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
            raise SpoolFailed(f"the spool {self._path} takes nothing ({error}); make room on its disk") from error
        self._last_row += len(entries)
        self._bytes += sum(map(len, entries))
        return range(first, self._last_row + 1)

    def read(self, after_row: int, limit: int) -> Sequence[tuple[int, bytes]]:
        return self._db.execute(
            "select row, entry from spool where row > ? order by row limit ?", (after_row, limit)
        ).fetchall()

    def forget(self, through_row: int) -> None:
        if through_row < self._first_row:
            return
        gone = self._db.execute(
            "select coalesce(sum(length(entry)), 0) from spool where row <= ?", (through_row,)
        ).fetchone()[0]
        with self._failing():
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
        self._db.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        self._db.close()
