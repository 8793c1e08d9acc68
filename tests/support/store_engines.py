"""What the stores' contract suite runs on: SQLite, Postgres, Supabase and the double, behind one way of looking in."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr
from support.postgres import PostgresServer
from support.store_doubles import MemoryTable, OldRow
from support.supabase_server import SupabaseServer, make_roles

from tickwire.actors.ports import Store
from tickwire.market.rows import Row
from tickwire.runtime.stores.limits import Limits
from tickwire.runtime.stores.migrate import migrate
from tickwire.runtime.stores.postgres import PostgresStore
from tickwire.runtime.stores.prices import plain
from tickwire.runtime.stores.sqlite import SqliteStore
from tickwire.runtime.stores.supabase import SupabaseStore

SECOND_US = 1_000_000
MIGRATED = "migrated"
CALM = Limits(call_s=60.0, hurried_s=30.0)
"""No call of a test that is about something else runs out of time on a busy machine."""

SHOWN = "select tick_uid, pair, price, timestamp, ts_us, recv_us, source from historical_ticks order by id"

Shown = tuple[str | None, str, str, int, int | None, int | None, str | None]


class Engine(Protocol):
    """Stores on one empty table, and a look into it that does not go through them."""

    def store(self, limits: Limits = CALM) -> Store: ...
    def rows(self) -> list[Shown]:
        """tick_uid, pair, price, timestamp, ts_us, recv_us, source in the order of insertion."""

    def old_row(self, pair: str, price: str, timestamp: int) -> None:
        """What QuFLX's writer inserts."""

    def refuse_pair(self, pair: str) -> None:
        """Add a constraint to both tables."""

    def close(self) -> None: ...


class MemoryEngine:
    def __init__(self) -> None:
        self.table = MemoryTable()

    def store(self, limits: Limits = CALM) -> Store:
        return self.table.store()

    def rows(self) -> list[Shown]:
        return [
            (None, row.pair, row.price, row.timestamp, None, None, None) if isinstance(row, OldRow) else shown(row)
            for row in self.table.rows
        ]

    def old_row(self, pair: str, price: str, timestamp: int) -> None:
        self.table.rows.append(OldRow(pair, price, timestamp))

    def refuse_pair(self, pair: str) -> None:
        self.table.refuse_pair(pair)

    def close(self) -> None:
        """Nothing to close."""


class _Stores:
    """Makes stores and closes them."""

    def __init__(self, build: Callable[[Limits], Store]) -> None:
        self._build = build
        self._made: list[Store] = []

    def store(self, limits: Limits = CALM) -> Store:
        self._made.append(self._build(limits))
        return self._made[-1]

    def close(self) -> None:
        for store in self._made:
            store.close()


class SqliteEngine(_Stores):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "ticks.db"
        super().__init__(lambda limits: SqliteStore(self.path, limits=limits))
        made = self.store()
        made.open()

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=10.0)
        try:
            return db.execute(statement, values).fetchall()
        finally:
            db.close()

    def rows(self) -> list[Shown]:
        return [(uid, pair, plain(price), *more) for uid, pair, price, *more in self.sql(SHOWN)]  # type: ignore[misc]

    def old_row(self, pair: str, price: str, timestamp: int) -> None:
        self.sql("insert into historical_ticks (pair, price, timestamp) values (?, ?, ?)", pair, price, timestamp)

    def refuse_pair(self, pair: str) -> None:
        self.sql(
            f"create trigger refusing before insert on historical_ticks when new.pair = '{pair}'"
            " begin select raise(abort, 'not that pair'); end"
        )
        self.sql(
            f"create trigger refusing_too before insert on candles when new.asset = '{pair}'"
            " begin select raise(abort, 'not that asset'); end"
        )


class PostgresEngine(_Stores):
    """A migrated database; the store logs in as a role that row level security binds."""

    def __init__(self, server: PostgresServer, *, migrated: bool = True) -> None:
        self.server = server
        self.dsn = server.create_database(template=MIGRATED if migrated else "template0")
        user = server.dsn(self.dsn.rpartition("/")[2], user="writer")
        super().__init__(lambda limits: PostgresStore(user, limits=limits))

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        return self.server.sql(self.dsn, statement)

    def rows(self) -> list[Shown]:
        return [
            (None if uid is None else str(uid), pair, plain(str(price)), *more)  # type: ignore[misc]
            for uid, pair, price, *more in self.sql(SHOWN)
        ]

    def old_row(self, pair: str, price: str, timestamp: int) -> None:
        self.sql(f"insert into historical_ticks (pair, price, timestamp) values ('{pair}', {price}, {timestamp})")

    def refuse_pair(self, pair: str) -> None:
        self.sql(f"alter table historical_ticks add check (pair <> '{pair}')")
        self.sql(f"alter table assets add check (symbol <> '{pair}')")

    def close(self) -> None:
        super().close()
        self.server.drop_database(self.dsn)


class SupabaseEngine(PostgresEngine):
    """The same database through PostgREST's look-alike, with the key of an ordinary role."""

    def __init__(self, server: PostgresServer, supabase: SupabaseServer, *, migrated: bool = True) -> None:
        super().__init__(server, migrated=migrated)
        self.supabase = supabase
        self.url = supabase.url(self.dsn)
        self._build = lambda limits: self.with_key("key-of-authenticated", limits)

    def with_key(self, key: str, limits: Limits = CALM) -> SupabaseStore:
        return SupabaseStore(self.url, SecretStr(key), limits=limits)


def prepare(server: PostgresServer) -> None:
    """What PostgresEngine needs: Supabase's roles, a login that policies let write, a database to copy."""
    make_roles(server)
    server.sql(server.dsn("postgres"), "create role writer login in role authenticated")
    server.sql(server.dsn("postgres"), f'create database "{MIGRATED}" template template0')
    migrate(server.dsn(MIGRATED), tell=lambda _: None)


def shown(row: Row) -> Shown:
    return row.uid, row.pair, plain(row.price), row.ts_us // SECOND_US, row.ts_us, row.recv_us, row.source
