"""What actors may rely on from a store: on SQLite, Postgres, Supabase's look-alike, and the double of actors' tests."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.postgres import PostgresServer
from support.store_engines import (
    Engine,
    MemoryEngine,
    PostgresEngine,
    SqliteEngine,
    SupabaseEngine,
    shown,
)

from tickwire.actors.ports import StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.market.rows import Row
from tickwire.runtime.stores.limits import Limits
from tickwire.runtime.stores.postgres import PostgresStore

pytestmark = pytest.mark.timeout(60)

ASSET = "EURUSD_otc"
START_S = 1_756_866_774
START_US = START_S * 1_000_000
SHORT = Limits(call_s=0.5, hurried_s=0.5)
NEVER = Limits(call_s=3600.0, hurried_s=0.5)

Make = Callable[..., Engine]


@pytest.fixture(params=["sqlite", "postgres", "supabase", "memory"])
def engine(request: pytest.FixtureRequest, make: Make) -> Engine:
    return make(request.param)


@pytest.fixture(params=["postgres", "supabase"])
def served(request: pytest.FixtureRequest, make: Make) -> PostgresEngine:
    """An engine with a server that can be stopped."""
    made = make(request.param)
    assert isinstance(made, PostgresEngine)
    return made


def row(number: int, **other: object) -> Row:
    """One a millisecond."""
    fields: dict[str, object] = {
        "uid": f"01993a00-0000-8000-8000-{number:012d}",
        "pair": ASSET,
        "price": f"1.{10000 + number}",
        "ts_us": START_US + number * 1000,
        "recv_us": START_US + number * 1000 + 250,
        "source": "pocketoption",
    }
    return Row(**(fields | other))  # type: ignore[arg-type]


# -- writing -------------------------------------------------------------------------------------------------------


def test_rows_are_there_with_all_they_held_in_the_order_they_came(engine: Engine) -> None:
    store = engine.store()
    store.open()
    rows = [row(1), row(2, pair="#AAPL_otc", source="coinbase"), row(3, pair="XBT/USD", price="64000.5")]
    assert store.write(rows) == 3
    assert engine.rows() == [shown(each) for each in rows]


def test_rows_written_again_are_there_once_and_only_new_ones_are_counted(engine: Engine) -> None:
    store = engine.store()
    assert store.write([row(1), row(2), row(3)]) == 3
    assert store.write([row(2), row(3), row(4)]) == 1
    assert store.write([row(1), row(4)]) == 0
    assert [each[0] for each in engine.rows()] == [row(number).uid for number in (1, 2, 3, 4)]


def test_a_row_twice_in_one_batch_is_there_once(engine: Engine) -> None:
    assert engine.store().write([row(1), row(2), row(1)]) == 2
    assert len(engine.rows()) == 2


def test_the_first_writing_of_a_uid_stays(engine: Engine) -> None:
    store = engine.store()
    store.write([row(1, price="1.5")])
    store.write([row(1, price="2.5"), row(2)])
    assert [each[2] for each in engine.rows()] == ["1.5", "1.10002"]


def test_nothing_to_write_is_no_error(engine: Engine) -> None:
    assert engine.store().write([]) == 0


def test_a_batch_as_large_as_the_store_takes_is_written_whole(engine: Engine) -> None:
    store = engine.store()
    assert store.write([row(number) for number in range(store.batch_rows)]) == store.batch_rows
    assert len(engine.rows()) == store.batch_rows


BAD: dict[str, dict[str, object]] = {
    "price NaN": {"price": "NaN"},
    "price infinite": {"price": "Infinity"},
    "price 0": {"price": "0"},
    "price 0.000": {"price": "0.000"},
    "price negative": {"price": "-1.5"},
    "price 1e10": {"price": "10000000000"},
    "price with exponent": {"price": "1e5"},
    "price of 11 decimals": {"price": "1.12345678901"},
    "price empty": {"price": ""},
    "price no number": {"price": "abc"},
    "price of other digits": {"price": "\u0661.\u0665"},
    "pair too long": {"pair": "A" * 21},
    "pair empty": {"pair": ""},
    "pair with a NUL": {"pair": "A\0B"},
    "pair with a lone surrogate": {"pair": "A\ud800"},
    "uid no UUID": {"uid": "nonsense"},
    "stamp too great": {"ts_us": 2**63},
    "stamp no number": {"ts_us": None},
    "arrival too great": {"recv_us": 2**63},
    "source with a line break": {"source": "a\nb"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_refused_and_none_of_its_batch_is_written(engine: Engine, name: str) -> None:
    store = engine.store()
    with pytest.raises(StoreRefusedRows):
        store.write([row(1), row(2, **BAD[name]), row(3)])
    assert engine.rows() == []
    assert store.write([row(1), row(3)]) == 2


def test_what_the_tables_own_constraint_refuses_is_bad_data_and_none_of_its_batch_is_written(engine: Engine) -> None:
    engine.refuse_pair("UNWANTED")
    store = engine.store()
    with pytest.raises(StoreRefusedRows):
        store.write([row(1), row(2, pair="UNWANTED")])
    assert engine.rows() == []
    assert store.write([row(1)]) == 1


def test_writers_at_the_same_time_write_each_row_once(engine: Engine) -> None:
    batches = [[row(number) for number in range(first, first + 40)] for first in range(0, 400, 20)]

    def write_all(_: int) -> int:
        store = engine.store()
        new = 0
        for batch in batches:
            while True:
                try:
                    new += store.write(batch) or 0
                    break
                except StoreUnavailable:
                    continue
        return new

    with ThreadPoolExecutor(3) as pool:
        news = list(pool.map(write_all, range(1 if isinstance(engine, MemoryEngine) else 3)))
    assert sum(news) == len(engine.rows()) == 420


# -- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "read"),
    [
        ("1.06548", "1.06548"),
        ("0.0000000001", "0.0000000001"),
        ("99999.9999999999", "99999.9999999999"),
        ("123456789.123456", "123456789.123456"),
        ("64000", "64000"),
        ("100", "100"),
        ("0.1", "0.1"),
        ("1.10", "1.1"),
    ],
)
def test_a_price_is_read_as_it_was_written_but_for_zeros_at_its_end(engine: Engine, price: str, read: str) -> None:
    store = engine.store()
    store.write([row(1, price=price)])
    assert list(store.ticks(ASSET, 0, 2**62, 10)) == [(row(1).ts_us, read)]


def test_ticks_are_read_ascending_from_the_first_stamp_to_before_the_last(engine: Engine) -> None:
    store = engine.store()
    store.write([row(number) for number in (5, 3, 1, 4, 2)])
    ticks = store.ticks(ASSET, row(2).ts_us, row(4).ts_us, 10)
    assert list(ticks) == [(row(2).ts_us, "1.10002"), (row(3).ts_us, "1.10003")]


def test_a_limit_keeps_the_newest(engine: Engine) -> None:
    store = engine.store()
    store.write([row(number) for number in range(1, 6)])
    assert [price for _, price in store.ticks(ASSET, 0, 2**62, 2)] == ["1.10004", "1.10005"]


def test_ticks_of_one_stamp_are_read_in_the_order_they_were_inserted(engine: Engine) -> None:
    store = engine.store()
    store.write([row(number, ts_us=START_US) for number in (3, 1, 2)])
    assert [price for _, price in store.ticks(ASSET, 0, 2**62, 10)] == ["1.10003", "1.10001", "1.10002"]


def test_more_ticks_are_read_than_a_page_of_supabase_holds(engine: Engine) -> None:
    store = engine.store()
    rows = [row(number) for number in range(2300)]
    store.write(rows[:1200])
    store.write(rows[1200:])
    read = store.ticks(ASSET, 0, 2**62, 2200)
    assert [ts_us for ts_us, _ in read] == [each.ts_us for each in rows[100:]]


def test_only_the_asset_that_was_asked_for_is_read(engine: Engine) -> None:
    store = engine.store()
    odd = ["#AAPL_otc", "XBT/USD", "TON-USD_otc", "a.b,c", "(x)"]
    store.write([row(number, pair=pair) for number, pair in enumerate([ASSET, *odd])])
    for number, pair in enumerate(odd, 1):
        assert list(store.ticks(pair, 0, 2**62, 10)) == [(row(number).ts_us, f"1.{10000 + number}")]
        assert store.newest_ts_us(pair) == row(number).ts_us
    assert list(store.ticks("EURUSD", 0, 2**62, 10)) == []


def test_the_newest_stamp_is_by_time_and_none_where_there_is_no_tick(engine: Engine) -> None:
    store = engine.store()
    assert store.newest_ts_us(ASSET) is None
    store.write([row(7), row(9), row(8)])
    assert store.newest_ts_us(ASSET) == row(9).ts_us


def test_rows_of_old_writers_are_read_by_their_whole_second_and_never_collide(engine: Engine) -> None:
    store = engine.store()
    for price in ("1.5", "1.5", "2.5"):
        engine.old_row(ASSET, price, START_S)
    store.write([row(1), row(2, ts_us=START_US + 2_000_000)])
    engine.old_row(ASSET, "3.5", START_S + 1)
    ticks = list(store.ticks(ASSET, START_US, START_US + 2_000_000, 10))
    assert ticks == [
        (START_US, "1.5"),
        (START_US, "1.5"),
        (START_US, "2.5"),
        (START_US + 1000, "1.10001"),
        (START_US + 1_000_000, "3.5"),
    ]
    assert list(store.ticks(ASSET, START_US + 1, START_US + 1_000_000, 10)) == [(START_US + 1000, "1.10001")]
    engine.old_row("GBPUSD", "3.5", START_S + 5)
    assert store.newest_ts_us("GBPUSD") == (START_S + 5) * 1_000_000


def test_a_store_may_be_opened_again_and_used_by_several(engine: Engine) -> None:
    writer, reader = engine.store(), engine.store()
    writer.open()
    writer.open()
    reader.open()
    writer.write([row(1)])
    assert reader.newest_ts_us(ASSET) == row(1).ts_us


# -- servers that fail ---------------------------------------------------------------------------------------------


def test_a_server_that_stands_still_is_unavailable_within_the_limit_and_no_row_is_lost_or_doubled(
    served: PostgresEngine,
) -> None:
    store = served.store(SHORT)
    served.store().write([row(1)])
    served.server.freeze()
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as refused:
                store.write([row(2)])
            assert refused.value.timed_out
        with pytest.raises(StoreUnavailable):
            store.ticks(ASSET, 0, 2**62, 10)
        with pytest.raises(StoreUnavailable):
            store.newest_ts_us(ASSET)
    finally:
        served.server.thaw()
    served.store().write([row(2), row(3)])
    assert sorted(str(each[0]) for each in served.rows()) == [row(number).uid for number in (1, 2, 3)]


def test_after_hurry_a_call_takes_no_longer_than_at_stop(served: PostgresEngine) -> None:
    store = served.store(NEVER)
    store.write([row(1)])
    store.hurry(True)
    served.server.freeze()
    try:
        with pytest.raises(StoreUnavailable) as refused:
            store.write([row(2)])
        assert refused.value.timed_out
    finally:
        served.server.thaw()


def test_a_hurry_that_is_over_leaves_calls_their_time_again(served: PostgresEngine) -> None:
    store = served.store(Limits(call_s=NEVER.hurried_s, hurried_s=NEVER.call_s))
    store.hurry(True)
    store.write([row(1)])
    store.hurry(False)
    served.server.freeze()
    try:
        with pytest.raises(StoreUnavailable) as refused:
            store.write([row(2)])
        assert refused.value.timed_out
    finally:
        served.server.thaw()


def test_a_server_that_was_restarted_is_used_again_by_the_same_store(served: PostgresEngine) -> None:
    store = served.store()
    store.write([row(1)])
    served.server.stop()
    try:
        with pytest.raises(StoreUnavailable):
            store.write([row(2)])
        with pytest.raises(StoreUnavailable):
            store.open()
    finally:
        served.server.start()
    assert _until_it_answers(lambda: store.write([row(1), row(2)])) == 1
    assert len(served.rows()) == 2


def _until_it_answers(call: Callable[[], int | None]) -> int | None:
    """The look-alike's pool may hand out connections of before: each try ends one."""
    for _ in range(20):
        try:
            return call()
        except StoreUnavailable:
            continue
    return call()


def test_without_rights_it_is_misconfigured_until_they_are_given(served: PostgresEngine) -> None:
    store = served.store()
    store.open()
    served.sql("revoke insert on historical_ticks from authenticated")
    with pytest.raises(StoreMisconfigured, match="grant select and insert"):
        store.write([row(1)])
    served.sql("grant insert on historical_ticks to authenticated")
    assert store.write([row(1)]) == 1


def test_without_a_policy_it_is_misconfigured(served: PostgresEngine) -> None:
    served.sql("drop policy historical_ticks_write on historical_ticks")
    with pytest.raises(StoreMisconfigured, match="policies"):
        served.store().write([row(1)])


@pytest.mark.parametrize("name", ["postgres", "supabase"])
def test_a_missing_table_names_the_command_that_makes_it(make: Make, name: str) -> None:
    store = make(name, migrated=False).store()
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        store.open()
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        store.write([row(1)])
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        store.newest_ts_us(ASSET)


@pytest.mark.parametrize("name", ["postgres", "supabase"])
@pytest.mark.parametrize(
    "change",
    ["drop index historical_ticks_uid", "alter table historical_ticks drop column recv_us"],
)
def test_a_table_that_lacks_something_names_the_command_that_mends_it(make: Make, name: str, change: str) -> None:
    engine = make(name)
    assert isinstance(engine, PostgresEngine)
    engine.sql(change)
    store = engine.store()
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        store.write([row(1)])
    if name == "postgres" or "column" in change:
        with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
            store.open()


@pytest.mark.parametrize(
    ("user", "database", "remedy"),
    [("nobody_of_this_name", "postgres", "check the user"), ("writer", "no_such_database", "check the database")],
)
def test_a_login_that_postgres_refuses_says_what_to_check(
    postgres: PostgresServer, user: str, database: str, remedy: str
) -> None:
    store = PostgresStore(postgres.dsn(database, user=user))
    with pytest.raises(StoreMisconfigured, match=remedy):
        store.open()


@pytest.mark.parametrize(("key", "remedy"), [("no-such-key", "SERVICE_ROLE_KEY"), ("key-of-anon", "grant")])
def test_a_key_that_may_not_write_is_misconfigured_and_never_shown(make: Make, key: str, remedy: str) -> None:
    engine = make("supabase")
    assert isinstance(engine, SupabaseEngine)
    store = engine.with_key(key)
    try:
        with pytest.raises(StoreMisconfigured, match=remedy) as refused:
            store.write([row(1)])
    finally:
        store.close()
    assert key not in str(refused.value)


def test_the_service_role_key_writes_whatever_the_policies_say(make: Make) -> None:
    engine = make("supabase")
    assert isinstance(engine, SupabaseEngine)
    engine.sql("drop policy historical_ticks_write on historical_ticks")
    store = engine.with_key("key-of-service")
    try:
        assert store.write([row(1)]) == 1
    finally:
        store.close()


def test_checking_a_key_writes_nothing(make: Make) -> None:
    engine = make("supabase")
    assert isinstance(engine, SupabaseEngine)
    store = engine.with_key("key-of-authenticated")
    try:
        store.check_key()
    finally:
        store.close()
    assert engine.rows() == []


def test_a_session_that_a_pooler_hands_out_afresh_is_as_good_as_the_old_one(make: Make) -> None:
    """`discard all` is what PgBouncer sends between clients."""
    engine = make("postgres")
    assert isinstance(engine, PostgresEngine)
    store = engine.store()
    assert isinstance(store, PostgresStore)
    for number in range(8):
        assert store.write([row(number)]) == 1
        assert len(store.ticks(ASSET, 0, 2**62, 100)) == number + 1
        prepared = store._call(
            lambda session: session.execute("select count(*) from pg_prepared_statements").fetchall()
        )
        settings = store._call(lambda session: session.execute("show statement_timeout").fetchall())
        assert (prepared, settings) == ([(0,)], [("0",)])
        store._call(lambda session: session.execute("discard all"))


def test_a_sqlite_file_that_another_holds_is_unavailable_within_the_limit(tmp_path: Path) -> None:
    import sqlite3

    engine = SqliteEngine(tmp_path)
    store = engine.store(SHORT)
    store.open()
    holder = sqlite3.connect(engine.path, isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(StoreUnavailable) as refused:
        store.write([row(1)])
    holder.execute("rollback")
    holder.close()
    assert refused.value.timed_out
    assert store.write([row(1)]) == 1
    engine.close()
