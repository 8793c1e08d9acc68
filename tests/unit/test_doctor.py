"""The doctor's judgement where no server is needed: disk, open files, clocks, data directory, feeds."""

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import free_port

from tickwire.config.settings import Settings
from tickwire.config.urls import parse_feed
from tickwire.market.rows import Row
from tickwire.runtime.doctor.examination import embedded_engine
from tickwire.runtime.doctor.feeds import check_feeds
from tickwire.runtime.doctor.findings import Finding, told
from tickwire.runtime.doctor.folder import check_folder, disk
from tickwire.runtime.doctor.machine import check_machine, files
from tickwire.runtime.doctor.redis_server import compared, version
from tickwire.runtime.doctor.stores import PROBE, check_store
from tickwire.runtime.redisio import engines
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SqliteSpool
from tickwire.runtime.stores.sqlite import SqliteStore

GIB = 1024**3
ROW = Row("01993a00-0000-8000-8000-000000000001", "EURUSD_otc", "1.5", 7, 9, "pocketoption")


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_what_is_wrong_always_has_a_remedy_and_what_is_not_has_none(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"no database" * 1000)
    found = [*check_machine(), *check_folder(tmp_path, None, rate=None), disk(tmp_path, 0, None), files(3)]
    assert {finding.state for finding in found} == {"ok", "warning", "failed"}
    for finding in found:
        assert bool(finding.remedy) == (finding.state != "ok"), finding


@pytest.mark.parametrize(
    ("free", "rate", "state"),
    [(50 * GIB, None, "ok"), (50 * GIB, 1000.0, "ok"), (2 * GIB, 1000.0, "warning"), (GIB // 2, 1.0, "warning"),
     (10 * 1024**2, 1.0, "failed")],
)  # fmt: skip
def test_room_on_the_disk_is_judged_by_what_a_day_without_the_store_takes(
    free: int, rate: float | None, state: str
) -> None:
    assert disk(Path("data"), free, rate).state == state


@pytest.mark.parametrize(("limit", "state"), [(None, "ok"), (1024, "ok"), (256, "warning")])
def test_few_open_files_are_a_warning(limit: int | None, state: str) -> None:
    assert files(limit).state == state


@pytest.mark.parametrize(
    ("ahead_s", "exact_s", "state"),
    [(0.3, 0.0, "ok"), (-2.0, 0.0, "warning"), (7200.0, 0.0, "failed"), (1.4, 0.5, "ok"), (-1.6, 0.5, "warning")],
)
def test_clocks_apart_are_told_as_exactly_as_they_can_be(ahead_s: float, exact_s: float, state: str) -> None:
    found = compared("redis clock", ahead_s, exact_s=exact_s)
    assert found.state == state
    assert ("ahead of" if ahead_s > 0 else "behind") in found.seen


@pytest.mark.parametrize(
    ("info", "state"),
    [({"redis_version": "6.0.16"}, "failed"), ({"redis_version": "6.2.0"}, "ok"), ({"redis_version": "8.2.1"}, "ok"),
     ({"redis_version": "7.2.4", "valkey_version": "9.0.1"}, "ok"), ({}, "failed")],
)  # fmt: skip
def test_servers_older_than_6_2_are_too_old(info: dict[str, str], state: str) -> None:
    assert version(info).state == state


def test_the_text_of_an_error_is_taken_apart_at_its_remedy() -> None:
    found = told("store", "42P01: no table; columns; run `tickwire migrate`")
    assert (found.seen, found.remedy) == ("42P01: no table; columns", "run `tickwire migrate`")


# -- the data directory --------------------------------------------------------------------------------------------


def test_a_directory_that_is_not_there_yet_is_in_order_and_is_not_made(tmp_path: Path) -> None:
    found = by_check(check_folder(tmp_path / "a" / "b", None, rate=None))
    assert found["data directory"].state == "ok"
    assert "not made yet" in found["data directory"].seen
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    found = by_check(check_folder(tmp_path / "data", None, rate=None))
    assert found["data directory"].state == "failed"
    assert "--data-dir" in found["data directory"].remedy


def test_a_spool_with_entries_and_nobody_at_work_is_a_warning(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "spool.db", now_ms=lambda: 1, run_id="r")
    spool.commit([b"entry", b"another"], {})
    spool.close()
    found = by_check(check_folder(tmp_path, None, rate=None))["spool"]
    assert found.state == "warning"
    assert "2 entries" in found.seen


def test_a_spool_is_looked_at_while_it_is_open_elsewhere(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "spool.db", now_ms=lambda: 1, run_id="r")
    spool.commit([b"entry"], {})
    assert "1 entries" in by_check(check_folder(tmp_path, None, rate=None))["spool"].seen
    spool.commit([b"another"], {})
    spool.close()


def test_a_damaged_spool_is_found_with_the_remedy(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "spool.db", now_ms=lambda: 1, run_id="r")
    spool.commit([b"x" * 4000 for _ in range(20)], {})
    spool.close()
    with (tmp_path / "spool.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)
    found = by_check(check_folder(tmp_path, None, rate=None))["spool"]
    assert found.state == "failed"
    assert "aside" in found.remedy
    SqliteSpool(tmp_path / "spool.db", now_ms=lambda: 1, run_id="r").close()
    after = by_check(check_folder(tmp_path, None, rate=None))
    assert after["spool"].state != "failed"
    assert "spool.db.damaged-" in after["damaged files"].seen


def test_what_is_quarantined_is_a_warning(tmp_path: Path) -> None:
    quarantine = SqliteQuarantine(tmp_path / "quarantine.db")
    quarantine.put([ROW], "refused")
    quarantine.close()
    assert by_check(check_folder(tmp_path, None, rate=None))["quarantine"].state == "warning"


# -- SQLite as the store -------------------------------------------------------------------------------------------


def store_of(url: str, folder: Path) -> dict[str, Finding]:
    return by_check(check_store(Settings.model_validate({"store": {"url": url}, "data_dir": folder})))


def test_a_good_file_is_tried_without_leaving_a_row(tmp_path: Path) -> None:
    made = SqliteStore(tmp_path / "ticks.db")
    made.write([ROW])
    found = store_of("sqlite:", tmp_path)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "store rights" in found
    db = sqlite3.connect(tmp_path / "ticks.db")
    assert [uid for (uid,) in db.execute("select tick_uid from historical_ticks")] == [ROW.uid]
    db.close()
    made.close()


def test_a_trigger_that_refuses_every_row_is_found(tmp_path: Path) -> None:
    made = SqliteStore(tmp_path / "ticks.db")
    made.open()
    made.close()
    db = sqlite3.connect(tmp_path / "ticks.db")
    db.execute("create trigger no before insert on historical_ticks begin select raise(abort, 'no more'); end")
    db.close()
    found = store_of("sqlite:", tmp_path)["store"]
    assert "no more" in found.seen
    assert "triggers" in found.remedy


def test_a_file_that_is_no_database_is_found(tmp_path: Path) -> None:
    (tmp_path / "ticks.db").write_bytes(b"no database" * 1000)
    assert store_of("sqlite:", tmp_path)["store"].state == "failed"


def test_another_programs_table_is_found(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "ticks.db")
    db.execute("create table historical_ticks (id integer primary key, value text)")
    db.close()
    found = store_of("sqlite:", tmp_path)["store schema"]
    assert found.state == "failed"
    assert "pair" in found.seen


def test_a_store_not_made_yet_is_in_order_and_stays_unmade(tmp_path: Path) -> None:
    assert store_of("sqlite:", tmp_path)["store"].state == "ok"
    assert store_of(f"sqlite:{tmp_path}/none/x.db", tmp_path)["store"].state == "failed"
    assert list(tmp_path.iterdir()) == []


def test_the_probe_is_a_row_that_the_store_takes(tmp_path: Path) -> None:
    made = SqliteStore(tmp_path / "ticks.db")
    assert made.write([PROBE]) == 1
    made.close()


# -- feeds and engines ---------------------------------------------------------------------------------------------


def test_hosts_of_feeds_are_reached_or_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = f"json+ws://127.0.0.1:{listening.getsockname()[1]}/ticks"
        nobody = f"json+ws://127.0.0.1:{free_port()}/ticks"
        recording = f"replay:{tmp_path}/none.csv"
        feeds = [parse_feed(url) for url in (there, nobody, recording, "simulated:")]
        assert [found.state for found in check_feeds(feeds)] == ["ok", "failed", "failed", "ok"]


def test_without_any_server_to_embed_fakeredis_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedded_engine().state == "ok"
    monkeypatch.setattr(engines, "engines", lambda: iter([engines.FAKEREDIS]))
    assert embedded_engine().state == "warning"
