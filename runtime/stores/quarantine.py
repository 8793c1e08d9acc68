"""Rows that the store refused: one SQLite file in the data directory, durable before they are acknowledged."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tickwire.market.rows import Row

_SCHEMA = Path(__file__).with_name("quarantine.sql")


class SqliteQuarantine:
    """`actors.ports.Quarantine`. The same row or entry put again is kept once."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        self._db.execute("pragma journal_mode=wal")
        self._db.executescript(_SCHEMA.read_text())

    def put(self, rows: Sequence[Row], reason: str) -> None:
        self._db.executemany(
            "insert or ignore into quarantine (reason, uid, pair, price, ts_us, recv_us, source)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            [(reason, r.uid, r.pair, r.price, r.ts_us, r.recv_us, r.source) for r in rows],
        )

    def put_raw(self, entry_id: str, payload: bytes, reason: str) -> None:
        self._db.execute(
            "insert or ignore into quarantine (reason, entry_id, payload) values (?, ?, ?)",
            (reason, entry_id, payload),
        )

    def close(self) -> None:
        self._db.close()
