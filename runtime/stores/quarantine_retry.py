"""Quarantined rows into the store once more: those it takes now leave, the rest stays with the new reason.

What was written leaves afterwards: broken off in between, it is written again at the next try, and rows are keyed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tickwire.actors.ports import Store, StoreRefusedRows
from tickwire.market.batching import Batch
from tickwire.market.ledger import Tally
from tickwire.market.packing import UnknownPacking, unpack_rows
from tickwire.market.rows import Row
from tickwire.runtime.stores.quarantine_desk import Held, Ids, QuarantineDesk

PAGE = 200
"""Dealt with at once."""


@dataclass(slots=True)
class Outcome:
    """Counts of what was quarantined: rows, and whole entries that could not be unpacked."""

    stored: int = 0
    kept: int = 0


def retry(
    desk: QuarantineDesk,
    store: Store,
    ids: Ids,
    *,
    tell: Callable[[int], None],
    stored: Callable[[Sequence[Row]], None] = lambda _: None,
) -> Outcome:
    """Try those of `ids` that are there now; `tell` hears after each page how many that were.

    `stored` hears which rows have left the quarantine for the store; rows of an entry that could not be unpacked were
    never known to be ticks, and are not told.

    Raises StoreError where the store takes nothing now; what it took before has left the quarantine.
    """
    outcome = Outcome()
    after, last = 0, desk.last_id()
    while page := desk.page(ids, after=after, last=last, limit=PAGE):
        _Page(desk, store, page, stored).run(outcome)
        tell(len(page))
        after = page[-1].id
    return outcome


class _Page:
    """Some of the quarantined on their way into the store."""

    def __init__(
        self, desk: QuarantineDesk, store: Store, page: Sequence[Held], stored: Callable[[Sequence[Row]], None]
    ) -> None:
        self._desk = desk
        self._store = store
        self._stored = stored
        self._batch = Batch()
        self._again: dict[int, str] = {}
        self._refused: dict[str, tuple[Row, str]] = {}
        self._rows = {held.id: self._unpacked(held) for held in page}
        self._whole = {held.id: held.row is None for held in page}

    def run(self, outcome: Outcome) -> None:
        for id, rows in self._rows.items():
            if id not in self._again:
                self._batch.add(str(id), rows, Tally(rows, ()))
        try:
            while self._batch:
                self._write(self._batch.head(self._store.batch_rows))
        finally:
            self._settle([int(entry.id) for entry in self._batch.settled], outcome)

    def _unpacked(self, held: Held) -> Sequence[Row]:
        if held.row is not None:
            return [held.row]
        try:
            return unpack_rows(held.payload)
        except UnknownPacking as error:
            self._again[held.id] = str(error)
            return []

    def _write(self, rows: Sequence[Row]) -> None:
        try:
            self._store.write(rows)
        except StoreRefusedRows as error:
            if len(rows) > 1:
                self._batch.split(len(rows))
                return
            self._refused[rows[0].uid] = (rows[0], str(error))
        self._batch.done(len(rows))

    def _settle(self, done: Iterable[int], outcome: Outcome) -> None:
        """An entry that holds a bad row leaves as well: its bad rows come in by themselves."""
        gone: list[int] = []
        fresh: list[tuple[Row, str]] = []
        for id in done:
            refused = [self._refused[row.uid] for row in self._rows[id] if row.uid in self._refused]
            if refused and not self._whole[id]:
                self._again[id] = refused[0][1]
            else:
                gone.append(id)
                fresh += refused
        self._desk.settle(gone, again=self._again, fresh=fresh)
        self._stored([row for id in gone if not self._whole[id] for row in self._rows[id]])
        outcome.stored += len(gone)
        outcome.kept += len(self._again) + len(fresh)
