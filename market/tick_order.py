"""Which live ticks of an asset its candles count, and in which order. Pure.

The asset's clock is its newest tick, and goes on from there while it is silent. A tick far ahead of that clock is held
back until others agree with it or the clock has come to it: one wrong stamp must not make all that follow it late.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from operator import itemgetter, le, sub

from tickwire.market.timeframes import SECONDS

US = 1_000_000
BASE_US = SECONDS["15s"] * US
LATE_US = 10 * US
"""A tick so late still amends its closed candle; a later one is counted and left out."""
DOUBT_US = 60 * US
"""A tick further ahead of the clock than this is doubted."""
AGREE = 3
"""Doubted ticks that bear each other out: a recording went on after a pause."""

Tick = tuple[int, float, int]
"""Stamp, price, ordinal."""
Columns = tuple[Sequence[int], Sequence[float], Sequence[int]]


class TickOrder:
    def __init__(self) -> None:
        self.newest_us = 0
        self.late = 0
        self.ahead = 0
        """Doubted, and the clock went on without them."""
        self._arrived = 0.0
        self._held: list[Tick] = []

    def take(self, columns: Columns, now: float, recv_us: int, open_us: int) -> Columns:
        """Those that count, ascending by stamp, of one stamp in the order they came.

        `recv_us` (0 where unknown) judges the first tick of all; `open_us` is the present bucket's start.
        """
        ts_us, newest_us = columns[0], self.newest_us
        in_order = ts_us[0] >= open_us and (len(ts_us) == 1 or all(map(le, ts_us, islice(ts_us, 1, None))))
        if in_order and newest_us <= ts_us[-1] <= newest_us + DOUBT_US and not self._held:
            self.newest_us, self._arrived = ts_us[-1], now
            return columns
        clock_us = self.clock_us(now) if newest_us else _first_clock(ts_us[0], recv_us)
        self._arrived = now
        if not in_order or self._held or _leaps(ts_us, clock_us):
            columns = self._judged(columns, clock_us)
            ts_us = columns[0]
        if ts_us:
            self.newest_us = max(self.newest_us, ts_us[-1])
        return columns

    def clock_us(self, now: float) -> int:
        """The asset's time, if it has one."""
        return self.newest_us + int((now - self._arrived) * US)

    def until(self, us: int) -> float:
        """The monotonic time at which the clock comes to `us`."""
        return self._arrived + (us - self.newest_us) / US

    def due(self) -> float | None:
        """When a held tick is doubted no longer."""
        return self.until(min(self._held)[0] - DOUBT_US) if self._held and self.newest_us else None

    def elapsed(self, now: float) -> Columns:
        """Held ticks that the clock has come to."""
        if not self._held or not self.newest_us:
            return (), (), ()
        newest_us, clock_us = self.newest_us, self.clock_us(now)
        taken: list[Tick] = []
        self._release(taken, clock_us)
        if taken:
            self.newest_us, self._arrived = max(newest_us, taken[-1][0]), now
        return _columns(taken)

    def _judged(self, columns: Columns, clock_us: int) -> Columns:
        newest = self.newest_us
        taken: list[Tick] = []
        for tick in zip(*columns, strict=True):
            us = tick[0]
            if us > max(clock_us, newest) + DOUBT_US:
                self._held.append(tick)
                if len(self._held) >= AGREE:
                    newest = self._release(taken, newest, agreed=True)
            elif newest - us > LATE_US and (us // BASE_US + 1) * BASE_US <= newest:
                self.late += 1
            else:
                if self._held and us >= newest:
                    del self._held[0]
                    self.ahead += 1
                newest = max(newest, us)
                taken.append(tick)
        return _columns(taken)

    def _release(self, taken: list[Tick], clock_us: int, *, agreed: bool = False) -> int:
        """Take the first held one if it is agreed, and all that are near the clock; returns the clock then."""
        self._held.sort(key=itemgetter(0))
        while self._held and (agreed or self._held[0][0] <= clock_us + DOUBT_US):
            agreed = False
            taken.append(self._held.pop(0))
            clock_us = max(clock_us, taken[-1][0])
        return clock_us


def _first_clock(first_us: int, recv_us: int) -> int:
    """A first tick makes the clock, unless it is ahead of the relay's own. (A recording's is far behind.)"""
    return recv_us if recv_us and first_us > recv_us + DOUBT_US else first_us


def _leaps(ts_us: Sequence[int], clock_us: int) -> bool:
    """Whether one of ascending stamps is far ahead of what came before it."""
    if ts_us[-1] <= clock_us + DOUBT_US:
        return False
    return ts_us[0] > clock_us + DOUBT_US or max(map(sub, islice(ts_us, 1, None), ts_us)) > DOUBT_US


def _columns(ticks: Iterable[Tick]) -> Columns:
    ordered = sorted(ticks, key=itemgetter(0))  # stable: of one stamp in the order they came
    return [tick[0] for tick in ordered], [tick[1] for tick in ordered], [tick[2] for tick in ordered]
