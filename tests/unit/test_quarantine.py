"""Rows that the store refused stay on disk, each once, with the reason."""

import sqlite3
from pathlib import Path

import pytest

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.rows import Row
from tickwire.runtime.stores.quarantine import SqliteQuarantine

FIRST = Row("01993a00-0000-8000-8000-000000000001", "EURUSD_otc", "NaN", 1, 2, "pocketoption")
SECOND = Row("01993a00-0000-8000-8000-000000000002", "EURUSD_otc", "-1", 3, 4, "pocketoption")


def kept(path: Path) -> list[tuple[object, ...]]:
    db = sqlite3.connect(path)
    try:
        columns = "reason, uid, pair, price, ts_us, recv_us, source, entry_id, payload"
        return db.execute(f"select {columns} from quarantine order by id").fetchall()
    finally:
        db.close()


def test_rows_are_kept_whole_with_the_reason_as_soon_as_put_returns(tmp_path: Path) -> None:
    quarantine = SqliteQuarantine(tmp_path / "q.db")
    quarantine.put([FIRST, SECOND], "22003: overflow")
    assert kept(tmp_path / "q.db") == [
        ("22003: overflow", FIRST.uid, "EURUSD_otc", "NaN", 1, 2, "pocketoption", None, None),
        ("22003: overflow", SECOND.uid, "EURUSD_otc", "-1", 3, 4, "pocketoption", None, None),
    ]
    quarantine.close()


def test_a_row_or_entry_put_again_is_kept_once_after_a_restart_too(tmp_path: Path) -> None:
    for _ in range(2):
        quarantine = SqliteQuarantine(tmp_path / "q.db")
        quarantine.put([FIRST], "first")
        quarantine.put_raw("7-1", b"\x00damaged", "unreadable")
        quarantine.close()
    assert [(uid, entry, payload) for _, uid, *_, entry, payload in kept(tmp_path / "q.db")] == [
        (FIRST.uid, None, None),
        (None, "7-1", b"\x00damaged"),
    ]


def test_closing_may_be_repeated(tmp_path: Path) -> None:
    quarantine = SqliteQuarantine(tmp_path / "q.db")
    quarantine.close()
    quarantine.close()


def test_a_file_that_can_not_be_made_lets_its_owner_start_and_makes_it_wait(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "q.db"
    quarantine = SqliteQuarantine(path)
    with pytest.raises(StoreUnavailable, match="make room"):
        quarantine.put([FIRST], "first")
    with pytest.raises(StoreUnavailable, match=r"q\.db"):
        quarantine.put_raw("7-1", b"", "unreadable")
    path.parent.mkdir()
    quarantine.put([FIRST], "first")
    assert len(kept(path)) == 1
    quarantine.close()
