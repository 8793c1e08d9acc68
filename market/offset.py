"""How far a source's clock is ahead of UTC, found from arrival times."""

from collections import deque
from dataclasses import dataclass

STEP_US = 15 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class OffsetChange:
    offset_us: int


class OffsetEstimator:
    def __init__(self, *, window_s: float = 60.0) -> None:
        self._window_us = round(window_s * 1e6)
        self._leads: deque[tuple[int, int]] = deque()
        self._since_us: int | None = None
        self._known = False
        self.offset_us = 0
        self.estimate_us = 0

    def observe(self, newest_raw_us: int, arrival_us: int) -> OffsetChange | None:
        lead = newest_raw_us - arrival_us
        while self._leads and self._leads[-1][1] <= lead:
            self._leads.pop()
        self._leads.append((arrival_us, lead))
        while self._leads[0][0] < arrival_us - self._window_us:
            self._leads.popleft()
        self.estimate_us = self._leads[0][1]
        rounded = round(self.estimate_us / STEP_US) * STEP_US
        if not self._known:
            self._known = True
            self.offset_us = rounded
            return OffsetChange(rounded)
        if rounded == self.offset_us:
            self._since_us = None
            return None
        if self._since_us is None:
            self._since_us = arrival_us
        if arrival_us - self._since_us < 60_000_000:
            return None
        self._since_us = None
        self.offset_us = rounded
        return OffsetChange(rounded)
