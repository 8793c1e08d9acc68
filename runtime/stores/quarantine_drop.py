"""Quarantined rows thrown away, page by page."""

from collections.abc import Callable, Sequence

from tickwire.market.rows import Row
from tickwire.runtime.stores.quarantine_desk import Ids, QuarantineDesk

PAGE = 200
"""Dealt with at once."""


def drop(
    desk: QuarantineDesk,
    ids: Ids,
    *,
    dropped: Callable[[Sequence[Row]], None],
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """Remove those of `ids` that are there now; how many that were. `tell` hears after each page how many it held.

    `dropped` hears which rows are gone; an entry that could not be unpacked was never known to hold ticks, and is not
    told. Raises StoreUnavailable, also what `dropped` raises; what was dropped before stays so.
    """
    count = after = 0
    last = desk.last_id()
    while page := desk.page(ids, after=after, last=last, limit=PAGE):
        gone = desk.take([held.id for held in page])
        count += len(gone)
        dropped([held.row for held in gone if held.row is not None])
        tell(len(page))
        after = page[-1].id
    return count
