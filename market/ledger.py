"""The ledger's arithmetic: what became of every tick, by asset and minute of receipt.

    received = parsed + rejected(reason) + duplicates
    parsed   = stored + quarantined + pending + lost(stage: reason)

A *posting* adds to one such figure. What arrives is counted apart from what becomes of it, so that a tick which got
lost on the way between the two leaves the account out of balance instead of nowhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tickwire.market.rows import Row
from tickwire.messages.ticks import BAD_CANDLE, DUPLICATE, LOST, RECEIVED

Fate = Literal["received", "parsed", "rejected", "duplicate", "stored", "quarantined", "lost"]
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Posting:
    """`count` ticks of an asset, received in a minute, met a fate; `reason` of rejected and lost ones."""

    asset: str
    minute: int
    """Opening second UTC of the minute of receipt."""
    fate: Fate
    count: int
    reason: str = ""


def minute_of(recv_us: int) -> int:
    """The opening second of the minute of a receipt."""
    return recv_us // MINUTE_US * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPostings:
    """What one entry of the spool adds to the ledger, once."""

    entry: int
    """The spool's row number."""
    postings: Sequence[Posting]
    oldest_us: Mapping[str, int]
    """First and last receipt of each asset in it."""
    newest_us: Mapping[str, int]


class Tally:
    """One entry's ticks and counts on their way to postings: what is not quarantined by the end is stored."""

    def __init__(self, rows: Sequence[Row], counted: Iterable[tuple[str, int, int, str]]) -> None:
        self._parsed = Counter((row.pair, minute_of(row.recv_us)) for row in rows)
        self._counted = list(counted)
        self._quarantined: Counter[tuple[str, int]] = Counter()
        self._oldest: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        for row in rows:
            self._oldest.setdefault(row.pair, row.recv_us)
            self._newest[row.pair] = row.recv_us

    def __bool__(self) -> bool:
        """Whether there is anything to account for."""
        return bool(self._parsed or self._counted)

    def quarantined(self, row: Row) -> None:
        self._quarantined[row.pair, minute_of(row.recv_us)] += 1

    def accepted(self) -> list[Posting]:
        """What is known of the entry as soon as it is in the spool: all but whether its ticks are stored."""
        figures: Counter[tuple[str, int, Fate, str]] = Counter()
        for (asset, minute), count in self._parsed.items():
            figures[asset, minute, "parsed", ""] += count
            figures[asset, minute, "received", ""] += count
        for asset, minute, count, reason in self._counted:
            if reason == BAD_CANDLE:
                continue
            figures[asset, minute, "received", ""] += count
            if reason == DUPLICATE:
                figures[asset, minute, "duplicate", ""] += count
            elif reason.startswith(LOST):
                figures[asset, minute, "parsed", ""] += count
                figures[asset, minute, "lost", reason.removeprefix(LOST)] += count
            elif reason != RECEIVED:
                figures[asset, minute, "rejected", reason] += count
        return [Posting(asset, minute, fate, count, reason) for (asset, minute, fate, reason), count in figures.items()]

    def settled(self, entry: int) -> EntryPostings:
        """All its ticks are stored or quarantined."""
        postings = self.accepted()
        for key, count in self._parsed.items():
            refused = self._quarantined[key]
            postings += [Posting(*key, "stored", count - refused)] if count > refused else []
            postings += [Posting(*key, "quarantined", refused)] if refused else []
        return EntryPostings(entry=entry, postings=postings, oldest_us=self._oldest, newest_us=self._newest)


@dataclass(slots=True)
class Account:
    """One asset's figures, summed over some time."""

    asset: str
    figures: Counter[tuple[Fate, str]] = field(default_factory=Counter)
    pending: int = 0
    """Accepted and not yet stored: in the spool."""

    def post(self, posting: Posting) -> None:
        self.figures[posting.fate, posting.reason] += posting.count

    def total(self, fate: Fate) -> int:
        return sum(count for (of, _), count in self.figures.items() if of == fate)

    def reasons(self, fate: Fate) -> Mapping[str, int]:
        """Counts by reason, the most frequent first."""
        found = {reason: count for (of, reason), count in self.figures.items() if of == fate and count}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def unexplained_at_parse(self) -> int:
        """Ticks received of which nobody knows what became; below 0: more fates than ticks."""
        return self.total("received") - self.total("parsed") - self.total("rejected") - self.total("duplicate")

    @property
    def unexplained_after(self) -> int:
        """Ticks parsed that are nowhere; below 0: counted twice."""
        settled = self.total("stored") + self.total("quarantined") + self.total("lost")
        return self.total("parsed") - settled - self.pending

    @property
    def balanced(self) -> bool:
        return self.unexplained_at_parse == 0 and self.unexplained_after == 0


def accounts(postings: Iterable[Posting], pending: Mapping[str, int]) -> list[Account]:
    """An account an asset, by name."""
    found: dict[str, Account] = {}
    for posting in postings:
        found.setdefault(posting.asset, Account(posting.asset)).post(posting)
    for asset, count in pending.items():
        found.setdefault(asset, Account(asset)).pending += count
    return [found[asset] for asset in sorted(found)]
