"""The ledger in the data directory: one SQLite file, written by BatchWriter, read by whoever audits.

An entry's postings go in once, in one transaction with the entry's number: an entry that comes again changes nothing.
Minutes older than a week are folded into their day, so that the file stays small.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.ledger import EntryPostings, Posting
from tickwire.runtime.stores.mending import is_damage, mend

_SCHEMA = Path(__file__).with_name("ledger.sql").read_text()

LEDGER_FILE = "ledger.db"
REMEMBERED_ENTRIES = 100_000
"""Far more than can be forwarded and not acknowledged: older ones never come again."""
FOLD_AFTER_S = 7 * 86_400
FOLD_EVERY = 1_000
"""Batches of entries between foldings."""
_TAKEN_OVER = {
    "postings": (
        "insert or ignore into ledger values (?, ?, ?, ?, ?)",
        "select * from ledger order by asset, minute, fate, reason",
        "select * from ledger order by asset desc, minute desc, fate desc, reason desc",
    ),
    "entries": (
        "insert or ignore into posted values (?)",
        "select entry from posted order by entry",
        "select entry from posted order by entry desc",
    ),
    "assets": (
        "insert or ignore into seen values (?, ?)",
        "select * from seen order by asset",
        "select * from seen order by asset desc",
    ),
    "holes": (
        "insert or ignore into holes values (?, ?, ?, ?, ?)",
        "select * from holes order by id",
        "select * from holes order by id desc",
    ),
}
"""Of each table, from a damaged file into a fresh one: what writes a row, and what reads them from either end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Between these two receipts ticks of the asset may have been read and lost; `to_us` None while nothing came."""

    asset: str
    from_us: int
    to_us: int | None
    reason: str


class SqliteLedger:
    """`actors.ports.Ledger`, and what an audit reads. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """The file is opened, or made, when it is first needed. All of it raises StoreUnavailable."""
        self._path = path
        self._batches = 0
        self._opened: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
            try:
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = normal")
                db.executescript(_SCHEMA)
            except sqlite3.Error:
                db.close()
                raise
            self._opened = db
        return self._opened

    # -- BatchWriter's

    def post(self, entries: Sequence[EntryPostings]) -> None:
        with self._explained(), self._transaction():
            fresh = [entry for entry in entries if self._mark(entry.entry)]
            for entry in fresh:
                self._add(entry.postings)
                self._see(entry.newest_us, entry.oldest_us)
            if fresh:
                newest = max(entry.entry for entry in fresh)
                self._db.execute("delete from posted where entry < ?", (newest - REMEMBERED_ENTRIES,))
            self._batches += 1
            if self._batches % FOLD_EVERY == 1 and fresh and fresh[-1].postings:
                self._fold(fresh[-1].postings[-1].minute - FOLD_AFTER_S)

    def _mark(self, entry: int) -> bool:
        return self._db.execute("insert or ignore into posted values (?)", (entry,)).rowcount == 1

    def _add(self, postings: Sequence[Posting]) -> None:
        self._db.executemany(
            "insert into ledger values (?, ?, ?, ?, ?)"
            " on conflict (asset, minute, fate, reason) do update set count = count + excluded.count",
            [(p.asset, p.minute, p.fate, p.reason, p.count) for p in postings],
        )

    def _see(self, newest_us: Mapping[str, int], oldest_us: Mapping[str, int]) -> None:
        self._db.executemany(
            "update holes set to_us = ? where asset = ? and to_us is null and from_us < ?",
            [(us, asset, us) for asset, us in oldest_us.items()],
        )
        self._db.executemany(
            "insert into seen values (?, ?) on conflict (asset) do update set recv_us = max(recv_us, excluded.recv_us)",
            list(newest_us.items()),
        )

    def _fold(self, before: int) -> None:
        """Minutes before a second become their day."""
        self._db.execute(
            "create temporary table folded as select asset, minute / 86400 * 86400 as day, fate, reason,"
            " sum(count) as count from ledger where minute < ? group by 1, 2, 3, 4",
            (before,),
        )
        self._db.execute("delete from ledger where minute < ?", (before,))
        self._db.execute("insert into ledger select * from folded")
        self._db.execute("drop table folded")

    # -- the start's

    def note_holes(self, last_us: Mapping[str, int], reason: str) -> list[Hole]:
        """The last run was killed: after the newest receipt of each asset, here or in `last_us`, ticks may lack."""
        with self._explained(), self._transaction():
            newest = dict(self._db.execute("select asset, recv_us from seen"))
            for asset, us in last_us.items():
                newest[asset] = max(us, newest.get(asset, 0))
            open_holes = {asset for (asset,) in self._db.execute("select asset from holes where to_us is null")}
            holes = [
                Hole(asset=asset, from_us=us, to_us=None, reason=reason)
                for asset, us in sorted(newest.items())
                if asset not in open_holes
            ]
            self._db.executemany(
                "insert into holes (asset, from_us, reason) values (?, ?, ?)",
                [(hole.asset, hole.from_us, hole.reason) for hole in holes],
            )
        return holes

    # -- an audit's

    def postings(self, *, since: int = 0, asset: str | None = None) -> list[Posting]:
        """Of minutes from `since` on, all of them or one asset's."""
        with self._explained():
            rows = self._db.execute(
                "select asset, minute, fate, count, reason from ledger"
                " where minute >= ? and (? is null or asset = ?) order by asset, minute",
                (since, asset, asset),
            ).fetchall()
        return [Posting(*row) for row in rows]

    def is_posted(self, entry: int) -> bool:
        with self._explained():
            return self._db.execute("select 1 from posted where entry = ?", (entry,)).fetchone() is not None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within is of one moment."""
        with self._explained():
            self._db.execute("begin")
        try:
            yield
        finally:
            self._db.execute("rollback")

    def holes(self, *, since: int = 0, asset: str | None = None) -> list[Hole]:
        """Those that end after `since` (seconds) or are open, oldest first."""
        with self._explained():
            rows = self._db.execute(
                "select asset, from_us, to_us, reason from holes"
                " where (to_us is null or to_us >= ?) and (? is null or asset = ?) order by from_us, asset",
                (since * 1_000_000, asset, asset),
            ).fetchall()
        return [Hole(asset=a, from_us=f, to_us=t, reason=r) for a, f, t, r in rows]

    def close(self) -> None:
        db, self._opened = self._opened, None
        if db is not None:
            db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error):
                raise StoreUnavailable(
                    f"the ledger {self._path} is damaged ({error}); the next start sets it aside, its rest taken over"
                ) from error
            raise StoreUnavailable(f"the ledger {self._path} takes nothing ({error}); make room on its disk") from error


def mend_ledger(path: Path, *, within_s: float) -> None:
    """Set the file aside if it is damaged, and take over what can be read. Nobody may have it open.

    Raises StoreUnavailable where that can't be done.
    """
    try:
        mend(path, _SCHEMA, _take_over, within_s=within_s)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the ledger {path} can't be mended ({error}); make room on its disk") from error


def _take_over(damaged: sqlite3.Connection, fresh: sqlite3.Connection) -> Mapping[str, object]:
    """Each table from both its ends, as far as it can be read."""
    figures: dict[str, object] = {}
    for name, (keep, *queries) in _TAKEN_OVER.items():
        before = fresh.total_changes
        for query in queries:
            with suppress(sqlite3.DatabaseError):
                fresh.executemany(keep, damaged.execute(query))
        figures[f"{name}_taken_over"] = fresh.total_changes - before
    return figures
