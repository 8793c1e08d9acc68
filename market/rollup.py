"""One asset's bars of all timeframes: each longer one is rolled up from the one before it. Pure.

What changes below marks its parents stale; they are worked out when they end or somebody reads them, so a bucket that
closes costs no more than a roll and a third.
"""

from collections.abc import Callable, Iterable, Sequence

import orjson

from tickwire.market.bars import Bar, roll, union
from tickwire.market.tick_order import US
from tickwire.market.timeframes import SECONDS, TIMEFRAMES
from tickwire.messages.candles import Candle

LENGTHS = tuple(SECONDS.values())
BASE = LENGTHS[0]
LAST = len(LENGTHS) - 1
MARGIN = 16
"""Candles kept beyond those that are shown: a parent is rolled up from at most six."""
SLACK = 64


class Rollup:
    """`base` says what the ticks of a base bucket come to; `entered` what a bar is worth whose parts begin late."""

    def __init__(self, size: int, base: Callable[[int], Bar | None], entered: Callable[[Bar, int], Bar]) -> None:
        self.at = 0
        """Opening second of the present base bucket: what ended by then is closed."""
        self.changed: set[int] = set()
        """Timeframes (by place) whose closed candles changed; the owner takes them."""
        self.renewed: dict[tuple[int, int], None] = {}
        """Closed candles (level, opening second) that are new or better known; the owner takes them."""
        self.known_elsewhere = False
        """What becomes known now comes from the store, or was told to it by an earlier run."""
        self.keep = size + MARGIN
        self._outside: list[dict[int, Bar]] = [{} for _ in LENGTHS]
        """What others (the broker, Redis, the store) know."""
        self._unproven: list[set[int]] = [set() for _ in LENGTHS]
        """Of these, those that are whole as far as there is nothing here that says otherwise."""
        self.floor = [0] * len(LENGTHS)
        self._bars: list[dict[int, Bar]] = [{} for _ in LENGTHS]
        self._shown: list[dict[int, tuple[Candle, bytes]]] = [{} for _ in LENGTHS]
        self._stale: list[set[int]] = [set() for _ in LENGTHS]
        self._base = base
        self._entered = entered

    def told(self, level: int, bar: Bar) -> None:
        """The broker says so."""
        self._outside[level][bar.start] = bar
        self._unproven[level].discard(bar.start)

    def kept(self, level: int, bar: Bar, *, proven: bool) -> None:
        """Redis or the store has it: of two the better proven counts, then the earlier."""
        known = self._outside[level].get(bar.start)
        if known is None or not known.whole or (proven and bar.start in self._unproven[level]):
            self.told(level, bar)
            if not proven:
                self._unproven[level].add(bar.start)

    def mark(self, level: int, starts: Iterable[int]) -> None:
        """These are to be worked out anew, and all that they are part of."""
        self._stale[level].update(starts)

    def freshen(self, level: int = LAST) -> None:
        """Work out what is stale, up to and with this level."""
        for place in range(level + 1):
            stale = self._stale[place]
            if not stale:
                continue
            for start in stale:
                self._work_out(place, start)
            if place < LAST:
                parent = LENGTHS[place + 1]
                self._stale[place + 1].update([start // parent * parent for start in stale])
            stale.clear()

    def ended(self, start: int) -> list[tuple[int, int]]:
        """(level, opening second) of the closed candles that the base bucket at `start` is part of, fresh."""
        over = [(level, start // length * length) for level, length in enumerate(LENGTHS)]
        over = [(level, begin) for level, begin in over if begin + LENGTHS[level] <= self.at]
        if over:
            self.freshen(over[-1][0])
        return [(level, begin) for level, begin in over if begin in self._bars[level]]

    def has(self, level: int, start: int) -> bool:
        return start in self._bars[level]

    def is_whole(self, level: int, start: int) -> bool:
        bar = self._bars[level].get(start)
        return bar is not None and bar.whole

    def next_end(self) -> int | None:
        """When the shortest candle that is open ends, in seconds UTC; None if none is."""
        for level, length in enumerate(LENGTHS):
            start = self.at // length * length
            if start in self._bars[level] or start in self._stale[level]:
                return start + length
        return None

    def candles(self, level: int, limit: int) -> list[Candle]:
        """The last ones, oldest first."""
        self.freshen(level)
        return [self.show(level, start)[0] for start in sorted(self._bars[level])[-limit:]]

    def encoded(self, level: int, limit: int) -> bytes:
        """The last closed ones as a JSON array, oldest first."""
        self.freshen(level)
        over = self.at - LENGTHS[level]
        starts = [start for start in sorted(self._bars[level]) if start <= over]
        return b"[%b]" % b",".join([self.show(level, start)[1] for start in starts[-limit:]])

    def show(self, level: int, start: int) -> tuple[Candle, bytes]:
        is_closed = start + LENGTHS[level] <= self.at
        shown = self._shown[level].get(start)
        if shown is None or shown[0].is_closed is not is_closed:
            candle = self._bars[level][start].candle(TIMEFRAMES[level], is_closed=is_closed)
            encoded = bytes(memoryview(orjson.dumps(candle)))  # orjson's own result holds 4 KiB for its 200 bytes
            shown = self._shown[level][start] = (candle, encoded)
        return shown

    def take_renewed(self, until_us: float) -> list[Candle]:
        """Closed candles that are new or better known since the last call; what was forgotten meanwhile is left out.

        Those that end after `until_us` are left for another time.
        """
        due = [key for key in self.renewed if (key[1] + LENGTHS[key[0]]) * US <= until_us]
        for key in due:
            del self.renewed[key]
        return [self.show(level, start)[0] for level, start in due if start in self._bars[level]]

    def trim(self) -> Sequence[int]:
        """Forget what is older than is shown; returns the base buckets that are gone.

        What is stale then is open, and made of the newest parts: none of them goes.
        """
        base, *_ = [self._trim(level) for level in range(len(LENGTHS))]
        return base

    def _trim(self, level: int) -> Sequence[int]:
        bars = self._bars[level]
        if len(bars) <= self.keep + SLACK:
            return ()
        starts = sorted(bars)
        gone, self.floor[level] = starts[: -self.keep], starts[-self.keep]
        for start in gone:
            del bars[start]
            self._outside[level].pop(start, None)
            self._unproven[level].discard(start)
            self._shown[level].pop(start, None)
        return gone

    def _work_out(self, level: int, start: int) -> None:
        bar, known = self._resolve(level, start), self._bars[level].get(start)
        if bar is not None and bar != known:
            self._bars[level][start] = bar
            self._shown[level].pop(start, None)
            if start + LENGTHS[level] <= self.at:
                self.changed.add(level)
                if known is not None or not self.known_elsewhere:
                    self.renewed[level, start] = None

    def _resolve(self, level: int, start: int) -> Bar | None:
        own = self._parts(level, start) if level else self._base(start)
        outside = self._outside[level].get(start)
        if own is None or outside is None:
            return own or outside
        proven = outside.whole and start not in self._unproven[level]
        if own.whole and not (proven and outside.ticks > own.ticks):
            return own
        if own.whole:  # an earlier run saw ticks that never came here, and some here may have come too late for it
            return union(outside, own)._replace(quality="backfilled")
        return outside._replace(ticks=max(own.ticks, outside.ticks)) if proven else union(outside, own)

    def _parts(self, level: int, start: int) -> Bar | None:
        if start < self.floor[level - 1]:
            return self._bars[level].get(start)
        step, bars = LENGTHS[level - 1], self._bars[level - 1]
        if not bars:
            return None
        parts: Sequence[Bar] = [bars[at] for at in range(start, start + LENGTHS[level], step) if at in bars]
        return self._entered(roll(start, parts), parts[0].start) if parts else None
