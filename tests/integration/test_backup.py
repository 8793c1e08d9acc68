"""A data directory is copied as one moment while it is written to, and comes back as it was or not at all."""

import json
import shutil
import sqlite3
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tickwire.market.ledger import EntryPostings, Posting
from tickwire.market.packing import pack, unpack_rows
from tickwire.market.rows import Row
from tickwire.messages.ticks import BackfillReceived, HistoryColumns
from tickwire.runtime.backup import MANIFEST, BackupError, Manifest, back_up, restore
from tickwire.runtime.datadir import DataDir
from tickwire.runtime.stores.ledger import SqliteLedger
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SqliteSpool
from tickwire.runtime.stores.sqlite import SqliteStore

ROW = Row("01993a00-0000-8000-8000-000000000001", "EURUSD_otc", "1.5", 7, 9, "pocketoption")


def entry(number: int) -> bytes:
    """A packed tick."""
    column = HistoryColumns(asset="A", offset_us=0, ts_us=[number], stamps=[str(number)], prices=["1"], ordinals=[0])
    return pack([BackfillReceived(sender="x", number=1, feed="f", source="s", recv_us=9, ticks=1, columns=[column])])


class Directory:
    """A data directory with a spool, a store and a quarantine, all open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with DataDir(path) as made:
            self.producer = made.producer
        self.spool = SqliteSpool(path / "spool.db", now_ms=lambda: 1, run_id="r")
        self.store = SqliteStore(path / "ticks.db")
        self.store.open()
        self.quarantine = SqliteQuarantine(path / "quarantine.db")

    def close(self) -> None:
        self.spool.close()
        self.store.close()
        self.quarantine.close()


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    made = Directory(tmp_path / "data")
    made.spool.commit([entry(1)], {})
    made.store.write([ROW])
    made.quarantine.put([ROW], "refused")
    return made


def copy(directory: Directory, target: Path, *, with_store: bool = True) -> Manifest:
    return back_up(directory.path, target, with_store=with_store, version="1", tell=lambda _what, _done: None)


def bring_back(source: Path, data_dir: Path, *, as_copy: bool = False) -> Manifest:
    return restore(source, data_dir, as_copy=as_copy, tell=lambda _what, _done: None)


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def accepted(folder: Path) -> set[str]:
    """Uids in the spool, the store or the quarantine."""
    entries = query(folder / "spool.db", "select entry from spool")
    found = {row.uid for (payload,) in entries for row in unpack_rows(payload)}
    for file, sql in (
        ("ticks.db", "select tick_uid from historical_ticks"),
        ("quarantine.db", "select uid from quarantine"),
    ):
        found |= {str(uid) for (uid,) in query(folder / file, sql)}
    return found


@pytest.mark.parametrize("name", ["b.tar.gz", "b"])
def test_a_backup_comes_back_whole_as_a_file_and_as_a_folder(name: str, directory: Directory, tmp_path: Path) -> None:
    made = copy(directory, tmp_path / name)
    assert list(made.files) == ["producer", "quarantine.db", "spool.db", "ticks.db"]
    assert bring_back(tmp_path / name, tmp_path / "new").files == made.files
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted([*made.files, "lock"])
    assert accepted(tmp_path / "new") == accepted(directory.path)
    with DataDir(tmp_path / "new") as opened:
        assert opened.producer == directory.producer
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name, "data", "new"})
    directory.close()


def test_a_copy_beside_the_first_instance_gets_a_producer_of_its_own(directory: Directory, tmp_path: Path) -> None:
    copy(directory, tmp_path / "b.tar.gz")
    bring_back(tmp_path / "b.tar.gz", tmp_path / "new", as_copy=True)
    with DataDir(tmp_path / "new") as opened:
        assert opened.producer != directory.producer
    directory.close()


def test_the_store_is_left_out_where_it_is_said(directory: Directory, tmp_path: Path) -> None:
    assert "ticks.db" not in copy(directory, tmp_path / "b.tar.gz", with_store=False).files
    directory.close()


def test_no_tick_accepted_before_is_missing_however_ticks_move_on_during_the_copies(tmp_path: Path) -> None:
    """Spool → store → forgotten, over and over, while copies are made: the order of copying must not lose one."""
    directory = Directory(tmp_path / "data")
    ended, moved = threading.Event(), threading.Event()
    count = 0

    def relay() -> None:
        nonlocal count
        spool = SqliteSpool(directory.path / "spool.db", now_ms=lambda: 1, run_id="r")
        store = SqliteStore(directory.path / "ticks.db")
        while not ended.is_set():
            payload = entry(count + 1)
            (row,) = spool.commit([payload], {})
            count += 1
            if count > 3:  # a few are always under way
                ((oldest, bytes_),) = spool.read(row - 4, 1)
                store.write(unpack_rows(bytes_))
                spool.forget(oldest)
            moved.set()
        spool.close()
        store.close()

    directory.spool.close()
    thread = threading.Thread(target=relay)
    thread.start()
    try:
        for number in range(8):
            moved.clear()
            assert moved.wait(20)
            before = count
            copy(directory, tmp_path / f"b{number}")
            found = accepted(tmp_path / f"b{number}")
            wanted = {row.uid for each in range(1, before + 1) for row in unpack_rows(entry(each))}
            assert wanted <= found, f"copy {number} lacks {len(wanted - found)} of {before}"
    finally:
        ended.set()
        thread.join()
    directory.store.close()
    directory.quarantine.close()


@pytest.mark.parametrize("entries", [0, 1])
def test_numbers_that_the_ledger_has_seen_are_not_used_again(entries: int, tmp_path: Path) -> None:
    """Between the copies of spool and ledger a relay accepts and stores more entries."""
    directory = Directory(tmp_path / "data")
    directory.spool.commit([entry(1)] * entries, {})
    ledger = SqliteLedger(directory.path / "ledger.db")
    posting = EntryPostings(entry=57, postings=[Posting("A", 60, "stored", 1)], oldest_us={}, newest_us={})

    def tell(what: str, done: float) -> None:
        if (what, done) == ("spool.db", 1.0):
            ledger.post([posting])

    ledger.post([])
    back_up(directory.path, tmp_path / "b", with_store=True, version="1", tell=tell)
    bring_back(tmp_path / "b", tmp_path / "new")
    spool = SqliteSpool(tmp_path / "new" / "spool.db", now_ms=lambda: 1, run_id="r")
    assert [row for row, _ in spool.read(0, 10)] == list(range(1, entries + 1))
    assert spool.commit([entry(2)], {}) == range(58, 59)
    assert query(tmp_path / "new" / "ledger.db", "select entry from posted") == [(57,)]
    spool.close()
    ledger.close()
    directory.close()


def test_a_ledger_that_is_just_being_made_is_no_obstacle(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    spool = SqliteSpool(data / "spool.db", now_ms=lambda: 1, run_id="r")
    with sqlite3.connect(data / "ledger.db") as ledger:
        ledger.execute("pragma journal_mode = wal")
    ledger.close()
    back_up(data, tmp_path / "b", with_store=True, version="1", tell=lambda _what, _done: None)
    spool.close()
    assert (tmp_path / "b" / "ledger.db").exists()


def test_a_target_that_is_there_or_has_no_folder_is_refused(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("precious")
    for target in (tmp_path / "b.tar.gz", tmp_path / "none" / "b.tar.gz"):
        with pytest.raises(BackupError, match="another"):
            copy(directory, target)
    assert (tmp_path / "b.tar.gz").read_text() == "precious"
    directory.close()


def test_what_is_no_data_directory_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="--data-dir"):
        back_up(tmp_path, tmp_path / "b", with_store=True, version="1", tell=lambda _what, _done: None)


def test_a_damaged_spool_makes_no_backup_and_leaves_nothing(directory: Directory, tmp_path: Path) -> None:
    directory.close()
    (directory.path / "spool.db").write_bytes(b"no database" * 1000)
    with pytest.raises(BackupError, match=r"spool\.db.*doctor"):
        copy(directory, tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_nothing_is_restored_over_what_is_there(directory: Directory, tmp_path: Path) -> None:
    copy(directory, tmp_path / "b.tar.gz")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    with pytest.raises(BackupError, match="empty"):
        bring_back(tmp_path / "b.tar.gz", tmp_path / "full")
    assert [path.read_text() for path in (tmp_path / "full").iterdir()] == ["precious"]
    with DataDir(tmp_path / "taken"), pytest.raises(BackupError, match="empty"):
        bring_back(tmp_path / "b.tar.gz", tmp_path / "taken")
    directory.close()


@pytest.mark.parametrize("harm", ["cut", "changed", "no backup", "missing file", "other names", "newer"])
def test_a_backup_that_is_not_whole_is_refused_and_leaves_the_directory_empty(
    harm: str, directory: Directory, tmp_path: Path
) -> None:
    source = tmp_path / "b"
    copy(directory, source)
    directory.close()
    match harm:
        case "changed":
            (source / "ticks.db").write_bytes((source / "ticks.db").read_bytes()[:-1] + b"x")
        case "missing file":
            (source / "spool.db").unlink()
        case "other names" | "newer":
            manifest = json.loads((source / MANIFEST).read_text())
            if harm == "newer":
                manifest["format"] = 2
            else:
                manifest["files"]["../escaped"] = "0"
            (source / MANIFEST).write_text(json.dumps(manifest))
        case "cut":
            with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
                for path in source.iterdir():
                    archive.add(path, arcname=path.name)
            whole = (tmp_path / "b.tar.gz").read_bytes()
            source = tmp_path / "cut.tar.gz"
            source.write_bytes(whole[: len(whole) // 2])
        case "no backup":
            shutil.rmtree(source)
            source.write_text("hello")
    with pytest.raises(BackupError):
        bring_back(source, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]
    with DataDir(tmp_path / "new") as opened:
        assert opened.producer
    assert not (tmp_path / "escaped").exists()
