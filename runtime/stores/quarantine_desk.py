"""The quarantine as people work on it: look, take out, put back. A relay may put rows in at the same time.

Every call is a transaction of its own, and a short one.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.rows import Row

WAIT_S = 10.0
"""For a relay that is just writing."""

_HERE = Path(__file__).parent
_NEWEST = (_HERE / "quarantine_newest.sql").read_text()
_PAGE = (_HERE / "quarantine_page.sql").read_text()
_COUNT = (_HERE / "quarantine_count.sql").read_text()
_DROP = (_HERE / "quarantine_drop.sql").read_text()
_TAKE = (_HERE / "quarantine_take.sql").read_text()
_REASON = (_HERE / "quarantine_reason.sql").read_text()
_PUT_ROW = (_HERE / "quarantine_row.sql").read_text()

Ids = Collection[int] | None
"""Of what is meant; None means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A row that the store refused, or an outbox entry that could not be unpacked (`entry_id`, `payload`)."""

    id: int
    at: str
    """UTC, as SQLite writes it."""
    reason: str
    row: Row | None
    entry_id: str | None
    payload: bytes


class QuarantineDesk:
    """The file `quarantine.db` of a data directory; where there is none, nothing is quarantined.

    Raises StoreUnavailable where the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None

    def count(self, ids: Ids = None) -> int:
        return self._count(ids)[0]

    def last_id(self) -> int:
        """The newest id; 0 where nothing is quarantined."""
        return self._count(None)[1]

    def newest(self, limit: int) -> list[Held]:
        """The newest so many, oldest first."""
        with self._db() as db:
            rows = db.execute(_NEWEST, {"limit": limit}).fetchall() if db else []
        return [_held(row) for row in reversed(rows)]

    def page(self, ids: Ids, *, after: int, last: int, limit: int) -> list[Held]:
        """Those of `ids` above `after`, up to and with `last`, in order."""
        asked = {"ids": _json(ids), "after": after, "last": last, "limit": limit}
        with self._db() as db:
            return [_held(row) for row in db.execute(_PAGE, asked).fetchall()] if db else []

    def missing(self, ids: Collection[int]) -> list[int]:
        """Those of `ids` that are not there."""
        found = self.page(ids, after=0, last=self.last_id(), limit=len(ids))
        return sorted(set(ids) - {held.id for held in found})

    def take(self, ids: Collection[int]) -> list[Held]:
        """Remove those that are there; what was removed."""
        with self._db() as db:
            return [_held(row) for row in db.execute(_TAKE, {"ids": _json(ids)}).fetchall()] if db else []

    def settle(self, gone: Collection[int], *, again: Mapping[int, str], fresh: Sequence[tuple[Row, str]] = ()) -> None:
        """Remove `gone`, give those `again` refused their new reason, put in `fresh` rows; all of it or nothing."""
        with self._db() as db:
            if db is None:
                return
            db.execute("begin immediate")
            try:
                db.executemany(
                    _PUT_ROW, [(why, r.uid, r.pair, r.price, r.ts_us, r.recv_us, r.source) for r, why in fresh]
                )
                db.executemany(_REASON, [{"id": id, "reason": reason} for id, reason in again.items()])
                db.execute(_DROP, {"ids": _json(gone)})
                db.execute("commit")
            finally:
                if db.in_transaction:
                    db.execute("rollback")

    def close(self) -> None:
        db, self._opened = self._opened, None
        if db is not None:
            db.close()

    def _count(self, ids: Ids) -> tuple[int, int]:
        with self._db() as db:
            count, last = db.execute(_COUNT, {"ids": _json(ids)}).fetchone() if db else (0, 0)
        return count, last

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection | None]:
        """None where there is no file: looking must not make one."""
        if self._opened is None and not self._path.exists():
            yield None
            return
        try:
            if self._opened is None:
                address = f"{self._path.resolve().as_uri()}?mode=rw"
                self._opened = sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT_S)
            yield self._opened
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"quarantine {self._path}: {error}; let this user write the file, or restore it from a backup"
            ) from error


def _json(ids: Ids) -> str | None:
    return None if ids is None else json.dumps(list(ids))


def _held(columns: Sequence[object]) -> Held:
    id, at, reason, uid, pair, price, ts_us, recv_us, source, entry_id, payload = columns
    row = None if entry_id is not None else Row(uid, pair, price, ts_us, recv_us, source)  # type: ignore[arg-type]
    return Held(id=id, at=at, reason=reason, row=row, entry_id=entry_id, payload=payload or b"")  # type: ignore[arg-type]
