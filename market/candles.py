"""Candles of one asset, all timeframes from one pass over its ticks. Pure.

Only the 15 s base is built from ticks; each longer timeframe is rolled up from the one before it, when a base bucket
closes, changes, or somebody reads. Times are the asset's own: its clock is its newest tick, and goes on from there
while it is silent. A bucket without a tick has no candle.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import le

import orjson

from tickwire.market.bars import Bar, bar_of, roll, union
from tickwire.market.coverage import Coverage
from tickwire.market.tick_bucket import Bucket
from tickwire.market.timeframes import SECONDS, TIMEFRAMES
from tickwire.messages.candles import Candle, Quality
from tickwire.messages.ticks import BrokerCandles, HistoryColumns, TickColumns

LENGTHS = tuple(SECONDS.values())
BASE = LENGTHS[0]
US = 1_000_000
LATE_US = 10 * US
"""A tick so late still amends its closed candle; a later one is counted and left out."""
GRACE_US = 2 * US
"""How long a silent asset's bucket waits for its last ticks after its time is past."""
MARGIN = 16
"""Candles kept beyond those that are shown: a parent is rolled up from at most six."""
SLACK = 64
RETAINED_TICKS = 4000
"""Ticks an asset keeps one by one, to tell history from what came live."""


class AssetCandles:
    """`size` is how many candles a reader of the cache may count on, of each timeframe."""

    def __init__(self, size: int) -> None:
        self.feed = ""
        self.seeded = False
        """Whether Redis was asked for what an earlier run knew."""
        self.consulted: dict[str, tuple[int, int]] = {}
        """Timeframe → (candles asked of the store, candles it had)."""
        self.late = 0
        self.closed: list[Candle] = []
        """Live candles that closed, or changed after they had; the owner takes them."""
        self.changed: set[int] = set()
        """Timeframes (by place) whose closed candles changed; the owner takes them."""
        self._keep = size + MARGIN
        self._bars: list[dict[int, Bar]] = [{} for _ in LENGTHS]
        self._outside: list[dict[int, Bar]] = [{} for _ in LENGTHS]
        self._shown: list[dict[int, tuple[Candle, bytes]]] = [{} for _ in LENGTHS]
        self._floor = [0] * len(LENGTHS)
        self._buckets: dict[int, Bucket] = {}
        self._retained: list[Bucket] = []
        self._coverage = Coverage()
        self._at = 0
        self._newest_us = 0
        self._arrived = 0.0
        self._position = ("", 0)
        self._is_live = False

    # -- what comes in

    def live(self, columns: TickColumns, now: float) -> None:
        """Take ticks that arrived at `now` (monotonic), in any order; a column that comes again is known by its seq."""
        epoch, expected = self._position
        if columns.epoch == epoch and columns.first_seq < expected:
            return
        self._position = (columns.epoch, columns.first_seq + len(columns.ts_us))
        ts_us, prices, ordinals = columns.ts_us, list(map(float, columns.prices)), columns.ordinals
        if columns.epoch != epoch:
            self._coverage.begin(ts_us[0])
        if not self._is_live:
            self._is_live = True
            self._at = max(self._at, ts_us[0] // US // BASE * BASE)
        ordered = len(ts_us) == 1 or all(map(le, ts_us, islice(ts_us, 1, None)))
        if not ordered or ts_us[0] < self._at * US:
            keep = self._in_time(ts_us)
            ts_us, prices = [ts_us[i] for i in keep], [prices[i] for i in keep]
            ordinals = [ordinals[i] for i in keep]
        self._arrived = now
        self._take(ts_us, prices, ordinals)

    def _in_time(self, ts_us: Sequence[int]) -> list[int]:
        """Places of the ticks that count, by stamp; of one stamp in the order they came."""
        newest = self._newest_us or ts_us[0]
        keep = []
        for i, us in enumerate(ts_us):
            newest = max(newest, us)
            if newest - us > LATE_US and (us // US // BASE + 1) * BASE * US <= newest:
                self.late += 1
            else:
                keep.append(i)
        keep.sort(key=ts_us.__getitem__)
        return keep

    def _take(self, ts_us: Sequence[int], prices: Sequence[float], ordinals: Sequence[int]) -> None:
        done = 0
        while done < len(ts_us):
            start = ts_us[done] // US // BASE * BASE
            end_us = (start + BASE) * US
            stop = len(ts_us) if ts_us[-1] < end_us else bisect_left(ts_us, end_us, done)
            self._coverage.extend(ts_us[done])
            if start > self._at:
                self._advance(start)
            self._bucket(start).live(ts_us[done:stop], prices[done:stop], ordinals[done:stop])
            if start < self._at:
                self._amend(start)
            self._coverage.extend(ts_us[stop - 1])
            self._newest_us = max(self._newest_us, ts_us[stop - 1])
            done = stop

    def past(self, columns: HistoryColumns) -> None:
        """Take history, in any order; ticks that came live already are known."""
        order = sorted(range(len(columns.ts_us)), key=columns.ts_us.__getitem__)
        ts_us = [columns.ts_us[i] for i in order]
        prices = [float(columns.prices[i]) for i in order]
        ordinals = [columns.ordinals[i] for i in order]
        self._coverage.past(ts_us[0], ts_us[-1])
        touched, done = [], 0
        while done < len(ts_us):
            start = ts_us[done] // US // BASE * BASE
            stop = bisect_left(ts_us, (start + BASE) * US, done)
            if start >= self._floor[0]:
                self._bucket(start).past(ts_us[done:stop], prices[done:stop], ordinals[done:stop])
                touched.append(start)
            done = stop
        if touched and touched[-1] > self._at:
            self._advance(touched[-1])
        self._roll(0, touched)
        self._trim()

    def broker(self, candles: BrokerCandles) -> None:
        """Take the broker's own candles: they count where ticks do not cover a bucket from its start to its end."""
        if candles.period_s not in LENGTHS or not candles.rows:
            return
        level = LENGTHS.index(candles.period_s)
        rows = [row for row in candles.rows[-self._keep :] if row[0] >= self._floor[level]]
        for start, opened, high, low, closed in rows:
            over = (start + candles.period_s) * US <= self._newest_us
            self._outside[level][start] = Bar(
                start, opened, high, low, closed, 0, "backfilled" if over or not self._is_live else "partial"
            )
        if rows and not self._is_live:
            self._at = max(self._at, rows[-1][0] // BASE * BASE)
        self._roll(level, [row[0] for row in rows])
        self._trim()

    def adopt(self, timeframe: str, candles: Sequence[Candle]) -> None:
        """Take candles that Redis or the store had: they count where nothing better is known here."""
        level = TIMEFRAMES.index(timeframe)
        taken = [bar_of(candle) for candle in candles[-self._keep :] if candle.timestamp >= self._floor[level]]
        for bar in taken:
            known = self._outside[level].get(bar.start)
            if known is None or not known.whole:
                self._outside[level][bar.start] = bar
        if candles and not self._is_live:
            last = candles[-1]
            end = last.timestamp + (LENGTHS[level] if last.is_closed else 0)
            self._at = max(self._at, end // BASE * BASE)
        self._roll(level, [bar.start for bar in taken])
        self._trim()

    # -- time

    def elapse(self, now: float, *, fed: bool) -> None:
        """Close what is over though no tick came; `fed` says that the feed is well, so the silence is the market's."""
        if not self._is_live:
            return
        clock_us = self._newest_us + int((now - self._arrived) * US) - GRACE_US
        start = clock_us // US // BASE * BASE
        if start > self._at:
            if fed:
                self._coverage.extend(clock_us)
            self._advance(start)

    def due(self) -> float | None:
        """The monotonic time at which `elapse` has something to close, None if nothing is open."""
        if not self._is_live:
            return None
        ends = [self._at + BASE] if self._at in self._buckets else []
        ends += [
            start + length
            for length, bars in zip(LENGTHS, self._bars, strict=True)
            if (start := self._at // length * length) in bars
        ]
        return self._arrived + (min(ends) * US + GRACE_US - self._newest_us) / US if ends else None

    def _advance(self, start: int) -> None:
        """The clock has come to the bucket at `start`: what ended before it is closed."""
        before, self._at = self._at, start
        if not before:
            return
        if before in self._buckets:
            self._roll(0, [before])
        for level, length in enumerate(LENGTHS):
            over = before // length * length
            if over == start // length * length:
                continue
            if over in self._bars[level]:
                self.changed.update((level, *range(5, 8)) if level == 3 else (level,))
                if self._is_live:
                    self.closed.append(self._show(level, over)[0])
        self._trim()

    def _amend(self, start: int) -> None:
        self._roll(0, [start])
        for level, length in enumerate(LENGTHS):
            over = start // length * length
            if over + length <= self._at and over in self._bars[level]:
                self.closed.append(self._show(level, over)[0])

    # -- what comes out

    def candles(self, timeframe: str, limit: int) -> list[Candle]:
        """The last ones, oldest first, the forming one (if there is one) last."""
        level = TIMEFRAMES.index(timeframe)
        if self._at in self._buckets:
            self._roll(0, [self._at])
        return [self._show(level, start)[0] for start in sorted(self._bars[level])[-limit:]]

    def encoded(self, level: int, limit: int) -> bytes:
        """The last closed ones as a JSON array, oldest first."""
        over = self._at - LENGTHS[level]
        starts = [start for start in sorted(self._bars[level]) if start <= over]
        return b"[%b]" % b",".join([self._show(level, start)[1] for start in starts[-limit:]])

    def _show(self, level: int, start: int) -> tuple[Candle, bytes]:
        is_closed = start + LENGTHS[level] <= self._at
        shown = self._shown[level].get(start)
        if shown is None or shown[0].is_closed is not is_closed:
            candle = self._bars[level][start].candle(TIMEFRAMES[level], is_closed=is_closed)
            shown = self._shown[level][start] = (candle, orjson.dumps(candle))
        return shown

    # -- rolling up

    def _bucket(self, start: int) -> Bucket:
        bucket = self._buckets.get(start)
        if bucket is None:
            bucket = self._buckets[start] = Bucket(start)
            self._retained.append(bucket)
            self._seal()
        return bucket

    def _seal(self) -> None:
        while len(self._retained) > 1 and sum(each.ticks for each in self._retained) > RETAINED_TICKS:
            self._retained.pop(0).seal()

    def _roll(self, level: int, starts: Iterable[int]) -> None:
        """Work the buckets out anew, and all that they are part of."""
        wanted = set(starts)
        for place in range(level, len(LENGTHS)):
            length = LENGTHS[place]
            wanted = {start // length * length for start in wanted}
            for start in wanted:
                bar = self._resolve(place, start)
                if bar is not None and bar != self._bars[place].get(start):
                    self._bars[place][start] = bar
                    self._shown[place].pop(start, None)
                    if start + length <= self._at:
                        self.changed.add(place)

    def _resolve(self, level: int, start: int) -> Bar | None:
        own = self._own(level, start)
        outside = self._outside[level].get(start)
        if own is None or outside is None:
            return own or outside
        if own.whole:
            return own
        return outside._replace(ticks=max(own.ticks, outside.ticks)) if outside.whole else union(outside, own)

    def _own(self, level: int, start: int) -> Bar | None:
        """What the ticks say (base), or the parts."""
        if level:
            if start < self._floor[level - 1]:
                return self._bars[level].get(start)
            step, bars = LENGTHS[level - 1], self._bars[level - 1]
            parts = [bars[at] for at in range(start, start + LENGTHS[level], step) if at in bars]
            return self._from_its_start(roll(start, parts), parts[0].start) if parts else None
        bucket = self._buckets.get(start)
        if bucket is None or not bucket.ticks:
            return None
        until = (start + BASE) * US if start < self._at else max(bucket.last_us, start * US + 1)
        state = self._coverage.state(start * US, until)
        quality: Quality = state if state != "whole" else "backfilled" if bucket.backfilled else "live"
        return Bar(start, bucket.open, bucket.high, bucket.low, bucket.close, bucket.ticks, quality)

    def _from_its_start(self, bar: Bar, first: int) -> Bar:
        """Ticks that begin with a later part of the bucket do not cover it, be that part whole."""
        if not bar.whole or first == bar.start or first not in self._buckets:
            return bar
        state = self._coverage.state(bar.start * US, first * US + 1)
        return bar if state == "whole" else bar._replace(quality=state)

    def _trim(self) -> None:
        for level, bars in enumerate(self._bars):
            if len(bars) <= self._keep + SLACK:
                continue
            floor = self._floor[level] = sorted(bars)[-self._keep]
            tables: list[dict[int, object]] = [bars, self._outside[level], self._shown[level]]  # type: ignore[list-item]
            if level == 0:
                tables.append(self._buckets)  # type: ignore[arg-type]
            for table in tables:
                for start in [start for start in table if start < floor]:
                    del table[start]
