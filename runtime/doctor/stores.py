"""The store: reachable, its table as it must be, and our rights on it, tried without leaving a row."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tickwire.config.settings import Settings
from tickwire.config.urls import PostgresStore, SqliteStore, SupabaseStore
from tickwire.market.rows import Row
from tickwire.runtime.doctor.findings import Finding, failed, ok
from tickwire.runtime.doctor.folder import damage
from tickwire.runtime.stores.open import sqlite_path
from tickwire.runtime.stores.table import OWN_COLUMNS, QUFLX_COLUMNS, TABLE, values

PROBE = Row("00000000-0000-8000-8000-000000000000", "DOCTOR", "1", 0, 0, "doctor")
"""Written in a transaction that is rolled back."""
WAIT_S = 5.0

_STORES = Path(__file__).parents[1] / "stores"
_INSERT = (_STORES / "sqlite_insert.sql").read_text()
_SEEN = Path(__file__).with_name("sqlite_probe.sql").read_text()


def check_store(settings: Settings) -> Iterator[Finding]:
    """The checks of the store that `settings` name; libraries of others are not imported."""
    url = settings.store.parsed
    match url:
        case SqliteStore():
            yield from _sqlite(sqlite_path(url, settings.data_dir), named=url.path is not None)
        case PostgresStore():
            from tickwire.runtime.doctor.postgres import check_postgres

            yield from check_postgres(url)
        case SupabaseStore():
            from tickwire.runtime.doctor.supabase import check_supabase

            yield from check_supabase(url, settings)


def _sqlite(path: Path, *, named: bool) -> Iterator[Finding]:
    if not path.exists():
        if named and not path.absolute().parent.is_dir():
            yield failed("store", f"{path} has no folder", f"make {path.absolute().parent}, or name another file")
        else:
            yield ok("store", f"{path} is not made yet; the first run makes it")
        return
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=WAIT_S)
        try:
            yield from _sqlite_file(path, db)
        finally:
            db.close()
    except sqlite3.Error as error:
        yield failed("store", f"{path}: {error}", _sqlite_remedy(error))


def _sqlite_file(path: Path, db: sqlite3.Connection) -> Iterator[Finding]:
    from tickwire.runtime.stores.sqlite import lacking

    problem = damage(db)
    if problem is not None:
        yield failed("store", f"{path}: {problem}", "restore it from a backup (docs/operations.md, Store)")
        return
    yield ok("store", f"{path} is sound")
    lacks = lacking(db)
    strange = [name for name in lacks if name in QUFLX_COLUMNS]
    if strange:
        yield failed(
            "store schema",
            f"{TABLE} has no column {', '.join(strange)}: it is not the table that tickwire and QuFLX write",
            "name another file with --store",
        )
    elif lacks:
        own = "the table is not there yet" if lacks[0] == TABLE else f"{', '.join(lacks)} lacking"
        yield ok("store schema", f"{own}; added when the store is next opened")
    else:
        yield ok("store schema", f"{TABLE} with {', '.join(OWN_COLUMNS)} and its unique index")
        yield _sqlite_rights(db)


def _sqlite_rights(db: sqlite3.Connection) -> Finding:
    db.execute("begin immediate")
    try:
        db.execute(_INSERT, values(PROBE))
        (seen,) = db.execute(_SEEN, (PROBE.uid,)).fetchone()
    finally:
        with suppress(sqlite3.Error):
            db.execute("rollback")
    if seen != 1:
        return failed("store rights", "a row was written and is not there", "look for triggers on the table")
    return ok("store rights", "a row could be written and read (and was taken back)")


def _sqlite_remedy(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, sqlite3.IntegrityError):
        return "look for triggers and constraints on historical_ticks that refuse a good row"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "let this user write the file and its folder"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"another program has held it for {WAIT_S:g} s; end its transaction"
    if name.startswith("SQLITE_FULL"):
        return "make room on its disk"
    return "restore it from a backup (docs/operations.md, Store)"
