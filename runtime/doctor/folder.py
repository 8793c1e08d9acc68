"""The data directory: whether it can be used, who runs on it, room on its disk, its spool and its quarantine."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tickwire.actors.ports import StoreUnavailable
from tickwire.runtime.datadir import RunInfo, locked
from tickwire.runtime.doctor.findings import Finding, failed, ok, size, told, warning
from tickwire.runtime.stores.quarantine_desk import QuarantineDesk

TICK_BYTES = 120
"""What a tick takes in the spool at most, in a micro-batch of its own."""
QUIET_RATE = 10.0
"""Ticks a second where no relay says how many come."""
LEAST_FREE = 64 * 1024**2
FREE = 1024**3
HOURS = 24.0
"""The store may be away so long, and the spool still has room."""
CHECK_S = 20.0

_BACKLOG = Path(__file__).with_name("spool_backlog.sql").read_text()


def check_folder(path: Path, run: RunInfo | None, *, rate: float | None) -> Iterator[Finding]:
    """`rate`: ticks a second that a running relay takes in, None if none runs."""
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    trouble = _unwritable(there)
    if trouble is not None:
        yield failed(
            "data directory",
            f"{there}: {trouble}",
            "make it writable for this user, or name another with --data-dir",
        )
    elif there == path.absolute():
        yield ok("data directory", f"{path}, {_runner(path, run)}")
    else:
        yield ok("data directory", f"{path} is not made yet; the first run makes it")
    yield disk(path, shutil.disk_usage(there).free, rate)
    if (path / "spool.db").exists():
        yield from _spool(path / "spool.db", running=run is not None)
    yield _quarantine(path)
    aside = sorted(file.name for file in path.glob("*.damaged-*"))
    if aside:
        yield warning(
            "damaged files",
            f"set aside at a start: {', '.join(aside)}",
            "check the disk; the log of that start says what was lost; then move or delete them",
        )


def disk(path: Path, free: int, rate: float | None) -> Finding:
    """Whether there is room for a store that is away for a day."""
    grows = (rate if rate is not None else QUIET_RATE) * TICK_BYTES
    hours = free / max(grows, 1.0) / 3600
    pace = f"{rate:.0f} ticks/s" if rate is not None else f"{QUIET_RATE:.0f} ticks/s, say"
    seen = f"{size(free)} free; while the store is away the spool grows by {size(grows * 3600)} an hour at {pace}"
    remedy = f"make room on the disk of {path}, or name another directory with --data-dir"
    if free < LEAST_FREE:
        return failed("disk", seen, remedy)
    return warning("disk", seen, remedy) if free < FREE or hours < HOURS else ok("disk", seen)


def _unwritable(folder: Path) -> str | None:
    if not folder.is_dir():
        return "is no directory"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "this user may not write there"
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"doctor")
            probe.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _runner(path: Path, run: RunInfo | None) -> str:
    if run is not None:
        return f"process {run.pid} runs on it"
    return "a run on it is just starting or ending" if locked(path) else "no relay runs on it"


def _spool(file: Path, *, running: bool) -> Iterator[Finding]:
    try:
        db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
        try:
            problem = damage(db)
            entries, weight = db.execute(_BACKLOG).fetchone() if problem is None else (0, 0)
        finally:
            db.close()
    except sqlite3.Error as error:
        problem = str(error)
    if problem is not None:
        yield failed(
            "spool",
            f"{file}: {problem}",
            "restart the relay: it sets the file aside and takes over what can be read (docs/operations.md, Spool)",
        )
    elif entries and not running:
        yield warning(
            "spool",
            f"{entries} entries ({size(weight)}) are accepted and not known to be stored",
            "start the relay on this directory: it stores them",
        )
    else:
        yield ok("spool", f"sound; {entries} entries ({size(weight)}) on their way to the store")


def damage(db: sqlite3.Connection) -> str | None:
    """What `quick_check` says where it is not `ok`; a file too big to be read in time counts as sound."""
    deadline = time.monotonic() + CHECK_S
    db.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    try:
        (found,) = db.execute("pragma quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            raise
        found = "ok"
    finally:
        db.set_progress_handler(None, 0)
    return None if found == "ok" else str(found)


def _quarantine(path: Path) -> Finding:
    desk = QuarantineDesk(path / "quarantine.db")
    try:
        held = desk.count()
    except StoreUnavailable as error:
        return told("quarantine", str(error))
    finally:
        desk.close()
    if held:
        return warning("quarantine", f"{held} refused by the store", "see tickwire quarantine list, then retry or drop")
    return ok("quarantine", "empty")
