"""Bring a Postgres database to what tickwire writes, while old writers go on."""

import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tickwire.actors.ports import StoreMisconfigured, StoreUnavailable
from tickwire.runtime.stores.candle_table import CANDLES
from tickwire.runtime.stores.migrations import Migration, migrations
from tickwire.runtime.stores.postgres import Connection, check_schema, connect, explain
from tickwire.runtime.stores.verdicts import one_line

CONNECT_S = 10
LOCK_TRIES = 10
LOCK_S = 3.0
"""A change of the table waits no longer for whoever holds it: all writers wait behind us meanwhile."""
OTHERS_S = 600.0
"""How long to wait for another `tickwire migrate`: an index on a big table takes its time."""
PAUSE_S = 0.5

_HERE = Path(__file__).parent
_LEFTOVER = (_HERE / "postgres_leftover.sql").read_bytes()
_ONE_AT_A_TIME = (_HERE / "postgres_one_at_a_time.sql").read_bytes()


def migrate(dsn: str, *, tell: Callable[[str], None]) -> None:
    """Run every step in order and check the outcome; `tell` hears of each when it is done. Raises StoreError."""
    try:
        with connect(dsn, CONNECT_S) as connection:
            _wait_for_others(connection)
            for migration in migrations():
                _run(connection, migration, tell)
            check_schema(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreMisconfigured(
            f"{one_line(str(error))}; run it as the owner of historical_ticks (on Supabase the user postgres)"
        ) from error
    except psycopg.errors.UniqueViolation as error:
        rows = "rows of candles that repeat" if error.diag.table_name == CANDLES else "rows that repeat a tick_uid"
        raise StoreMisconfigured(f"{one_line(str(error))}; delete the {rows}, then run it again") from error
    except psycopg.Error as error:
        raise explain(error) from error


def _wait_for_others(connection: Connection) -> None:
    deadline = time.monotonic() + OTHERS_S
    while True:
        (ours,) = connection.execute(_ONE_AT_A_TIME).fetchone() or (False,)
        if ours:
            return
        if time.monotonic() > deadline:
            raise StoreUnavailable("another tickwire migrate is at work on this database; wait for its end")
        time.sleep(PAUSE_S)


def _run(connection: Connection, migration: Migration, tell: Callable[[str], None]) -> None:
    if migration.concurrent:
        for (name,) in connection.execute(_LEFTOVER).fetchall():
            connection.execute(b"drop index concurrently " + name.encode())  # quoted by the server itself
            tell(f"{name} removed: it was left half built")
        _patiently(connection, migration, lock_ms=0)
    else:
        _between_writers(connection, migration)
    tell(f"{migration.name} done")


def _between_writers(connection: Connection, migration: Migration) -> None:
    """A change of the table needs it for itself, for a moment."""
    for left in reversed(range(LOCK_TRIES)):
        try:
            return _patiently(connection, migration, lock_ms=int(LOCK_S * 1000))
        except psycopg.errors.LockNotAvailable as error:
            if not left:
                raise StoreUnavailable(
                    "a transaction holds historical_ticks for long; end it (see pg_stat_activity), then run this again"
                ) from error
            time.sleep(PAUSE_S)
    raise AssertionError("the last try returns or raises")


def _patiently(connection: Connection, migration: Migration, *, lock_ms: int) -> None:
    """However long it takes, but for locks."""
    connection.execute(b"set statement_timeout = 0; set lock_timeout = %d" % lock_ms)
    connection.execute(migration.sql.encode())
