"""A start on a data directory whose spool the disk has damaged."""

import sqlite3
from pathlib import Path

import pytest
from support.damage import pages, settle, wipe_pages
from support.tickwire_process import count_stored, eventually, tickwire

pytestmark = pytest.mark.timeout(180)

DARK = ("--redis", "redis://127.0.0.1:1/0")
"""Nothing can be forwarded: all stays in the spool."""


def rows(spool: Path) -> int:
    if not spool.exists():
        return 0
    db = sqlite3.connect(spool, timeout=10)
    try:
        count: int = db.execute("select count(*) from spool").fetchone()[0]
    finally:
        db.close()
    return count


def test_the_relay_says_what_it_set_aside_goes_on_and_stores_what_was_left(tmp_path: Path) -> None:
    spool = tmp_path / "data" / "spool.db"
    feed = ("run", "--feed", "simulated:?rate=200")
    with tickwire(*feed, *DARK, folder=tmp_path) as first:
        eventually(lambda: rows(spool) > 300, "the spool fills")
        first.end()
    settle(spool)
    wipe_pages(spool, pages(spool) // 2)

    with tickwire(*feed, "--batch-interval", "1", folder=tmp_path) as second:
        eventually(lambda: count_stored(second.database) > 300, "ticks are stored")
        second.end()
        log = second.log.read_text()
    assert second.process.returncode == 0
    assert "Traceback" not in log
    [line] = [line for line in log.splitlines() if "damaged_file_set_aside" in line]
    [aside] = [path for path in spool.parent.glob("spool.db.damaged-*") if not path.name.endswith(("-wal", "-shm"))]
    assert aside.name in line
    assert "check the disk" in line
    assert rows(spool) == 0
