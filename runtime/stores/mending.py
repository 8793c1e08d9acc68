"""SQLite files of the data directory that were damaged: set aside, and what can still be read is taken over.

A damaged `FILE` becomes `FILE.damaged-<time>` (its write-ahead log beside it) and is never deleted. Wherever the
process is killed, either the damaged file is in its place or the fresh one is whole.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import structlog

_log = structlog.get_logger("tickwire.data_dir")

Copy = Callable[[sqlite3.Connection, sqlite3.Connection], Mapping[str, object]]
"""Fills the fresh file (second) with what can be read of the damaged one (first); returns figures for the log."""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LOGS = ("-wal", "-shm")
_REMEDY = (
    "nothing needs to be done to go on; check the disk, then keep the damaged file (sqlite3's .recover may find more) "
    "or delete it"
)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, rather than busy, full or not there."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def damage_of(path: Path, *, within_s: float) -> str | None:
    """What is wrong with a file's structure, None if nothing is; one too big to be read in time counts as sound.

    Raises sqlite3.Error where it can't be looked at for another reason.
    """
    if not path.exists():
        return None
    deadline = time.monotonic() + within_s
    try:
        with closing(_read_only(path)) as db:
            db.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
            (found,) = db.execute("pragma quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    return None if found == "ok" else str(found).replace("\n", " ")


def mend(path: Path, schema: str, copy: Copy, *, within_s: float) -> bool:
    """Look at a file and, if it is damaged, put a fresh one in its place; whether it did.

    Nobody may have it open. Raises sqlite3.Error or OSError where it can't be done: all is then as it was.
    """
    fresh = path.with_name(f"{path.name}.fresh")
    if fresh.exists() and not path.exists():  # killed between the last two steps below
        fresh.replace(path)
        return True
    problem = damage_of(path, within_s=within_s)
    if problem is None:
        return False
    fresh.unlink(missing_ok=True)
    with closing(_read_only(path)) as old, closing(sqlite3.connect(fresh, isolation_level=None)) as new:
        new.executescript(schema)
        new.execute("begin")
        figures = copy(old, new)
        new.execute("commit")
    aside = _free_name(path)
    for suffix in ("", *_LOGS):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    fresh.replace(path)
    _log.error("damaged_file_set_aside", file=str(path), kept_as=str(aside), problem=problem, **figures, remedy=_REMEDY)
    return True


def readable(db: sqlite3.Connection, query: str, last: int | None = None) -> Iterator[tuple[Any, ...]]:
    """The rows that can be read, ascending. `query` takes the key to start behind and yields rows, the key first.

    Behind a damaged place it goes on with the next row that can be read, up to the key `last` (None: not at all).
    """
    after = -1
    while True:
        try:
            for row in db.execute(query, (after,)):
                yield row
                after = row[0]
        except sqlite3.DatabaseError:
            resumed = _behind_damage(db, query, after, last)
            if resumed is None:
                return
            after = resumed
        else:
            return


def _behind_damage(db: sqlite3.Connection, query: str, after: int, last: int | None) -> int | None:
    """The smallest key above `after` behind which reading works again: strides that double, then halves."""
    if last is None:
        return None
    low, stride = after, 1
    while not _reads(db, query, high := min(low + stride, last)):
        if high == last:
            return None
        low, stride = high, stride * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _reads(db, query, middle) else (middle, high)
    return high


def _reads(db: sqlite3.Connection, query: str, after: int) -> bool:
    try:
        db.execute(query, (after,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def first_value(db: sqlite3.Connection, query: str) -> int | None:
    """One whole number of a damaged file, None where it can't be read."""
    try:
        row = db.execute(query).fetchone()
    except sqlite3.DatabaseError:
        return None
    return row[0] if row is not None and isinstance(row[0], int) else None


def _read_only(path: Path) -> sqlite3.Connection:
    """So that looking changes nothing: not even the write-ahead log is moved into the file."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)


def _free_name(path: Path) -> Path:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name, count = f"{path.name}.damaged-{moment}", 1
    while path.with_name(name).exists():
        count += 1
        name = f"{path.name}.damaged-{moment}-{count}"
    return path.with_name(name)
