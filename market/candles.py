"""Candles of one asset, all timeframes from one pass over its ticks. Pure.

Only the 15 s base is built from ticks; `Rollup` makes the longer timeframes of it. Times are the asset's own: its clock
is its newest tick, and goes on from there while it is silent. A bucket without a tick has no candle.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from tickwire.market.bars import Bar, bar_of
from tickwire.market.coverage import Coverage
from tickwire.market.rollup import BASE, LENGTHS, SLACK, Rollup
from tickwire.market.tick_bucket import Bucket
from tickwire.market.tick_order import US, TickOrder
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.market.told_candles import ToldCandles
from tickwire.messages.candles import Candle, Quality
from tickwire.messages.ticks import BrokerCandles, HistoryColumns, TickColumns

GRACE_US = 2 * US
"""How long a silent asset's bucket waits for its last ticks after its time is past."""
RETAINED_TICKS = 4000
"""Ticks an asset keeps one by one, to tell history from what came live."""
WRITTEN_OFTEN = TIMEFRAMES.index("15m")
"""With its close the longer ones are written again, too, or they would expire under a live asset."""


@dataclass(frozen=True, slots=True)
class Consulted:
    """What the store was asked of a timeframe, and said."""

    at: float
    """Monotonic."""
    limit: int
    older: bool
    """It has candles that are not here."""
    floor: int
    """From where candles were held then: if it rises, `older` holds no more."""


class AssetCandles:
    """`size` is how many candles a reader of the cache may count on, of each timeframe."""

    def __init__(self, size: int) -> None:
        self.feed = ""
        self.seeded: set[int] = set()
        """Timeframes (by place) of which Redis was asked what an earlier run knew."""
        self.holes_told = 0
        """`holes_made`, when the owner last saw to it."""
        self.recalled: set[str] = set()
        """Timeframes with candles that an earlier run left in Redis."""
        self.consulted: dict[str, Consulted] = {}
        self.closed: list[Candle] = []
        """Live candles that closed, or changed after they had; the owner takes them."""
        self.order = TickOrder()
        self._rollup = Rollup(size, self._base, self._entered)
        self._told = ToldCandles(self._rollup)
        self.refilled = self._told.refilled
        self.changed = self._rollup.changed
        """Timeframes (by place) whose closed candles changed; the owner takes them."""
        self.encoded = self._rollup.encoded
        self.renewed = self._rollup.renewed
        self._buckets: dict[int, Bucket] = {}
        self._retained: deque[Bucket] = deque()
        self._retained_ticks = 0
        self._coverage = Coverage()
        self._position = ("", 0)
        self._begins_us: int | None = None
        """Stamp of the first tick to come after a doubt, if none counted since."""
        self._is_live = False

    # -- what comes in

    def live(self, columns: TickColumns, now: float, recv_us: int = 0) -> None:
        """Take ticks that arrived at `now` (monotonic), in any order; a column that comes again is known by its seq."""
        epoch, expected = self._position
        if columns.epoch == epoch and columns.first_seq < expected:
            return
        self._position = (columns.epoch, columns.first_seq + len(columns.ts_us))
        if columns.epoch != epoch:
            self._begins_us = columns.ts_us[0]
        ticks = (columns.ts_us, list(map(float, columns.prices)), columns.ordinals)
        self._take(*self.order.take(ticks, now, recv_us, self._rollup.at * US))

    def _take(self, ts_us: Sequence[int], prices: Sequence[float], ordinals: Sequence[int]) -> None:
        if ts_us and not self._is_live:
            self._is_live = True
            self._rollup.at = max(self._rollup.at, ts_us[0] // US // BASE * BASE)
        if ts_us and self._begins_us is not None:
            self.doubt()
            self._coverage.begin(min(max(self._begins_us, ts_us[0]), ts_us[-1]))
            self._begins_us = None
        done = 0
        while done < len(ts_us):
            start = ts_us[done] // US // BASE * BASE
            end_us = (start + BASE) * US
            stop = len(ts_us) if ts_us[-1] < end_us else bisect_left(ts_us, end_us, done)
            self._coverage.extend(ts_us[done])
            if start > self._rollup.at:
                self._advance(start)
            bucket = self._bucket(start)
            known = bucket.ticks
            bucket.live(ts_us[done:stop], prices[done:stop], ordinals[done:stop])
            self._retained_ticks += bucket.ticks - known
            if start < self._rollup.at:
                self._amend(start)
            if stop > done + 1:
                self._coverage.extend(ts_us[stop - 1])
            done = stop

    def doubt(self) -> None:
        """Ticks may be missing from the last one on: silence since then proves nothing."""
        last_us = self._coverage.end()
        if last_us is not None:
            self._amend(last_us // US // BASE * BASE)

    def past(self, columns: HistoryColumns) -> None:
        """Take history, in any order; ticks that came live already are known."""
        order = sorted(range(len(columns.ts_us)), key=columns.ts_us.__getitem__)
        ts_us = [columns.ts_us[i] for i in order]
        self._coverage.past(ts_us[0], ts_us[-1])
        prices, ordinals = columns.prices, columns.ordinals
        self._fill(ts_us, [float(prices[i]) for i in order], [ordinals[i] for i in order])

    def refill(self, from_us: int, ticks: Sequence[tuple[int, str]]) -> None:
        """Take stored ticks (µs, price text; ascending) of a hole; all of them from `from_us` to the last one."""
        ts_us = [us for us, _ in ticks]
        seen: Counter[tuple[int, str]] = Counter()
        ordinals = []
        for tick in ticks:
            ordinals.append(seen[tick])
            seen[tick] += 1
        self._coverage.stored(from_us, ts_us)
        self._fill(ts_us, [float(price) for _, price in ticks], ordinals)

    def _fill(self, ts_us: Sequence[int], prices: Sequence[float], ordinals: Sequence[int]) -> None:
        touched, done = [], 0
        while done < len(ts_us):
            start = ts_us[done] // US // BASE * BASE
            stop = bisect_left(ts_us, (start + BASE) * US, done)
            if start >= self._rollup.floor[0]:
                bucket = self._bucket(start)
                known = bucket.ticks
                bucket.past(ts_us[done:stop], prices[done:stop], ordinals[done:stop])
                self._retained_ticks += bucket.ticks - known
                touched.append(start)
            done = stop
        if touched and touched[-1] > self._rollup.at:
            self._advance(touched[-1])
        self._changed(0, [*touched, *self._unsure()])

    def _unsure(self) -> list[int]:
        """Base buckets with ticks that may be whole by what covers them now."""
        return [start for start in self._buckets if not self._rollup.is_whole(0, start)]

    @property
    def holes(self) -> Sequence[tuple[int, int]]:
        """Of live ticks: (last µs known before, first µs known after), ascending."""
        return self._coverage.holes

    @property
    def holes_made(self) -> int:
        return self._coverage.holes_made

    def broker(self, candles: BrokerCandles) -> None:
        """Take the broker's own candles: they count where ticks do not cover a bucket from its start to its end."""
        if candles.period_s not in LENGTHS:
            return
        starts = self._told.take(candles, self.order.newest_us if self._is_live else None)
        if starts and not self._is_live:
            self._rollup.at = max(self._rollup.at, starts[-1] // BASE * BASE)
        self._changed(LENGTHS.index(candles.period_s), starts)

    def adopt(self, timeframe: str, candles: Sequence[Candle], *, ours: bool = False) -> None:
        """Take candles that Redis or the store had: they count where nothing better is known here.

        `ours`: an earlier run's own, so that a whole one says that its time was covered. Else a backfilled one may be
        made of the stored ticks alone, which don't tell of those that were missed.
        """
        level, rollup = TIMEFRAMES.index(timeframe), self._rollup
        taken = [bar_of(candle) for candle in candles[-rollup.keep :] if candle.timestamp >= rollup.floor[level]]
        for bar in taken:
            rollup.kept(level, bar, proven=ours or not bar.ticks or bar.quality != "backfilled")
        if candles and not self._is_live:
            last = candles[-1]
            end = last.timestamp + (LENGTHS[level] if last.is_closed else 0)
            rollup.at = max(rollup.at, end // BASE * BASE)
        if ours and not level:
            self._coverage.remembered([(bar.start, bar.whole) for bar in taken], BASE)
            rollup.mark(0, self._unsure())
        rollup.known_elsewhere = True
        self._changed(level, [bar.start for bar in taken])
        rollup.known_elsewhere = False

    # -- time

    def elapse(self, now: float, *, fed: bool) -> None:
        """Close what is over though no tick came; `fed` says that the feed is well, so the silence is the market's."""
        self._take(*self.order.elapsed(now))
        if not self._is_live:
            return
        clock_us = self.order.clock_us(now) - GRACE_US
        start = clock_us // US // BASE * BASE
        if start > self._rollup.at:
            if fed:
                self._coverage.silent(clock_us)
            self._advance(start)

    def due(self) -> float | None:
        """The monotonic time at which `elapse` has something to do, None if nothing is open."""
        held = self.order.due()
        if not self._is_live:
            return held
        at = self._rollup.at
        end = at + BASE if at in self._buckets else self._rollup.next_end()
        if end is None:
            return held
        over = self.order.until(end * US + GRACE_US)
        return over if held is None else min(over, held)

    def _advance(self, start: int) -> None:
        """The clock has come to the bucket at `start`: what ended before it is closed."""
        rollup = self._rollup
        before, rollup.at = rollup.at, start
        if not before:
            return
        if before in self._buckets:
            rollup.mark(0, [before])
        for level, over in rollup.ended(before):
            rollup.renewed[level, over] = None
            rollup.changed.update(range(level, len(LENGTHS)) if level == WRITTEN_OFTEN else (level,))
            if self._is_live:
                self.closed.append(rollup.show(level, over)[0])
        self._trim()

    def _amend(self, start: int) -> None:
        self._rollup.mark(0, [start])
        self.closed += [self._rollup.show(level, over)[0] for level, over in self._rollup.ended(start)]

    def _trim(self) -> None:
        for start in self._rollup.trim():
            self._buckets.pop(start, None)

    def _changed(self, level: int, starts: Sequence[int]) -> None:
        self._rollup.mark(level, starts)
        self._rollup.freshen()
        self._trim()

    # -- what comes out

    def candles(self, timeframe: str, limit: int) -> list[Candle]:
        """The last ones, oldest first, the forming one (if there is one) last."""
        if self._rollup.at in self._buckets:
            self._rollup.mark(0, [self._rollup.at])
        return self._rollup.candles(TIMEFRAMES.index(timeframe), limit)

    def held(self, timeframe: str) -> list[Candle]:
        """All that are kept, as `candles` gives them."""
        return self.candles(timeframe, self._rollup.keep + SLACK + 1)

    def floor(self, timeframe: str) -> int:
        """Opening second before which candles were forgotten, 0 where none was."""
        return self._rollup.floor[TIMEFRAMES.index(timeframe)]

    def take_renewed(self) -> list[Candle]:
        """Closed ones for the store, new or better known. What silence alone makes whole waits: a doubt may come."""
        return self._rollup.take_renewed(self._coverage.sure_us)

    # -- what the ticks of a base bucket come to

    def _bucket(self, start: int) -> Bucket:
        bucket = self._buckets.get(start)
        if bucket is None:
            bucket = self._buckets[start] = Bucket(start)
            self._retained.append(bucket)
            while len(self._retained) > 1 and self._retained_ticks > RETAINED_TICKS:
                sealed = self._retained.popleft()
                self._retained_ticks -= sealed.ticks
                sealed.seal()
        return bucket

    def _base(self, start: int) -> Bar | None:
        bucket = self._buckets.get(start)
        if bucket is None or not bucket.ticks:
            return None
        until = (start + BASE) * US if start < self._rollup.at else bucket.last_us
        state = self._coverage.state(start * US, until)
        quality: Quality = state if state != "whole" else "backfilled" if bucket.backfilled else "live"
        return Bar(start, bucket.open, bucket.high, bucket.low, bucket.close, bucket.ticks, quality)

    def _entered(self, bar: Bar, first: int) -> Bar:
        """Ticks that begin with a later part of the bucket do not cover it, be that part whole."""
        if not bar.whole or first == bar.start or first not in self._buckets:
            return bar
        state = self._coverage.state(bar.start * US, first * US + 1)
        return bar if state == "whole" else bar._replace(quality=state)
