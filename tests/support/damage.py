"""Damages SQLite files as failing disks do."""

import sqlite3
from pathlib import Path


def page_size(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:18], "big") or 65_536


def pages(path: Path) -> int:
    return path.stat().st_size // page_size(path)


def wipe_pages(path: Path, *numbers: int) -> None:
    """Overwrite whole pages, the first is 1; the write-ahead log must be in the file."""
    size = page_size(path)
    with path.open("r+b") as file:
        for number in numbers:
            file.seek((number - 1) * size)
            file.write(b"\xa5" * size)


def settle(path: Path) -> None:
    """Move the write-ahead log into the file, and have connections that are open read it anew."""
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 1")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
