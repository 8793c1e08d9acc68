"""`tickwire migrate` on real servers: from nothing and from QuFLX's table, with old writers at work all the while."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from support.postgres import PostgresServer
from support.supabase_server import SupabaseServer

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.rows import Row
from tickwire.runtime.cli import main
from tickwire.runtime.stores import migrate as migrating
from tickwire.runtime.stores.migrations import migrations
from tickwire.runtime.stores.postgres import PostgresStore

pytestmark = pytest.mark.timeout(90)

QUFLX = """
    create table historical_ticks (
      id bigserial primary key,
      pair varchar(20) not null,
      price numeric(20, 10) not null,
      timestamp bigint not null,
      created_at timestamptz default now()
    );
    alter table historical_ticks enable row level security;
    create policy "Allow public read" on historical_ticks for select using (true);
    create policy "Allow authenticated insert" on historical_ticks for insert to authenticated with check (true);
    grant select on historical_ticks to anon, authenticated;
    grant insert on historical_ticks to authenticated;
    grant usage on sequence historical_ticks_id_seq to authenticated;
"""
"""As QuFLX's own set-up makes it."""
OLD_INSERT: LiteralString = (
    "insert into historical_ticks (pair, price, timestamp) values ('EURUSD_otc', 1.5, 1756866774)"
)
NEW = Row("01993a00-0000-8000-8000-000000000001", "EURUSD_otc", "1.5", 1_756_866_774_000_000, 1, "pocketoption")


@pytest.fixture
def dsn(postgres: PostgresServer) -> Iterator[str]:
    made = postgres.create_database()
    yield made
    postgres.drop_database(made)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUPABASE_SERVICE_ROLE_KEY", raising=False)
    monkeypatch.delenv("SUPABASE_ANON_KEY", raising=False)

    def migrate(*arguments: str) -> tuple[int, str, str]:
        code = main(["migrate", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return migrate


def schema(server: PostgresServer, dsn: str) -> list[tuple[object, ...]]:
    columns = (
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_name = 'historical_ticks' order by 1"
    )
    indexes = "select indexname, indexdef, '' from pg_indexes where tablename = 'historical_ticks' order by 1"
    policies = "select policyname, cmd, roles::text from pg_policies where tablename = 'historical_ticks' order by 1"
    return [*server.sql(dsn, columns), *server.sql(dsn, indexes), *server.sql(dsn, policies)]


def as_writer(server: PostgresServer, dsn: str) -> str:
    return server.dsn(dsn.rpartition("/")[2], user="writer")


def write(dsn: str) -> int | None:
    store = PostgresStore(dsn)
    try:
        store.open()
        return store.write([NEW])
    finally:
        store.close()


# -- Postgres ------------------------------------------------------------------------------------------------------


def test_an_empty_database_gets_the_table_and_a_second_run_changes_nothing(
    postgres: PostgresServer, dsn: str, run: Run
) -> None:
    code, out, err = run("--store", dsn)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        *(f"{migration.name} done" for migration in migrations()),
        f"{dsn.replace('tickwire@', '***@')}: historical_ticks is ready",
    ]
    before = schema(postgres, dsn)
    assert run("--store", dsn)[0] == 0
    assert schema(postgres, dsn) == before
    assert write(as_writer(postgres, dsn)) == 1


def test_quflxs_table_is_brought_up_while_its_writers_go_on(postgres: PostgresServer, dsn: str, run: Run) -> None:
    for statement in filter(str.strip, QUFLX.split(";")):
        postgres.sql(dsn, statement)
    stop, going = threading.Event(), threading.Barrier(3)

    def old_writer(_: int) -> int:
        inserted = 0
        with psycopg.connect(as_writer(postgres, dsn), autocommit=True) as connection:
            connection.execute(OLD_INSERT)
            going.wait(30)
            while not stop.is_set():
                connection.execute(OLD_INSERT)
                inserted += 1
        return inserted + 1

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(old_writer, number) for number in range(2)]
        going.wait(30)
        code, _, err = run("--store", dsn)
        stop.set()
        inserted = sum(writer.result(30) for writer in writers)
    assert (code, err) == (0, "")
    counted = postgres.sql(dsn, "select count(*), count(tick_uid) from historical_ticks")
    assert counted == [(inserted, 0)]
    policies = {row[0] for row in schema(postgres, dsn)}
    assert {"Allow public read", "Allow authenticated insert"} <= policies
    assert "historical_ticks_write" not in policies
    assert write(as_writer(postgres, dsn)) == 1
    assert write(as_writer(postgres, dsn)) == 0
    with psycopg.connect(as_writer(postgres, dsn), autocommit=True) as connection:
        connection.execute(OLD_INSERT)


def test_the_table_itself_refuses_prices_that_are_none_but_judges_no_old_writer(
    postgres: PostgresServer, dsn: str, run: Run
) -> None:
    run("--store", dsn)
    columns = "insert into historical_ticks (tick_uid, pair, price, timestamp) values"
    for price in ("'NaN'", "0", "-1"):
        with pytest.raises(psycopg.errors.CheckViolation):
            postgres.sql(dsn, f"{columns} ('{NEW.uid}', 'A', {price}, 1)")
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        postgres.sql(dsn, f"{columns} ('{NEW.uid}', 'A', 1e10, 1)")
    postgres.sql(dsn, "insert into historical_ticks (pair, price, timestamp) values ('A', -1, 1)")


def half_built(server: PostgresServer, dsn: str) -> None:
    """A table with two rows of one uid, and the invalid index that this leaves behind."""
    for migration in migrations()[:2]:
        server.sql(dsn, migration.sql)
    for _ in range(2):
        server.sql(
            dsn,
            "insert into historical_ticks (tick_uid, pair, price, timestamp)"
            f" values ('{NEW.uid}', 'EURUSD_otc', 1.5, 1756866774)",
        )
    with pytest.raises(psycopg.errors.UniqueViolation):
        server.sql(dsn, migrations()[2].sql)


def test_rows_that_repeat_a_uid_are_named_with_the_remedy(postgres: PostgresServer, dsn: str, run: Run) -> None:
    half_built(postgres, dsn)
    code, _, err = run("--store", dsn)
    assert code == 1
    assert NEW.uid in err
    assert "delete the rows that repeat a tick_uid" in err
    assert len(err.splitlines()) == 1


def test_an_index_that_was_left_half_built_is_built_anew(postgres: PostgresServer, dsn: str, run: Run) -> None:
    half_built(postgres, dsn)
    postgres.sql(dsn, "delete from historical_ticks where id = (select max(id) from historical_ticks)")
    code, out, err = run("--store", dsn)
    assert (code, err) == (0, "")
    assert "public.historical_ticks_uid removed: it was left half built" in out
    assert write(as_writer(postgres, dsn)) == 0


def test_two_at_a_time_wait_for_each_other(postgres: PostgresServer, dsn: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        for outcome in [pool.submit(migrating.migrate, dsn, tell=lambda _: None) for _ in range(3)]:
            outcome.result(60)
    assert write(as_writer(postgres, dsn)) == 1


def test_a_table_that_somebody_holds_for_long_is_given_up_with_the_remedy(
    postgres: PostgresServer, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_TRIES", 2)
    monkeypatch.setattr(migrating, "LOCK_S", 0.1)
    monkeypatch.setattr(migrating, "PAUSE_S", 0.01)
    postgres.sql(dsn, migrations()[0].sql)
    with psycopg.connect(dsn) as holder:
        holder.execute("select count(*) from historical_ticks")
        with pytest.raises(StoreUnavailable, match="pg_stat_activity"):
            migrating.migrate(dsn, tell=lambda _: None)
    migrating.migrate(dsn, tell=lambda _: None)


def one_line_without_secret(code: int, out: str, err: str) -> str:
    assert code == 1
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    assert "geheim" not in out + err
    return err


def test_a_user_that_does_not_exist_is_one_line(postgres: PostgresServer, run: Run) -> None:
    wrong = postgres.dsn("postgres", user="nobody_of_this_name", password="geheim")
    assert "check the user" in one_line_without_secret(*run("--store", wrong))


def test_a_database_that_does_not_exist_is_one_line(postgres: PostgresServer, run: Run) -> None:
    wrong = postgres.dsn("no_such_database", password="geheim")
    assert "check the database" in one_line_without_secret(*run("--store", wrong))


def test_a_server_that_is_not_there_is_one_line(run: Run) -> None:
    assert "refused" in one_line_without_secret(*run("--store", "postgresql://u:geheim@127.0.0.1:1/x"))


def test_a_user_who_does_not_own_the_table_is_told_who_may(postgres: PostgresServer, dsn: str, run: Run) -> None:
    postgres.sql(dsn, migrations()[0].sql)
    wrong = postgres.dsn(dsn.rpartition("/")[2], user="writer", password="geheim")
    assert "run it as the owner of historical_ticks" in one_line_without_secret(*run("--store", wrong))


# -- Supabase ------------------------------------------------------------------------------------------------------


def test_a_project_is_told_what_to_run_until_it_has_been_run(
    postgres: PostgresServer, supabase: SupabaseServer, dsn: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key-of-service")
    store = f"supabase+{supabase.url(dsn)}"
    steps: list[str] = []
    for place in range(len(migrations()) + 1):
        supabase.reload(dsn)
        code, out, err = run("--store", store)
        if place < len(migrations()):
            assert code == 1
            assert "run the steps printed above in the project's SQL editor" in err
            assert len(err.splitlines()) == 1
            steps = out.split("-- Step ")[1:]
            assert len(steps) == len(migrations())
            postgres.sql(dsn, "-- Step " + steps[place])
        else:
            assert (code, err) == (0, "")
            assert out == f"{store}: historical_ticks is ready\n"
        assert "key-of-service" not in out + err


@pytest.mark.parametrize(("key", "remedy"), [("key-of-anon", "grant"), ("geheim", "SUPABASE_SERVICE_ROLE_KEY")])
def test_a_key_that_can_not_write_is_said_in_one_line(
    supabase: SupabaseServer, dsn: str, run: Run, monkeypatch: pytest.MonkeyPatch, key: str, remedy: str
) -> None:
    run("--store", dsn)
    monkeypatch.setenv("SUPABASE_ANON_KEY", key)
    code, out, err = run("--store", f"supabase+{supabase.url(dsn)}")
    assert remedy in one_line_without_secret(code, out, err)
    assert out == ""


# -- SQLite --------------------------------------------------------------------------------------------------------


def test_sqlite_says_what_it_added_by_itself(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a b#c.db"
    code, out, err = run("--store", f"sqlite:{path}")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "added historical_ticks, historical_ticks_pair_timestamp, candles",
        f"sqlite:{path}: historical_ticks is ready",
    ]
    assert "nothing to add" in run("--store", f"sqlite:{path}")[1]


def test_a_file_of_quflxs_shape_gets_what_it_lacks_and_keeps_its_rows(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    db = sqlite3.connect(path)
    db.execute(
        "create table historical_ticks (id integer primary key, pair text not null, price real not null,"
        " timestamp integer not null, created_at text default current_timestamp)"
    )
    db.execute("insert into historical_ticks (pair, price, timestamp) values ('A', 1.5, 7), ('A', 1.5, 7)")
    db.commit()
    code, out, _ = run("--store", f"sqlite:{path}")
    assert code == 0
    assert out.startswith("added tick_uid, ts_us, recv_us, source, historical_ticks_uid")
    assert db.execute("select pair, price, timestamp, tick_uid from historical_ticks").fetchall() == [
        ("A", 1.5, 7, None),
        ("A", 1.5, 7, None),
    ]
    db.close()


def test_the_default_store_is_made_in_the_data_directory(run: Run, tmp_path: Path) -> None:
    assert run("--data-dir", str(tmp_path / "data"))[0] == 0
    assert (tmp_path / "data" / "ticks.db").exists()


def test_a_sqlite_path_without_its_folder_is_one_line(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--store", f"sqlite:{tmp_path}/missing/ticks.db")
    assert code == 1
    assert "make its folder" in err
    assert len(err.splitlines()) == 1
