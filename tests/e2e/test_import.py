"""`tickwire import` as users run it: beside a replay, killed in the middle, twice, into every store."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.commands import command, succeed
from support.recordings import CSV_ROWS, recording
from support.store_engines import PostgresEngine, SupabaseEngine
from support.tickwire_process import clean_environment, count_stored, eventually, stored, tickwire

pytestmark = pytest.mark.timeout(120)

ROWS = 120_000
KEY = "key-of-service"


def large_file(folder: Path, rows: int = ROWS) -> Path:
    file = folder / "EURUSD_otc_20260105.csv"
    lines = (f"{1_767_600_000 + row // 4},1.{row % 3 + 1}\n" for row in range(rows))
    file.write_text("time,price\n" + "".join(lines))
    return file


def import_until_it_is_killed(
    file: Path, folder: Path, *store: str, environment: Mapping[str, str] | None = None
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tickwire.runtime.cli", "import", str(file), "--data-dir", "data", *store],
        cwd=folder, env=clean_environment() | dict(environment or {}), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(lambda: list((folder / "data" / "imports").glob("*.json")), "a position is kept")
    finally:
        process.kill()
        process.wait(30)


def report_of(output: str) -> dict[str, object]:
    (report,) = json.loads(output)
    assert isinstance(report, dict)
    return report


def test_an_import_killed_in_the_middle_goes_on_and_stores_every_row_once(tmp_path: Path) -> None:
    file = large_file(tmp_path)
    import_until_it_is_killed(file, tmp_path)
    before = count_stored(tmp_path / "data" / "ticks.db")
    assert 0 < before < ROWS
    report = report_of(succeed("import", str(file), "--data-dir", "data", "--json", folder=tmp_path))
    assert report["resumed_at_line"] > 0  # type: ignore[operator]
    assert (report["rows"], report["new"]) == (ROWS, ROWS - before)
    uids = {uid for uid, *_ in stored(tmp_path / "data" / "ticks.db")}
    assert len(uids) == count_stored(tmp_path / "data" / "ticks.db") == ROWS


def test_postgres_gets_every_row_once_though_the_import_is_killed_and_run_twice_more(
    database: PostgresEngine, tmp_path: Path
) -> None:
    file = large_file(tmp_path)
    store = ("--store", database.server.dsn(database.dsn.rpartition("/")[2], user="writer"))
    import_until_it_is_killed(file, tmp_path, *store)
    for _ in range(2):
        succeed("import", str(file), "--data-dir", "data", *store, folder=tmp_path)
        ((count, distinct),) = database.sql("select count(*), count(distinct tick_uid) from historical_ticks")
        assert (count, distinct) == (ROWS, ROWS)


def test_supabase_gets_every_row_once_though_the_import_is_killed_and_run_twice_more(
    project: SupabaseEngine, tmp_path: Path
) -> None:
    file, key = large_file(tmp_path, ROWS // 6), {"SUPABASE_SERVICE_ROLE_KEY": KEY}
    store = ("--store", f"supabase+{project.url}")
    import_until_it_is_killed(file, tmp_path, *store, environment=key)
    before = len(project.rows())
    assert 0 < before < ROWS // 6
    done = command("import", str(file), "--data-dir", "data", "--json", *store, folder=tmp_path, environment=key)
    report = report_of(done.stdout)
    assert (report["rows"], report["resumed_at_line"] > 0) == (ROWS // 6, True)  # type: ignore[operator]
    succeed("import", str(file), "--data-dir", "data", *store, folder=tmp_path, environment=key)
    uids = [uid for uid, *_ in project.rows()]
    assert (len(uids), len(set(uids))) == (ROWS // 6, ROWS // 6)
    kept = [path.read_text() for path in (tmp_path / "data").rglob("*.json")]
    assert KEY not in "".join([done.stdout, done.stderr, *kept])


@pytest.mark.parametrize("name", sorted(CSV_ROWS))
def test_an_import_and_a_replay_of_one_recorded_csv_are_the_same_rows(name: str, tmp_path: Path) -> None:
    path = recording(f"ticks/{name}")
    report = report_of(succeed("import", str(path), "--data-dir", "data", "--json", folder=tmp_path))
    assert (report["rows"], report["new"], report["bad"]) == (CSV_ROWS[name], CSV_ROWS[name], 0)
    imported = sorted(stored(tmp_path / "data" / "ticks.db"))
    with tickwire("replay", f"{path}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert sorted(stored(tmp_path / "data" / "ticks.db")) == imported


def test_an_import_runs_beside_a_relay_on_the_same_directory(tmp_path: Path) -> None:
    path = recording("ticks/EURUSD_otc_20251015.csv")
    feed = "simulated:?assets=GBPUSD_otc&rate=50"
    with tickwire("run", "--feed", feed, "--batch-interval", "0.2", folder=tmp_path) as app:
        eventually(lambda: count_stored(app.database) > 20, "the relay's own ticks are stored")
        succeed("import", str(path), "--data-dir", "data", folder=tmp_path)
        before = count_stored(app.database)
        eventually(lambda: count_stored(app.database) > before, "the relay goes on storing")
    pairs = [pair for _, pair, *_ in stored(app.database)]
    assert pairs.count("EURUSD_otc") == CSV_ROWS[path.name]


@pytest.mark.parametrize("kind", ["postgres", "supabase"])
def test_recorded_candles_are_imported(kind: str, make: Callable[[str], PostgresEngine], tmp_path: Path) -> None:
    engine = make(kind)
    url = engine.server.dsn(engine.dsn.rpartition("/")[2], user="writer")
    store = ("--store", f"supabase+{engine.url}" if isinstance(engine, SupabaseEngine) else url)
    path, key = recording("candles/AEDCNY_otc_1m_2025_10_25_09_55_35.csv"), {"SUPABASE_SERVICE_ROLE_KEY": KEY}
    for _ in range(2):
        succeed("import", str(path), "--data-dir", "data", *store, folder=tmp_path, environment=key)
    kept = engine.store()
    kept.open()
    candles = kept.candles("AEDCNY_otc", "1m", 0, 2_000_000_000, 500)
    assert len(candles) == 100
    first = candles[0]
    assert (first.open, first.close, first.high, first.low) == (1.80016, 1.80012, 1.80089, 1.79916)
    assert {candle.quality for candle in candles[:-1]} == {"backfilled"}


def test_mistakes_are_said_before_anything_is_written(tmp_path: Path) -> None:
    good, wrong, empty = tmp_path / "EURUSD_20260105.csv", tmp_path / "wrong.csv", tmp_path / "GBPUSD_20260105.csv"
    good.write_text("time,price\n1767600000,1.1\n")
    wrong.write_text("one,two\n1,2\n")
    empty.write_text("time,price\nx,y\n")
    done = command("import", str(good), str(wrong), "--data-dir", "data", folder=tmp_path)
    assert (done.returncode, "wrong.csv has no column timestamp or time" in done.stderr) == (1, True)
    assert not (tmp_path / "data").exists()
    done = command("import", str(empty), "--data-dir", "data", folder=tmp_path)
    assert (done.returncode, "no line of it can be used" in done.stderr) == (1, True)
    assert f"{empty}:2: bad time" in done.stderr
    done = command("import", str(good), "--date", "yesterday", folder=tmp_path)
    assert (done.returncode, "write YYYY-MM-DD" in done.stderr) == (2, True)
    store = ("--store", "postgresql://nobody@127.0.0.1:9/none")
    done = command("import", str(good), "--data-dir", "data", *store, folder=tmp_path)
    assert (done.returncode, "run this again: it goes on where it ended" in done.stderr) == (1, True)


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "EURUSD_20260105.csv"
    file.write_text("time,price\n1767600000,1.1\n1767600001,0\n")
    said = succeed("import", str(file), "--data-dir", "data", "--dry-run", folder=tmp_path)
    assert "1 ticks, nothing written, 1 bad lines" in said
    assert not (tmp_path / "data").exists()
