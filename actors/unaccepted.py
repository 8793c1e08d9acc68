"""What the spool did not take: kept in order, and after a time counted as lost, the newest first. BufferKeeper's.

It outlives incarnations. Counts of what was lost wait here as messages without ticks, one a sender and minute.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from tickwire.market.ledger import minute_of
from tickwire.messages.ticks import LOST_IN_SPOOL, BackfillReceived, Count, TicksReceived

Intake = TicksReceived | BackfillReceived


class Unaccepted:
    def __init__(self) -> None:
        self.messages: list[Intake] = []
        self.shedding = False
        """The feeds are read on, and what they bring is counted and let go."""
        self.lost = 0
        """Ticks let go, ever."""
        self._since: float | None = None
        self._summaries: dict[tuple[str, int], int] = {}

    def __bool__(self) -> bool:
        return bool(self.messages)

    def __contains__(self, message: object) -> bool:
        return any(each is message for each in self.messages)

    def keep(self, fresh: Sequence[Intake], now: float) -> None:
        """The spool took nothing of these."""
        self._since = now if self._since is None else self._since
        for message in fresh:
            if self.shedding:
                self._shed(message)
            else:
                self.messages.append(message)

    def give_up(self, now: float, after_s: float) -> bool:
        """Whether it is time to shed what comes from now on: true once."""
        due = not self.shedding and self._since is not None and now - self._since >= after_s
        self.shedding = self.shedding or due
        return due

    def drop(self, taken: Mapping[str, int]) -> list[Intake]:
        """Those that the spool turns out to have: `taken` is its last number of each sender."""
        committed = [each for each in self.messages if each.number <= taken.get(each.sender, 0)]
        if committed:
            rest = self.messages[len(committed) :]
            self.clear()
            self.messages.extend(rest)
        return committed

    def clear(self) -> None:
        """The spool has them."""
        self.messages.clear()
        self._summaries.clear()
        self._since, self.shedding = None, False

    def _shed(self, message: Intake) -> None:
        self.lost += message.ticks
        key = (message.sender, minute_of(message.recv_us))
        place = self._summaries.get(key)
        before = self.messages[place].counts if place is not None else ()
        summary = loss(message, LOST_IN_SPOOL, before=before)
        if place is None:
            self._summaries[key] = len(self.messages)
            self.messages.append(summary)
        else:
            self.messages[place] = summary


def loss(message: Intake, reason: str, *, sender: str | None = None, before: Sequence[Count] = ()) -> TicksReceived:
    """A message's counts, `before` added, with its ticks among them as lost."""
    counts: Counter[tuple[str, str]] = Counter()
    for count in [*before, *message.counts]:
        counts[count.asset, count.reason] += count.count
    for column in message.columns:
        counts[column.asset, reason] += len(column.ts_us)
    return TicksReceived(
        sender=sender or message.sender,
        number=message.number,
        feed=message.feed,
        source=message.source,
        recv_us=message.recv_us,
        ticks=0,
        columns=(),
        counts=[Count(asset=asset, reason=reason, count=n) for (asset, reason), n in counts.items()],
    )
