"""What actors may rely on from a store's candles: on SQLite, Postgres, Supabase's look-alike, and the double."""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest
from support.postgres import PostgresServer
from support.store_engines import Engine, PostgresEngine

from tickwire.actors.ports import StoreMisconfigured, StoreRefusedRows
from tickwire.market.candle_rows import CandleRow, best, worth
from tickwire.messages.candles import Candle
from tickwire.runtime.stores.migrate import migrate

pytestmark = pytest.mark.timeout(60)

ASSET = "EURUSD_otc"
START = 1_756_866_780
EVER = 2**62
Make = Callable[..., Engine]


@pytest.fixture(params=["sqlite", "postgres", "supabase", "memory"])
def engine(request: pytest.FixtureRequest, make: Make) -> Engine:
    return make(request.param)


def candle(number: int = 0, **other: Any) -> Candle:
    """One a minute."""
    fields: dict[str, Any] = {
        "timestamp": START + 60 * number,
        "open": 1.0653,
        "high": 1.06548,
        "low": 1.0651,
        "close": 1.0652,
        "volume": 0.0,
        "is_closed": True,
        "timeframe": "1m",
        "ticks": 118,
        "quality": "live",
    }
    return Candle(**(fields | other))


def row(number: int = 0, asset: str = ASSET, **other: Any) -> CandleRow:
    return CandleRow(asset, candle(number, **other))


def test_candles_are_read_as_they_were_written(engine: Engine) -> None:
    store = engine.store()
    store.open()
    odd = [row(1, "#AAPL_otc"), row(1, "XBT/USD", high=64000.5, close=64000.125, quality="gap"), row(1, "(x),y.z")]
    fine = row(2, open=0.0000000123, low=0.0000000123, quality="backfilled", ticks=0, volume=12.5)
    longer = CandleRow(ASSET, candle(timestamp=START // 86_400 * 86_400, timeframe="1d", quality="partial"))
    assert store.write_candles([*odd, fine, longer]) == 5
    for each in [*odd, fine, longer]:
        assert list(store.candles(each.asset, each.candle.timeframe, 0, EVER, 10)) == [each.candle]


def test_candles_are_read_ascending_from_the_first_second_to_before_the_last_and_a_limit_keeps_the_newest(
    engine: Engine,
) -> None:
    store = engine.store()
    store.write_candles([row(number) for number in (5, 3, 1, 4, 2)])

    def read(first: int, last: int, limit: int) -> list[int]:
        found = store.candles(ASSET, "1m", START + 60 * first, START + 60 * last, limit)
        return [(each.timestamp - START) // 60 for each in found]

    assert read(2, 5, 10) == [2, 3, 4]
    assert read(0, 100, 2) == [4, 5]
    assert read(6, 100, 10) == []
    assert read(0, 100, 0) == []
    assert list(store.candles("NOBODY", "1m", 0, EVER, 10)) == []
    assert list(store.candles(ASSET, "5m", 0, EVER, 10)) == []


def test_candles_written_again_are_there_once_and_only_better_ones_are_counted(engine: Engine) -> None:
    store = engine.store()
    assert store.write_candles([row(1), row(2)]) == 2
    assert store.write_candles([row(1), row(2)]) == 0
    assert store.write_candles([row(1, ticks=119, high=1.07), row(2, ticks=117), row(3)]) == 2
    assert [each.ticks for each in store.candles(ASSET, "1m", 0, EVER, 10)] == [119, 118, 118]


def test_one_candle_twice_in_one_call_is_its_better_state(engine: Engine) -> None:
    store = engine.store()
    assert store.write_candles([row(1, ticks=3), row(1, ticks=5), row(1, ticks=4)]) == 1
    assert [each.ticks for each in store.candles(ASSET, "1m", 0, EVER, 10)] == [5]


STATES = (
    {"quality": "partial", "ticks": 40, "high": 1.07},
    {"quality": "backfilled", "ticks": 0},
    {"quality": "live", "ticks": 118},
    {"quality": "live", "ticks": 119, "close": 1.0654},
)
"""One candle's life, from what is known worst to what is known best."""
EQUALLY_WELL = (
    {"quality": "gap", "ticks": 9},
    {"quality": "partial", "ticks": 9},
    {"quality": "partial", "ticks": 9, "high": 1.066},
    {"quality": "partial", "ticks": 9, "high": 1.066, "low": 1.064},
    {"quality": "partial", "ticks": 9, "high": 1.066, "low": 1.064, "close": 1.0653},
    {"quality": "partial", "ticks": 9, "high": 1.066, "low": 1.064, "close": 1.0653, "open": 1.0654},
)


@pytest.mark.parametrize("states", [STATES, EQUALLY_WELL])
def test_whatever_order_a_candles_states_come_in_the_best_known_stays(
    engine: Engine, states: tuple[dict[str, Any], ...]
) -> None:
    store = engine.store()
    orders = [*permutations(states)][:: max(1, len([*permutations(states)]) // 24)]
    for number, order in enumerate(orders):
        for state in order:
            store.write_candles([row(number, **state)])
        store.write_candles([row(number, **states[0])])
    expected = [candle(number, **states[-1]) for number in range(len(orders))]
    assert list(store.candles(ASSET, "1m", 0, EVER, 1000)) == expected
    ranks = [worth(candle(**state)) for state in states]
    assert ranks == sorted(ranks)
    assert best([row(**state) for state in reversed(states)]) == [row(**states[-1])]


BAD: dict[str, dict[str, Any]] = {
    "price NaN": {"high": float("nan")},
    "price infinite": {"high": float("inf")},
    "price 0": {"low": 0.0},
    "price 1e10": {"high": 1e10},
    "low above open": {"low": 1.0654},
    "high below close": {"high": 1.0651},
    "no timeframe": {"timeframe": "7m"},
    "in the middle of its bucket": {"timestamp": START + 1},
    "still open": {"is_closed": False},
    "of no quality": {"quality": "good"},
    "ticks below 0": {"ticks": -1},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_candle_is_refused_and_none_of_its_batch_is_written(engine: Engine, name: str) -> None:
    store = engine.store()
    with pytest.raises(StoreRefusedRows):
        store.write_candles([row(1), row(2, **BAD[name]), row(3)])
    assert list(store.candles(ASSET, "1m", 0, EVER, 10)) == []


def test_what_the_tables_own_constraint_refuses_is_bad_data_and_none_of_its_batch_is_written(engine: Engine) -> None:
    engine.refuse_pair("UNWANTED")
    store = engine.store()
    with pytest.raises(StoreRefusedRows):
        store.write_candles([row(1), row(2, "UNWANTED")])
    assert list(store.candles(ASSET, "1m", 0, EVER, 10)) == []
    assert store.write_candles([row(1)]) == 1


def test_nothing_to_write_is_no_error(engine: Engine) -> None:
    assert engine.store().write_candles([]) == 0


def test_a_day_of_minutes_is_written_and_read_at_once(engine: Engine) -> None:
    store = engine.store()
    rows = [row(number) for number in range(1440)]
    assert store.write_candles(rows) == 1440
    assert list(store.candles(ASSET, "1m", 0, EVER, 2000)) == [each.candle for each in rows]


# -- servers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["postgres", "supabase"])
def test_a_missing_table_names_the_command_that_makes_it(make: Make, name: str) -> None:
    store = make(name, migrated=False).store()
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        store.write_candles([row(1)])
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        store.candles(ASSET, "1m", 0, EVER, 10)


@pytest.mark.parametrize("name", ["postgres", "supabase"])
def test_a_missing_index_names_the_command_that_makes_it(make: Make, name: str) -> None:
    engine = make(name)
    assert isinstance(engine, PostgresEngine)
    engine.sql("drop index candles_asset_timeframe_timestamp")
    with pytest.raises(StoreMisconfigured, match="tickwire migrate"):
        engine.store().write_candles([row(1)])


@pytest.mark.parametrize("right", ["update on candles", "insert on candles", "insert on assets"])
def test_without_a_right_it_is_misconfigured_and_says_which_are_needed(make: Make, right: str) -> None:
    """Not on the look-alike, which calls functions with its own rights."""
    engine = make("postgres")
    assert isinstance(engine, PostgresEngine)
    engine.sql(f"revoke {right} from authenticated")
    with pytest.raises(StoreMisconfigured, match="insert and update on candles"):
        engine.store().write_candles([row(1)])


QUFLX: tuple[str, ...] = (
    "create table assets (id uuid primary key default gen_random_uuid(), symbol varchar(20) unique not null,"
    " base_currency varchar(10), quote_currency varchar(10), display_name text, asset_type varchar(20),"
    " is_active boolean default true)",
    "create table candles (asset_id uuid references assets (id), timeframe varchar(10) not null,"
    " timestamp timestamptz not null, open double precision, high double precision, low double precision,"
    " close double precision, volume double precision)",
    "insert into assets (symbol) values ('EURUSD_otc')",
    "insert into candles select id, '1m', to_timestamp(1756866780), 1.5, 1.75, 1.25, 1.5, 3 from assets",
)


@pytest.fixture
def quflx(postgres: PostgresServer) -> Iterator[str]:
    dsn = postgres.create_database()
    for statement in QUFLX:
        postgres.sql(dsn, statement)
    yield dsn
    postgres.drop_database(dsn)


def test_quflxs_table_is_kept_and_used_through_its_assets(postgres: PostgresServer, quflx: str) -> None:
    from tickwire.runtime.stores.postgres import PostgresStore

    migrate(quflx, tell=lambda _: None)
    migrate(quflx, tell=lambda _: None)
    store = PostgresStore(quflx)
    try:
        store.check_candles()
        (old,) = store.candles(ASSET, "1m", 0, EVER, 10)
        assert (old.open, old.high, old.low, old.close, old.volume) == (1.5, 1.75, 1.25, 1.5, 3.0)
        assert (old.ticks, old.quality) == (0, "backfilled")
        assert store.write_candles([row(0), row(1), row(0, "#AAPL_otc")]) == 3
        assert list(store.candles(ASSET, "1m", 0, EVER, 10)) == [candle(0), candle(1)]
    finally:
        store.close()
    counted = postgres.sql(quflx, "select symbol, count(*) from candles join assets on id = asset_id group by 1")
    assert sorted(counted) == [("#AAPL_otc", 1), (ASSET, 2)]


def test_an_old_writers_candle_is_bettered_only_by_a_whole_one(postgres: PostgresServer, quflx: str) -> None:
    from tickwire.runtime.stores.postgres import PostgresStore

    migrate(quflx, tell=lambda _: None)
    store = PostgresStore(quflx)
    try:
        assert store.write_candles([row(0, quality="partial", ticks=50)]) == 0
        assert store.write_candles([row(0, quality="live", ticks=1)]) == 1
    finally:
        store.close()


def test_old_writers_go_on_with_the_migrated_table(postgres: PostgresServer, quflx: str) -> None:
    migrate(quflx, tell=lambda _: None)
    postgres.sql(quflx, QUFLX[-1].replace("1756866780", "1756866840"))
    assert postgres.sql(quflx, "select count(*) from candles where ticks is null") == [(2,)]


def test_candles_that_are_there_twice_are_named_with_the_remedy(postgres: PostgresServer, quflx: str) -> None:
    postgres.sql(quflx, QUFLX[-1])
    with pytest.raises(StoreMisconfigured, match="delete the rows of candles that repeat"):
        migrate(quflx, tell=lambda _: None)
    postgres.sql(quflx, "delete from candles where ctid = (select max(ctid) from candles)")
    told: list[str] = []
    migrate(quflx, tell=told.append)
    assert "public.candles_asset_timeframe_timestamp removed: it was left half built" in told
