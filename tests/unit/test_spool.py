"""The spool: rows in one transaction, numbers never reused, boot ids rising."""

import subprocess
import sys
from pathlib import Path

import pytest

from tickwire.actors.ports import SpoolFailed
from tickwire.runtime.stores.spool import SqliteSpool


def spool(folder: Path, *, now: int = 1000, run: str = "r1") -> SqliteSpool:
    return SqliteSpool(folder / "spool.db", now_ms=lambda: now, run_id=run)


def test_rows_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    first = spool(tmp_path)
    assert first.commit([b"a", b"bb"], {"r1/f": 1}) == range(1, 3)
    first.close()
    again = spool(tmp_path)
    assert list(again.read(0, 10)) == [(1, b"a"), (2, b"bb")]
    assert list(again.read(1, 10)) == [(2, b"bb")]
    assert (again.first_row, again.last_row, again.size_bytes) == (1, 2, 3)
    assert again.taken() == {"r1/f": 1}
    again.close()


def test_row_numbers_are_never_used_again_though_the_spool_empties(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.commit([b"a", b"b"], {})
    first.forget(2)
    assert (first.first_row, first.size_bytes) == (3, 0)
    first.close()
    again = spool(tmp_path)
    assert again.first_row == 3
    assert again.commit([b"c"], {}) == range(3, 4)
    again.close()


def test_boot_ids_rise_even_when_the_clock_does_not(tmp_path: Path) -> None:
    first = spool(tmp_path, now=1000)
    assert first.boot_ms == 1000
    assert first.new_boot() == 1001
    first.close()
    back = spool(tmp_path, now=5)
    assert back.boot_ms == 1002
    back.close()


def test_senders_of_another_run_are_forgotten(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.commit([b"a"], {"r1/f": 9})
    first.close()
    again = spool(tmp_path, run="r2")
    assert dict(again.taken()) == {}
    again.close()


def test_what_was_committed_survives_a_killed_process(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from tickwire.runtime.stores.spool import SqliteSpool
spool = SqliteSpool(Path({str(tmp_path / "spool.db")!r}), now_ms=lambda: 1, run_id="r")
for i in range(100):
    spool.commit([b"%d" % i], {{"r/f": i}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    again = spool(tmp_path, run="r")
    assert [entry for _, entry in again.read(0, 200)] == [b"%d" % i for i in range(100)]
    assert again.taken() == {"r/f": 99}
    again.close()


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    taker = spool(tmp_path)
    with pytest.raises(SpoolFailed, match=r"spool\.db"):
        taker.commit([b"a", object()], {})  # type: ignore[list-item]
    assert list(taker.read(0, 10)) == []
    assert taker.commit([b"b"], {}) == range(1, 2)
    taker.close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolFailed, match="missing"):
        spool(tmp_path / "missing")
