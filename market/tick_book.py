"""The last ticks of one asset, by (epoch, seq): what is new, what is missing, what was before. Pure; Gateway's.

Ticks stay in the chunks they came in, as their encoded JSON (the same bytes objects that the buffer's writer keeps):
taking a chunk costs nothing per tick.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tickwire.market.codec import bulk_to_json, json_to_bulk
from tickwire.messages.ticks import TickColumns

KEPT = 1000
PAST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Ticks from `first` to `last`, both included, that can't be had."""

    epoch: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffered:
    """One tick as the buffer in Redis holds it."""

    epoch: str
    seq: int
    price: float
    timestamp: float
    json: bytes


def read_buffer(items: Iterable[bytes]) -> list[Buffered]:
    """The buffer's ticks, oldest first, from its list, newest first. Items that another writer left are skipped."""
    ticks = []
    for item in items:
        try:
            tick: Any = orjson.loads(item)
        except orjson.JSONDecodeError:
            continue
        match tick:
            case {"epoch": str(epoch), "seq": int(seq), "price": int() | float() as price,
                  "timestamp": int() | float() as timestamp}:  # fmt: skip
                ticks.append(Buffered(epoch=epoch, seq=seq, price=price, timestamp=timestamp, json=item))
    ticks.reverse()
    return ticks


class TickBook:
    """One asset's. `take` what arrives; where a chunk does not follow the last one it is held, and `hole` says so."""

    __slots__ = (
        "_chunks",
        "_first",
        "_held",
        "_past",
        "epoch",
        "last",
        "older",
        "price",
        "seeded",
        "source",
        "total",
        "ts_us",
    )

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.last = 0
        """Seq of the newest tick."""
        self.source: str | None = None
        self.price: float | None = None
        self.ts_us: int | None = None
        self.total = 0
        """Live ticks ever taken."""
        self.older = 0
        """Ticks in the buffer that are not in the book: of earlier epochs."""
        self.seeded = False
        """Whether the buffer has been read."""
        self._first = 1
        self._chunks: deque[tuple[int, Sequence[bytes]]] = deque()
        self._held: list[TickColumns] = []
        self._past: deque[str] = deque(maxlen=PAST)
        """Epochs that are over, by what was seen: their names tell the clock's time, and clocks step back."""

    def __len__(self) -> int:
        """How many ticks are kept."""
        return min(KEPT, self.last + 1 - self._first)

    @property
    def first(self) -> int:
        """Seq of the oldest tick kept."""
        return self.last + 1 - len(self)

    @property
    def hole(self) -> tuple[str, int, int] | None:
        """(epoch, first, last) of ticks missing before those held."""
        if not self._held:
            return None
        held = self._held[0]
        expected = self.last + 1 if held.epoch == self.epoch else 1
        return held.epoch, expected, held.first_seq - 1

    @property
    def held_ticks(self) -> int:
        return sum(len(column.encoded) for column in self._held)

    # -- live ticks

    def take(self, column: TickColumns) -> list[TickColumns]:
        """What of the column (and of those held before) is new and next, in order."""
        if column.epoch in self._past:
            return []  # delivered again
        if self._held or not self._follows(column):
            return self._hold(column)
        fresh = self._cut(column)
        return [self._append(fresh)] if fresh is not None else []

    def _follows(self, column: TickColumns) -> bool:
        if self.epoch is None:
            return True  # the first ever seen: nothing was promised before it
        if column.epoch != self.epoch:
            return column.first_seq == 1
        return column.first_seq <= self.last + 1

    def _cut(self, column: TickColumns) -> TickColumns | None:
        """Without the ticks that are known already."""
        known = self.last + 1 - column.first_seq if column.epoch == self.epoch else 0
        if known <= 0:
            return column
        if known >= len(column.encoded):
            return None
        return replace(
            column,
            first_seq=column.first_seq + known,
            ts_us=column.ts_us[known:],
            stamps=column.stamps[known:],
            prices=column.prices[known:],
            ordinals=column.ordinals[known:],
            trade_ids=None if column.trade_ids is None else column.trade_ids[known:],
            encoded=column.encoded[known:],
        )

    def _append(self, column: TickColumns) -> TickColumns:
        encoded, first = column.encoded, column.first_seq
        if column.epoch != self.epoch:
            self.older = min(KEPT, self.older + len(self)) if self.epoch is not None else self.older
            self._begin(column.epoch, first)
        count = len(encoded)
        self.last = first + count - 1
        self._chunks.append((first, encoded) if count <= KEPT else (self.last + 1 - KEPT, encoded[-KEPT:]))
        self.price, self.ts_us = float(column.prices[-1]), column.ts_us[-1]
        self.total += count
        oldest = self.last + 1 - KEPT
        while self._chunks[0][0] + len(self._chunks[0][1]) <= oldest:
            self._chunks.popleft()
        return column

    def _begin(self, epoch: str, first: int) -> None:
        if self.epoch is not None and epoch != self.epoch:
            self._past.append(self.epoch)
        self.epoch, self._first = epoch, first
        self._chunks.clear()

    # -- holes

    def _hold(self, column: TickColumns) -> list[TickColumns]:
        """Keep a column back until what is missing before it has come; return what that makes next."""
        if column.epoch == self.epoch and column.first_seq + len(column.encoded) - 1 <= self.last:
            return []
        self._held.append(column)
        self._sort_held()
        return [each for each in self._release(give_up=False) if isinstance(each, TickColumns)]

    def _sort_held(self) -> None:
        """By seq within an epoch; epochs in the order in which they came."""
        order = {epoch: place for place, epoch in enumerate(dict.fromkeys(each.epoch for each in self._held))}
        if self.epoch in order:
            order[self.epoch] = -1
        self._held.sort(key=lambda each: (order[each.epoch], each.first_seq))

    def fill(self, asset: str, buffered: Sequence[Buffered]) -> list[TickColumns | Gap]:
        """Close the hole from the buffer as far as it goes; what it has not is a Gap. Nothing is held afterwards."""
        hole = self.hole
        if hole is None:
            return []
        epoch, first, last = hole
        for tick in buffered:
            if tick.epoch == epoch and first <= tick.seq <= last:
                self._held.append(_column(asset, tick))
        self._sort_held()
        return self._release(give_up=True)

    def _release(self, *, give_up: bool) -> list[TickColumns | Gap]:
        ready: list[TickColumns | Gap] = []
        while self._held:
            column = self._held[0]
            if not self._follows(column):
                if not give_up:
                    break
                expected = self.last + 1 if column.epoch == self.epoch else 1
                ready.append(Gap(epoch=column.epoch, first=expected, last=column.first_seq - 1))
                self._forget(column)
            del self._held[0]
            fresh = self._cut(column)
            if fresh is not None:
                ready.append(self._append(fresh))
        return ready

    def _forget(self, column: TickColumns) -> None:
        """What is kept has no hole: after one it begins anew."""
        if column.epoch == self.epoch:
            self.older = min(KEPT, self.older + len(self))
            self._begin(column.epoch, column.first_seq)
            self.last = column.first_seq - 1

    # -- the past

    def seed(self, buffered: Sequence[Buffered]) -> None:
        """Take what the buffer has from before: after a start the book goes on where it ends."""
        self.seeded = True
        if not buffered:
            return
        if self.epoch is None:
            newest = buffered[-1]
            self._begin(newest.epoch, newest.seq + 1)
            self.last = newest.seq
            self.price, self.ts_us = newest.price, round(newest.timestamp * 1e6)
        lead: list[bytes] = []
        for tick in reversed(buffered):
            if tick.epoch == self.epoch and tick.seq == self._first - 1 and len(self) < KEPT:
                lead.append(json_to_bulk(tick.json))
                self._first = tick.seq
        if lead:
            self._chunks.appendleft((self._first, lead[::-1]))
        self.older = sum(1 for tick in buffered if tick.epoch != self.epoch)

    @property
    def buffered(self) -> int:
        """How many ticks the asset's buffer holds, this epoch's and older ones."""
        return min(KEPT, self.older + len(self))

    def jsons(self, after: int = 0) -> list[bytes]:
        """The ticks kept whose seq is above `after`, oldest first, JSON each."""
        start = max(after + 1, self.first)
        return [
            bulk_to_json(bulk)
            for first, encoded in self._chunks
            if first + len(encoded) > start
            for bulk in encoded[max(0, start - first) :]
        ]

    def points(self) -> list[tuple[int, float]]:
        """(µs, price) of the ticks kept, oldest first."""
        ticks = orjson.loads(b"[" + b",".join(self.jsons()) + b"]")
        return [(round(tick["timestamp"] * 1e6), tick["price"]) for tick in ticks]

    def has_since(self, epoch: str, seq: int) -> bool:
        """Whether everything after this position is kept."""
        return epoch == self.epoch and self.first - 1 <= seq <= self.last


def _column(asset: str, tick: Buffered) -> TickColumns:
    ts_us = round(tick.timestamp * 1e6)
    return TickColumns(
        asset=asset,
        epoch=tick.epoch,
        first_seq=tick.seq,
        offset_us=0,
        ts_us=[ts_us],
        stamps=[repr(tick.timestamp)],
        prices=[repr(tick.price)],
        ordinals=[0],
        encoded=[json_to_bulk(tick.json)],
    )
