"""Rows on their way from the outbox into the store: which are next, which entries are done, how fast to go. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from tickwire.market.ledger import Tally
from tickwire.market.rows import Row


@dataclass(slots=True)
class _Entry:
    """An entry read from the stream and how many of its rows are not dealt with yet."""

    id: str
    left: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Settled:
    """An entry whose rows are all dealt with."""

    id: str
    tally: Tally


class Batch:
    """Rows read and not yet dealt with, oldest first, and the entries they came in.

    `head` gives what to write next. Then either `done` (written, or quarantined) or, where the store refused them,
    `split`, after which `head` gives the halves one after the other: k bad rows among n are found by at most
    2·k·⌈log2 n⌉ + 1 writes, and what was done stays done, whatever happens in between.
    """

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._entries: deque[_Entry] = deque()
        self._parts: list[int] = []
        """Sizes of what a refused head fell into, the next one last."""
        self._settled: list[Settled] = []

    def __len__(self) -> int:
        """Rows not yet dealt with."""
        return len(self._rows)

    @property
    def settled(self) -> Sequence[Settled]:
        """Entries all of whose rows are dealt with, to be acknowledged."""
        return self._settled

    def add(self, entry_id: str, rows: Sequence[Row], tally: Tally) -> None:
        """One entry, behind what is there; without rows it is settled as soon as those before it are."""
        self._rows.extend(rows)
        self._entries.append(_Entry(entry_id, len(rows), tally))
        self._settle(0)

    def head(self, most: int) -> list[Row]:
        """The next rows to write, at most so many; empty if there are none."""
        size = min(most, self._parts[-1] if self._parts else len(self._rows))
        return [self._rows[place] for place in range(size)]

    def quarantined(self) -> None:
        """The first row is in the quarantine."""
        self._entries[0].tally.quarantined(self._rows[0])
        self.done(1)

    def done(self, rows: int) -> None:
        """The first so many are dealt with."""
        self._take(rows)
        for _ in range(rows):
            self._rows.popleft()
        self._settle(rows)

    def split(self, rows: int) -> None:
        """The first so many hold a bad one: their halves come next. `rows` is at least 2."""
        self._take(rows)
        self._parts += [rows - rows // 2, rows // 2]

    def acknowledged(self) -> None:
        self._settled = []

    def clear(self) -> None:
        """Forget all: it will be read again."""
        self._rows.clear()
        self._entries.clear()
        self._parts.clear()
        self._settled = []

    def _take(self, rows: int) -> None:
        if self._parts:
            self._parts[-1] -= rows
            if not self._parts[-1]:
                self._parts.pop()

    def _settle(self, rows: int) -> None:
        while self._entries:
            first = self._entries[0]
            taken = min(first.left, rows)
            first.left -= taken
            rows -= taken
            if first.left:
                return
            entry = self._entries.popleft()
            self._settled.append(Settled(entry.id, entry.tally))


class Pace:
    """Pauses between slices, so that a batch takes at most a third of the interval; shorter with more to do."""

    LONGEST_S = 0.05

    def __init__(self, interval_s: float) -> None:
        self._spread_s = interval_s / 3
        self._end = 0.0
        self._left = 0

    def begin(self, now: float, rows: int) -> None:
        """A batch begins; `rows` are expected (more may come)."""
        self._end = now + self._spread_s
        self._left = rows

    def pause_s(self, now: float, *, wrote: int, waiting: int, slice_rows: int) -> float:
        """After a slice of `wrote` rows, with `waiting` known to be left."""
        self._left = max(self._left - wrote, waiting)
        slices = max(1, ceil(self._left / slice_rows))
        return min(self.LONGEST_S, max(0.0, self._end - now) / slices)
