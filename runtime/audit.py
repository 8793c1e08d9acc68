"""The audit: does the ledger account for every tick? Reads the data directory's files, beside a running relay too.

The spool is read before the ledger: an entry stored meanwhile is in the ledger, and counts as pending nowhere.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tickwire.actors.ports import PortError
from tickwire.market.ledger import Account, Posting, Tally, accounts
from tickwire.market.packing import UnknownPacking, Unpacked, unpack
from tickwire.runtime.stores.ledger import LEDGER_FILE, Hole, SqliteLedger

SPOOL_FILE = "spool.db"
KILLED = "the process was killed"

_log = structlog.get_logger("tickwire.audit")


class AuditError(Exception):
    """The data directory can't be audited; the text names the file and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What became of the ticks of some time."""

    accounts: Sequence[Account]
    holes: Sequence[Hole]
    unreadable_entries: int
    """Of the spool: what is in them is not known."""

    @property
    def balanced(self) -> bool:
        return not self.unreadable_entries and all(account.balanced for account in self.accounts)

    def as_dict(self) -> dict[str, object]:
        """For JSON: {balanced, accounts: [{asset, received, …}], holes: [{asset, from_us, to_us, reason}], …}."""
        return {
            "balanced": self.balanced,
            "unreadable_entries": self.unreadable_entries,
            "accounts": [_account(account) for account in self.accounts],
            "holes": [
                {"asset": hole.asset, "from_us": hole.from_us, "to_us": hole.to_us, "reason": hole.reason}
                for hole in self.holes
            ],
        }


def audit(data_dir: Path, *, since: int = 0, asset: str | None = None) -> Audit:
    """Audit a data directory from a second UTC on, all assets or one. Raises AuditError."""
    if not (data_dir / SPOOL_FILE).exists():
        raise AuditError(f"data directory {data_dir}: no relay has run here yet; name another with --data-dir")
    try:
        waiting, unreadable = _unpacked(_spooled(data_dir / SPOOL_FILE))
        ledger = SqliteLedger(data_dir / LEDGER_FILE)
        with closing(ledger), ledger.snapshot():
            left = [entry for row, entry in waiting if not ledger.is_posted(row)]
            postings = ledger.postings(since=since, asset=asset)
            holes = ledger.holes(since=since, asset=asset)
    except (sqlite3.Error, PortError) as error:
        raise AuditError(f"data directory {data_dir}: {error}") from error
    accepted = [posting for entry in left for posting in Tally(entry.rows, entry.counted).accepted()]
    accepted = [each for each in accepted if each.minute >= since and asset in (None, each.asset)]
    pending = _pending(accepted)
    return Audit(accounts=accounts([*postings, *accepted], pending), holes=holes, unreadable_entries=unreadable)


def note_holes(data_dir: Path) -> None:
    """The last run was killed: put on record, and in the log, after which receipt of each asset ticks may lack.

    What was read from a feed's socket and not yet committed to the spool is gone, and nobody can say how much it was.
    """
    try:
        with closing(SqliteLedger(data_dir / LEDGER_FILE)) as ledger:
            holes = ledger.note_holes(_newest_receipts(data_dir), KILLED)
    except PortError as error:
        _log.error("holes_not_recorded", error=str(error))
        return
    if holes:
        since = max(hole.from_us for hole in holes)
        _log.warning("last_run_was_killed", assets=len(holes), ticks_may_lack_after=_utc(since), see="tickwire audit")


def _utc(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds")


def _newest_receipts(data_dir: Path) -> dict[str, int]:
    """The last receipt of each asset in the spool, in microseconds."""
    newest: dict[str, int] = {}
    try:
        entries, _ = _unpacked(_spooled(data_dir / SPOOL_FILE))
    except sqlite3.Error:
        return newest  # a damaged spool is BufferKeeper's to mend; the ledger knows what was stored
    for _, entry in entries:
        for row in entry.rows:
            newest[row.pair] = max(row.recv_us, newest.get(row.pair, 0))
    return newest


def _spooled(path: Path) -> list[tuple[int, bytes]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=5.0)) as db:
        return db.execute("select row, entry from spool order by row").fetchall()


def _unpacked(entries: Iterable[tuple[int, bytes]]) -> tuple[list[tuple[int, Unpacked]], int]:
    good, unreadable = [], 0
    for row, payload in entries:
        try:
            good.append((row, unpack(payload)))
        except UnknownPacking:
            unreadable += 1
    return good, unreadable


def _pending(accepted: Iterable[Posting]) -> Counter[str]:
    pending: Counter[str] = Counter()
    for posting in accepted:
        if posting.fate == "parsed":
            pending[posting.asset] += posting.count
    return pending


def _account(account: Account) -> dict[str, object]:
    return {
        "asset": account.asset,
        "balanced": account.balanced,
        "received": account.total("received"),
        "parsed": account.total("parsed"),
        "rejected": account.reasons("rejected"),
        "duplicates": account.total("duplicate"),
        "stored": account.total("stored"),
        "quarantined": account.total("quarantined"),
        "pending": account.pending,
        "lost": account.reasons("lost"),
        "unexplained_at_parse": account.unexplained_at_parse,
        "unexplained_after": account.unexplained_after,
    }
