"""The store in Postgres: COPY into a temporary table, then `insert … on conflict do nothing`, in one transaction.

Works behind poolers that hand each transaction to another session: nothing is prepared, every setting and the temporary
table's rows end with their transaction.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.runtime.stores.candle_table import candle_json, fit, stored_candle, within_time
from tickwire.runtime.stores.limits import CallTimedOut, Limits, within
from tickwire.runtime.stores.prices import plain
from tickwire.runtime.stores.table import BAD_VALUE, SECOND_US, TABLE, first_fault, missing_columns, values
from tickwire.runtime.stores.verdicts import MIGRATE, login_remedy, one_line, verdict

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]

_HERE = Path(__file__).parent
_BEGIN = (_HERE / "postgres_begin.sql").read_bytes()
_INCOMING = (_HERE / "postgres_incoming.sql").read_bytes()
_COPY = (_HERE / "postgres_copy.sql").read_bytes()
_INSERT = (_HERE / "postgres_insert.sql").read_bytes()
_TICKS = (_HERE / "postgres_ticks.sql").read_bytes()
_NEWEST = (_HERE / "postgres_newest.sql").read_bytes()
_WRITE_CANDLES = (_HERE / "postgres_candles.sql").read_bytes()
_CANDLES = (_HERE / "postgres_candles_read.sql").read_bytes()
_SCHEMA = (_HERE / "postgres_schema.sql").read_bytes()


class PostgresStore:
    """`actors.ports.Store` on a server. `dsn` as libpq takes it; it reconnects by itself, at the next call."""

    slice_rows = 500
    batch_rows = 5000

    def __init__(self, dsn: str, *, limits: Limits | None = None) -> None:
        self._dsn = dsn
        self._limits = limits or Limits()
        self._wait_s = self._limits.call_s
        self._session: PostgresSession | None = None

    def open(self) -> None:
        self._call(check_schema)

    def write(self, rows: Sequence[Row]) -> int | None:
        rejected = first_fault(rows)
        if rejected is not None:
            raise StoreRefusedRows(BAD_VALUE, rejected)
        return self._call(lambda connection: self._insert(connection, rows)) if rows else 0

    def ticks(self, pair: str, from_us: int, to_us: int, limit: int) -> Sequence[tuple[int, str]]:
        asked = {
            "pair": pair,
            "from_us": from_us,
            "to_us": to_us,
            "from_s": from_us // SECOND_US,
            "to_s": to_us // SECOND_US,
            "limit": limit,
        }
        newest_first = self._call(lambda connection: self._read(connection, _TICKS, asked))
        return [(ts_us, plain(price)) for ts_us, price in reversed(newest_first)]

    def newest_ts_us(self, pair: str) -> int | None:
        found = self._call(lambda connection: self._read(connection, _NEWEST, {"pair": pair}))
        return found[0][0] if found else None

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        kept = fit(rows)
        return self._call(lambda connection: self._keep(connection, kept)) if kept else 0

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        since, until = within_time(from_ts, until_ts)
        asked = {"asset": asset, "timeframe": timeframe, "from_ts": since, "until_ts": until, "limit": limit}
        ((found,),) = self._call(lambda connection: self._read(connection, _CANDLES, asked))
        return [stored_candle(row, timeframe) for row in found]

    def check_candles(self) -> None:
        """Whether candles could be written: none is. Raises StoreError."""
        self._call(lambda connection: self._keep(connection, ()))

    def hurry(self, hurried: bool) -> None:
        self._wait_s = self._limits.hurried_s if hurried else self._limits.call_s

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # -- calls

    def _call(self, work: Callable[[Connection], T]) -> T:
        """One call within its limit. Whatever goes wrong comes out as a StoreError."""
        session = self._session = self._session or PostgresSession(self._dsn, self._wait_s)
        try:
            return within(self._wait_s, lambda: session.run(work), shut=session.shut)
        except CallTimedOut as error:
            self._session = None  # its thread closes it, when it gets that far
            raise StoreUnavailable(f"the store gave {error}", timed_out=True) from error
        except psycopg.Error as error:
            raise explain(error) from error

    def _insert(self, connection: Connection, rows: Sequence[Row]) -> int:
        with self._transaction(connection, _INCOMING), connection.cursor() as cursor:
            with cursor.copy(_COPY) as copy:
                for row in rows:
                    copy.write_row(values(row))
            cursor.execute(_INSERT + b";\ncommit")
            return cursor.rowcount  # of the first of the two

    def _keep(self, connection: Connection, rows: Sequence[CandleRow]) -> int:
        with self._transaction(connection):
            ((changed,),) = connection.execute(_WRITE_CANDLES, {"rows": candle_json(rows)}).fetchall()
            connection.execute(b"commit")
        return int(changed)

    def _read(self, connection: Connection, query: bytes, asked: dict[str, object]) -> list[tuple[Any, ...]]:
        with self._transaction(connection):
            return connection.execute(query, asked).fetchall()

    @contextmanager
    def _transaction(self, connection: Connection, *more: bytes) -> Iterator[None]:
        """Begin, with its settings and `more`, in one round trip; end it, unless that was done inside."""
        try:
            connection.execute(b";\n".join((_BEGIN % {b"ms": max(1, int(self._wait_s * 1000))}, *more)))
            yield
        finally:
            if connection.info.transaction_status != TransactionStatus.IDLE:
                with suppress(psycopg.Error):  # what went wrong before is what counts
                    connection.execute(b"rollback")


class PostgresSession:
    """One connection, made at its first use and again where the server ended it. Once shut it serves nobody."""

    def __init__(self, dsn: str, connect_s: float) -> None:
        self._dsn = dsn
        self._connect_s = max(2, ceil(connect_s))  # libpq takes no less
        self._connection: Connection | None = None
        self._shut = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """In the call's own thread."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._dsn, self._connect_s)
            return work(self._connection)
        finally:
            if self._shut:
                self.close()

    def shut(self) -> None:
        """Beside a call that has hung: frees its thread, which then closes."""
        self._shut = True
        connection = self._connection
        if connection is not None:
            with suppress(psycopg.Error, OSError), socket.socket(fileno=_duplicate(connection)) as its_socket:
                its_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def connect(dsn: str, connect_s: int) -> Connection:
    """An autocommitting connection, without prepared statements. Raises psycopg.Error."""
    return psycopg.connect(
        dsn,
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=connect_s,
        fallback_application_name="tickwire",
    )


def explain(error: psycopg.Error) -> StoreError:
    """What psycopg raised, in the words of the port."""
    text = one_line(str(error))
    if error.sqlstate is not None:
        return verdict(error.sqlstate, one_line(error.diag.message_primary or text))
    if isinstance(error, psycopg.DataError):
        return StoreRefusedRows(BAD_VALUE, text)
    remedy = login_remedy(text)  # a refused login has no code, only words
    if remedy is not None:
        return StoreMisconfigured(f"{text}; {remedy}")
    if isinstance(error, psycopg.ProgrammingError):
        return StoreMisconfigured(f"{text}; check the store's URL")
    return StoreUnavailable(text, timed_out=isinstance(error, psycopg.errors.ConnectionTimeout))


def check_schema(connection: Connection) -> None:
    found = connection.execute(_SCHEMA).fetchone()
    if found is None:
        raise StoreMisconfigured(f"the database has no table {TABLE}; {MIGRATE}")
    columns, has_key = found
    missing = missing_columns(columns)
    if missing:
        raise StoreMisconfigured(f"the table {TABLE} has no column {', '.join(missing)}; {MIGRATE}")
    if not has_key:
        raise StoreMisconfigured(f"the table {TABLE} has no valid unique index on tick_uid; {MIGRATE}")


def _duplicate(connection: Connection) -> int:
    """Another descriptor of its socket: shutting works through any, and libpq keeps its own."""
    return socket.dup(connection.fileno())
