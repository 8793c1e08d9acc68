"""Damaged files of the data directory are set aside, and what can be read of them is taken over."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.damage import page_size, pages, settle, wipe_pages

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.ledger import EntryPostings, Posting
from tickwire.market.rows import Row
from tickwire.runtime.stores.ledger import SqliteLedger, mend_ledger
from tickwire.runtime.stores.mending import damage_of, mend
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SpoolDamaged, SqliteSpool, mend_spool

ENTRIES = [b"%d/" % i * 60 for i in range(1, 1001)]
"""About a dozen a page."""
NEW = Row("01993a00-0000-8000-8000-999999999999", "EURUSD_otc", "-1", 1, 1, "pocketoption")


def spool(folder: Path, *, now: int = 1000) -> SqliteSpool:
    return SqliteSpool(folder / "spool.db", now_ms=lambda: now, run_id="r1")


def filled(folder: Path) -> Path:
    made = spool(folder)
    for entry in ENTRIES:
        made.commit([entry], {"r1/f": 7})
    made.forget(100)
    made.close()
    settle(folder / "spool.db")
    return folder / "spool.db"


def aside(folder: Path, name: str = "spool.db") -> list[Path]:
    return sorted(path for path in folder.glob(f"{name}.damaged-*") if not path.name.endswith(("-wal", "-shm")))


def test_a_sound_spool_is_left_as_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with capture_logs() as logs:
        again = spool(tmp_path)
    assert (again.first_row, again.last_row) == (101, 1000)
    again.close()
    assert logs == []
    assert aside(tmp_path) == []
    assert damage_of(path, within_s=10) is None


def test_rows_around_damaged_pages_are_taken_over_with_their_numbers(tmp_path: Path) -> None:
    path = filled(tmp_path)
    middle = pages(path) // 2
    wipe_pages(path, middle, middle + 1, middle + 9)
    before = path.read_bytes()
    with capture_logs() as logs:
        mended = spool(tmp_path)
    rows = list(mended.read(0, 2000))
    assert 700 < len(rows) < 900
    assert all(entry == ENTRIES[row - 1] for row, entry in rows)
    assert (rows[0][0], rows[-1][0]) == (101, 1000)
    assert dict(mended.taken()) == {"r1/f": 7}
    assert mended.last_boot_ms == 1000
    assert mended.commit([b"next"], {}) == range(1001, 1002)
    mended.close()
    [kept] = aside(tmp_path)
    assert kept.read_bytes() == before
    [line] = logs
    assert (line["log_level"], line["event"]) == ("error", "damaged_file_set_aside")
    assert (line["file"], line["kept_as"]) == (str(path), str(kept))
    assert (line["rows_taken_over"], line["rows_lost"]) == (len(rows), 900 - len(rows))
    assert "check the disk" in line["remedy"]


def test_every_page_may_be_the_damaged_one(tmp_path: Path) -> None:
    whole = filled(tmp_path).read_bytes()
    for number in range(1, len(whole) // page_size(tmp_path / "spool.db") + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "spool.db").write_bytes(whole)
        wipe_pages(folder / "spool.db", number)
        mended = spool(folder)
        assert all(entry == ENTRIES[row - 1] for row, entry in mended.read(0, 2000))
        first = mended.commit([b"next"], {})[0]
        assert list(mended.read(first - 1, 10)) == [(first, b"next")]
        mended.close()
        assert damage_of(folder / "spool.db", within_s=10) is None


def test_rows_still_in_the_write_ahead_log_are_taken_over(tmp_path: Path) -> None:
    path = filled(tmp_path)
    open_yet = sqlite3.connect(path, isolation_level=None)
    open_yet.execute("pragma wal_autocheckpoint=0")
    open_yet.execute("insert into spool(entry) values (?)", (b"late",))
    saved = {name: path.with_name(name).read_bytes() for name in ("spool.db", "spool.db-wal")}
    open_yet.close()
    for name, content in saved.items():
        path.with_name(name).write_bytes(content)
    wipe_pages(path, pages(path) // 2)
    mended = spool(tmp_path)
    assert list(mended.read(1000, 10)) == [(1001, b"late")]
    mended.close()


@pytest.mark.parametrize("content", [b"no database at all", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_file_of_which_nothing_can_be_read_makes_room_for_a_fresh_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spool.db").write_bytes(content)
    with capture_logs() as logs:
        mended = spool(tmp_path)
    [row] = mended.commit([b"a"], {})
    assert row > 10**12  # no number of the lost ones is given again
    assert mended.first_row == row
    mended.close()
    [kept] = aside(tmp_path)
    assert kept.read_bytes() == content
    assert (logs[0]["rows_taken_over"], logs[0]["rows_lost"]) == (0, "unknown")


def test_a_second_damage_within_the_same_second_overwrites_nothing(tmp_path: Path) -> None:
    for content in (b"first bad file", b"second bad file"):
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"spool.db{suffix}").unlink(missing_ok=True)
        (tmp_path / "spool.db").write_bytes(content)
        mend_spool(tmp_path / "spool.db", within_s=10)
    assert sorted(path.read_bytes() for path in aside(tmp_path)) == [b"first bad file", b"second bad file"]


def test_a_mend_that_was_killed_before_its_last_step_is_ended_by_the_next_start(tmp_path: Path) -> None:
    filled(tmp_path).replace(tmp_path / "spool.db.fresh")
    again = spool(tmp_path)
    assert (again.first_row, again.last_row) == (101, 1000)
    again.close()


def test_a_mend_that_was_killed_half_way_begins_anew(tmp_path: Path) -> None:
    path = filled(tmp_path)
    wipe_pages(path, pages(path) // 2)
    (tmp_path / "spool.db.fresh").write_bytes(b"half of something")
    again = spool(tmp_path)
    assert again.last_row == 1000
    assert len(list(again.read(0, 2000))) > 800
    again.close()


def test_nothing_is_moved_where_the_fresh_file_can_not_be_made(tmp_path: Path) -> None:
    path = filled(tmp_path)
    wipe_pages(path, pages(path) // 2)
    before = path.read_bytes()

    def full_disk(_old: sqlite3.Connection, _new: sqlite3.Connection) -> dict[str, object]:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        mend(path, "create table spool(row)", full_disk, within_s=10)
    assert path.read_bytes() == before
    assert aside(tmp_path) == []


def test_damage_that_shows_while_the_spool_is_open_names_itself(tmp_path: Path) -> None:
    path = filled(tmp_path)
    made = spool(tmp_path)
    settle(path)
    wipe_pages(path, *range(2, pages(path) + 1))
    with pytest.raises(SpoolDamaged, match="opened again"):
        made.read(0, 2000)
    with pytest.raises(SpoolDamaged):
        made.forget(500)
    made.close()
    again = spool(tmp_path)
    assert again.commit([b"next"], {})[0] > 0
    again.close()
    assert len(aside(tmp_path)) == 1


def rows(count: int) -> Iterator[Row]:
    for i in range(count):
        yield Row(f"01993a00-0000-8000-8000-{i:012}", "EURUSD_otc", "NaN", i, i, "pocketoption")


def uids(path: Path) -> set[str]:
    db = sqlite3.connect(path)
    try:
        return {uid for (uid,) in db.execute("select uid from quarantine")}
    finally:
        db.close()


def test_a_damaged_quarantine_is_set_aside_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.db"
    first = SqliteQuarantine(path)
    first.put(list(rows(500)), "22003: overflow")
    first.close()
    settle(path)
    wipe_pages(path, pages(path) // 2)
    with capture_logs() as logs:
        again = SqliteQuarantine(path)
    again.put([NEW], "bad")
    again.close()
    assert [line["event"] for line in logs] == ["damaged_file_set_aside"]
    assert len(aside(tmp_path, "quarantine.db")) == 1
    assert NEW.uid in uids(path)
    assert uids(path) - {NEW.uid} <= {row.uid for row in rows(500)}
    assert len(uids(path)) > 300


def test_a_quarantine_damaged_while_open_is_set_aside_at_the_next_try(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.db"
    kept = SqliteQuarantine(path)
    kept.put(list(rows(500)), "22003: overflow")
    settle(path)
    wipe_pages(path, *range(2, pages(path) + 1))
    with pytest.raises(StoreUnavailable, match="next try"):
        kept.put([NEW], "bad")
    kept.put([NEW], "bad")
    kept.close()
    assert NEW.uid in uids(path)


def test_a_damaged_ledger_keeps_what_can_be_read_from_either_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = SqliteLedger(path)
    first.post(
        [
            EntryPostings(
                entry=number,
                postings=[Posting(f"A{number:05}", 60 * number, "stored", 5, "")],
                newest_us={f"A{number:05}": number},
                oldest_us={},
            )
            for number in range(1, 2001)
        ]
    )
    whole = first.postings()
    first.close()
    settle(path)
    wipe_pages(path, pages(path) // 3)
    mend_ledger(path, within_s=10)
    again = SqliteLedger(path)
    kept = again.postings()
    again.close()
    assert set(kept) <= set(whole)
    assert len(kept) > 1000
    assert len(aside(tmp_path, "ledger.db")) == 1
