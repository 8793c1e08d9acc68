"""What CacheManager's history desk keeps over incarnations of its actor, and what it believes for a while."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from tickwire.actors.offered_candles import OfferedCandles
from tickwire.messages.history import HistoryCounted


class Believed:
    """Keys that hold until a time each; of more than `most` the oldest is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[Hashable, float] = {}

    def put(self, key: Hashable, until: float) -> None:
        self._until.pop(key, None)
        self._until[key] = until
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def holds(self, key: Hashable, now: float) -> bool:
        return self._until.get(key, now) > now


@dataclass(slots=True)
class HistoryCounts:
    """Questions by how they were answered; they only grow."""

    hits: int = 0
    misses: int = 0
    stale: int = 0
    waits: int = 0
    failed: int = 0

    def note(self, outcome: str, askers: int, waited: int) -> None:
        """`outcome` as HistoryMeasured names it."""
        self.waits += waited
        match outcome:
            case "store":
                self.misses += askers
            case "stale":
                self.stale += askers
            case "failed":
                self.failed += askers
            case _:
                self.hits += askers

    def told(self) -> HistoryCounted:
        return HistoryCounted(
            hits=self.hits, misses=self.misses, stale=self.stale, waits=self.waits, failed=self.failed
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HistoryMemory:
    """Outlives incarnations."""

    offered: OfferedCandles = field(default_factory=OfferedCandles)
    counts: HistoryCounts = field(default_factory=HistoryCounts)
