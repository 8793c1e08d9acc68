"""How far a source's clock runs ahead of UTC, found from arrival times.

PocketOption stamps its ticks about two hours ahead. A tick arrives late by network and capture, never early: the
largest stamp-minus-arrival of a window is closest to the truth, and the truth is whole quarter hours, as time zones
are.
"""

from collections import deque
from dataclasses import dataclass

QUARTER_HOUR_US = 900_000_000
LARGEST_US = 14 * 3_600_000_000
"""No time zone is further from UTC: a stamp beyond is an old quote of a closed market, or wrong, and is no sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetChange:
    """The offset was decided (`before_us` is None) or has changed."""

    offset_us: int
    before_us: int | None


class OffsetEstimator:
    """One feed's clock offset. The first sample decides; a change needs `agreement_s` of steady disagreement.

    The window is shorter than the agreement, or a single stamp of the future could change the offset alone.
    """

    def __init__(self, *, window_s: float = 30.0, agreement_s: float = 60.0) -> None:
        if not 0 < window_s < agreement_s:
            raise ValueError(f"window_s {window_s}, agreement_s {agreement_s}: take 0 < window_s < agreement_s")
        self._window_us = round(window_s * 1e6)
        self._agreement_us = round(agreement_s * 1e6)
        # (arrival, stamp - arrival), the second strictly falling: its head is the window's largest.
        self._samples: deque[tuple[int, int]] = deque()
        self._newest_arrival_us = 0
        self._offset_us: int | None = None
        self._rival_us: int | None = None
        self._rival_since_us = 0

    @property
    def offset_us(self) -> int:
        """The source's clock ahead of UTC in whole quarter hours; 0 before the first sample."""
        return self._offset_us or 0

    @property
    def estimate_us(self) -> int:
        """The window's largest stamp-minus-arrival, not rounded; 0 before the first sample."""
        return self._samples[0][1] if self._samples else 0

    def observe(self, newest_raw_us: int, arrival_us: int) -> OffsetChange | None:
        """Take the newest stamp of a batch and when it arrived; says so when the offset is decided or changes."""
        ahead = newest_raw_us - arrival_us
        if abs(ahead) > LARGEST_US + QUARTER_HOUR_US // 2:
            return None
        self._slide(ahead, arrival_us)
        rounded = (self._samples[0][1] + QUARTER_HOUR_US // 2) // QUARTER_HOUR_US * QUARTER_HOUR_US
        if rounded == self._offset_us:
            self._rival_us = None
            return None
        if self._offset_us is None:
            return self._decide(rounded)
        if rounded != self._rival_us or arrival_us < self._rival_since_us:
            self._rival_us, self._rival_since_us = rounded, arrival_us
        if arrival_us - self._rival_since_us < self._agreement_us:
            return None
        return self._decide(rounded)

    def _slide(self, ahead: int, arrival_us: int) -> None:
        samples = self._samples
        if arrival_us < self._newest_arrival_us - self._window_us:
            samples.clear()  # our own clock was set back: what it said before is no measure
        self._newest_arrival_us = arrival_us
        while samples and samples[-1][1] <= ahead:
            samples.pop()
        samples.append((arrival_us, ahead))
        while samples[0][0] <= arrival_us - self._window_us:
            samples.popleft()

    def _decide(self, offset_us: int) -> OffsetChange:
        before, self._offset_us, self._rival_us = self._offset_us, offset_us, None
        return OffsetChange(offset_us=offset_us, before_us=before)
