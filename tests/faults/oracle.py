"""What a killed process had accepted: the rows in the store and in its spool, held against what had been sent."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from faults.servers import Servers
from support.tape import Expected, Tick

from tickwire.market.packing import unpack_rows


class Accepted:
    """Over many runs: how often each (pair, ts_us, price) must be there.

    A process counts equal ticks from 0, so that equal ones of two runs are one row: without a number given by the feed
    nobody can tell a tick sent again from another one like it.
    """

    def __init__(self) -> None:
        self.rows: Counter[Expected] = Counter()
        self.merged = 0

    @property
    def total(self) -> int:
        return self.rows.total()

    def take_run(self, sent: Sequence[Tick], rows: Counter[Expected]) -> list[int]:
        """Which of a run's ticks are not accepted: of each asset the last ones, with none accepted after them."""
        wanted = Counter(asset for asset, _, _ in rows.elements())
        have = Counter(asset for asset, _, _ in self.rows.elements())
        run: Counter[Expected] = Counter()
        lost: list[int] = []
        over: set[str] = set()
        for number, tick in enumerate(sent):
            key = tick.row
            new = run[key] + 1 > self.rows[key]
            if tick.asset in over or (new and have[tick.asset] == wanted[tick.asset]):
                over.add(tick.asset)
                lost.append(number)
                continue
            run[key] += 1
            have[tick.asset] += new
            self.rows[key] += new
            self.merged += not new
        missing, extra = self.rows - rows, rows - self.rows
        assert rows == self.rows, f"missing {list(missing.items())[:5]}, too many {list(extra.items())[:5]}"
        return lost


def accepted_rows(servers: Servers, spool: Path) -> Counter[Expected]:
    """Store and spool together, each uid once."""
    found = {str(uid): (pair, ts_us, price.normalize()) for _, uid, pair, ts_us, price in servers.rows_after(0)}
    with sqlite3.connect(spool) as db:
        entries = db.execute("select entry from spool order by row").fetchall()
    db.close()
    for (entry,) in entries:
        for row in unpack_rows(entry):
            found[row.uid] = (row.pair, row.ts_us, Decimal(row.price).normalize())
    return Counter(found.values())


def start_of_run(rows: Sequence[Expected], missing: Counter[Expected]) -> int:
    """Where the missing rows begin, which must be neighbours: nothing between them is there."""
    size, off = missing.total(), Counter(missing)
    for place, row in enumerate(rows):
        off[row] -= 1
        if not off[row]:
            del off[row]
        if place >= size:
            gone = rows[place - size]
            off[gone] += 1
            if not off[gone]:
                del off[gone]
        if place >= size - 1 and not off:
            return place - size + 1
    raise AssertionError(f"{size} rows are missing, not all of them neighbours: {list(missing)[:5]}")
