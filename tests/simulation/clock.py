"""Virtual time: one heap of all timers, of the actors and of the world around them."""

import heapq
import itertools
from collections.abc import Callable
from random import Random

START_US = 1_756_866_774_000_000
Act = Callable[[], None]


class SimTimer:
    __slots__ = ("act",)

    def __init__(self, act: Act) -> None:
        self.act: Act | None = act

    def cancel(self) -> None:
        self.act = None


class SimClock:
    """`ports.Clock`. Timers that fall due at one time act in seeded order, except those due at once."""

    def __init__(self, random: Random) -> None:
        self.seconds = 1000.0
        self._random = random
        self._due: list[tuple[float, float, int, SimTimer]] = []
        self._count = itertools.count()

    def now_us(self) -> int:
        return START_US + round((self.seconds - 1000.0) * 1e6)

    def now_ms(self) -> int:
        return self.now_us() // 1000

    def monotonic(self) -> float:
        return self.seconds

    def later(self, delay_s: float, act: Act) -> SimTimer:
        timer = SimTimer(act)
        tie = self._random.random() if delay_s > 0.0 else 0.0
        heapq.heappush(self._due, (self.seconds + max(0.0, delay_s), tie, next(self._count), timer))
        return timer

    @property
    def next_due(self) -> float | None:
        while self._due and self._due[0][3].act is None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def act(self) -> bool:
        """Let one timer that is due act; whether there was one."""
        due = self.next_due
        if due is None or due > self.seconds:
            return False
        timer = heapq.heappop(self._due)[3]
        act, timer.act = timer.act, None
        if act is not None:
            act()
        return True
