"""A recording into every store, as users run it: the same rows, whatever happens to the store meanwhile."""

import signal
from pathlib import Path

import pytest
from support.recordings import CSV_ROWS, recording
from support.store_engines import PostgresEngine, Shown, SqliteEngine, SupabaseEngine
from support.tickwire_process import Tickwire, eventually, tickwire

pytestmark = pytest.mark.timeout(120)

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.frames.jsonl"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Shown]:
    """What SQLite gets of the recording."""
    folder = tmp_path_factory.mktemp("sqlite")
    (folder / "data").mkdir()
    engine = SqliteEngine(folder / "data")
    with tickwire("replay", f"{DEMO}?speed=max", folder=folder) as app:
        assert app.wait() == 0, app.logged()
    rows = without_arrival(engine.rows())
    engine.close()
    assert len(rows) > 100
    return rows


def without_arrival(rows: list[Shown]) -> list[Shown]:
    """Sorted, each without the time at which this run received it."""
    return sorted(
        (uid, pair, price, timestamp, ts_us, None, source) for uid, pair, price, timestamp, ts_us, _, source in rows
    )


def writer(engine: PostgresEngine) -> str:
    return engine.server.dsn(engine.dsn.rpartition("/")[2], user="writer")


def test_postgres_gets_the_same_rows_as_sqlite(database: PostgresEngine, expected: list[Shown], tmp_path: Path) -> None:
    with tickwire("replay", f"{DEMO}?speed=max", "--store", writer(database), folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert without_arrival(database.rows()) == expected


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "options", "rows"),
    [*((name, "", rows) for name, rows in sorted(CSV_ROWS.items())), ("EURUSD_otc_subsecond.csv", "&unique=1", 8_772)],
)
def test_postgres_gets_every_data_row_of_a_recorded_csv(
    name: str, options: str, rows: int, database: PostgresEngine, tmp_path: Path
) -> None:
    path = recording(f"ticks/{name}")
    with tickwire("replay", f"{path}?speed=max{options}", "--store", writer(database), folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    stored = database.rows()
    assert (len(stored), len({uid for uid, *_ in stored})) == (rows, rows)


def test_supabase_gets_the_same_rows_as_sqlite_and_its_key_shows_nowhere(
    project: SupabaseEngine, expected: list[Shown], tmp_path: Path
) -> None:
    store = f"supabase+{project.url}"
    keys = {"SUPABASE_SERVICE_ROLE_KEY": "key-of-service"}
    with tickwire("replay", f"{DEMO}?speed=max", "--store", store, folder=tmp_path, environment=keys) as app:
        assert app.wait() == 0, app.logged()
        assert "key-of-service" not in app.logged()
    assert without_arrival(project.rows()) == expected


def test_a_store_that_is_down_at_start_gets_every_row_once_it_is_there(
    database: PostgresEngine, expected: list[Shown], tmp_path: Path
) -> None:
    database.server.stop()
    try:
        with tickwire("replay", f"{DEMO}?speed=max", "--store", writer(database), folder=tmp_path) as app:
            eventually(lambda: "store_holds" in app.logged(), "the log says that the store is not there")
            assert app.process.poll() is None
            database.server.start()
            assert app.wait() == 0, app.logged()
    finally:
        database.server.stop()
        database.server.start()
    assert without_arrival(database.rows()) == expected


def test_a_store_restarted_and_frozen_in_mid_run_gets_every_row_once(
    database: PostgresEngine, expected: list[Shown], tmp_path: Path
) -> None:
    arguments = ("--store", writer(database), "--batch-interval", "0.2")
    with tickwire("replay", f"{DEMO}?speed=20", *arguments, folder=tmp_path) as app:
        eventually(lambda: bool(database.rows()), "the first rows are stored")
        database.server.stop()
        eventually(lambda: "store_holds" in app.logged(), "the log says that the store is gone")
        database.server.start()
        before = len(database.rows())
        eventually(lambda: len(database.rows()) > before or app.process.poll() is not None, "more rows are stored")
        database.server.freeze()
        database.server.thaw()
        assert app.wait() == 0, app.logged()
    assert without_arrival(database.rows()) == expected


def test_a_stop_while_the_store_stands_still_ends_and_the_next_start_stores_the_rest(
    database: PostgresEngine, expected: list[Shown], tmp_path: Path
) -> None:
    arguments = ("--store", writer(database), "--batch-interval", "0.2")
    with tickwire("run", "--feed", f"replay:{DEMO}?speed=20", *arguments, folder=tmp_path) as app:
        eventually(lambda: bool(database.rows()), "the first rows are stored")
        database.server.freeze()
        try:
            eventually(lambda: ended(app), "the recording is at its end")
            app.signal(signal.SIGTERM)
            assert app.wait() == 0, app.logged()
        finally:
            database.server.thaw()
    assert "left_in_the_spool" in app.logged()
    silent = f"replay:{DEMO}?delay=3600"
    with tickwire("run", "--feed", silent, *arguments, folder=tmp_path, data_dir=app.data_dir) as app:
        eventually(lambda: without_arrival(database.rows()) == expected, "the rest is stored, once")
        app.signal(signal.SIGTERM)
        assert app.wait() == 0, app.logged()


def ended(app: Tickwire) -> bool:
    feeds: dict[str, dict[str, str]] = app.get("/readyz")["feeds"]
    return {feed["state"] for feed in feeds.values()} == {"ended"}
