"""Which assets have fallen silent, judged by monotonic arrival and by each asset's own pace.

An over-the-counter asset of PocketOption ticks about twice a second (longest silence seen in 13 minutes: 0.72 s) and is
stale after 5 s. Any other asset may be silent for as long as 20 of its usual pauses or three times its longest recent
silence, but at least for 10 s and at most for 10 minutes; while its pace is not known yet, for a minute.
"""

OTC_S = 5.0
LEAST_S = 10.0
MOST_S = 600.0
UNKNOWN_PACE_S = 60.0

USUAL_PAUSES = 20.0
LONGEST_SILENCES = 3.0
PACE_KNOWN_AFTER = 5
"""Pauses measured before the pace counts as known."""
_NEWEST_WEIGHT = 0.1
_LONGEST_FADES = 0.98


class _Pace:
    """How one asset arrives. Seconds, monotonic."""

    __slots__ = ("fixed_s", "last", "least_s", "longest_s", "pause_s", "pauses")

    def __init__(self, fixed_s: float | None, least_s: float, now: float) -> None:
        self.fixed_s = fixed_s
        self.least_s = least_s
        self.last = now
        self.pauses = 0
        self.pause_s = 0.0
        """Mean time between ticks."""
        self.longest_s = 0.0
        """Longest silence between arrivals, fading."""

    def arrive(self, now: float, count: int) -> None:
        silence = now - self.last
        if silence <= 0.0:
            return  # more of the same read
        if silence <= self.limit_s():  # an outage teaches nothing about the pace
            self.pauses += 1
            weight = max(_NEWEST_WEIGHT, 1.0 / self.pauses)
            self.pause_s += (silence / count - self.pause_s) * weight
            self.longest_s = max(silence, self.longest_s * _LONGEST_FADES)
        self.last = now

    def limit_s(self) -> float:
        if self.fixed_s is not None:
            return self.fixed_s
        if self.pauses < PACE_KNOWN_AFTER:
            return max(UNKNOWN_PACE_S, self.least_s)
        limit = max(USUAL_PAUSES * self.pause_s, LONGEST_SILENCES * self.longest_s)
        return max(self.least_s, min(MOST_S, limit))


class Staleness:
    """One feed's assets. Not thread-safe."""

    def __init__(self, *, otc_s: float = OTC_S, least_s: float = LEAST_S) -> None:
        """`otc_s`: the silence of an OTC asset that is too long; `least_s`: the shortest one of any other that is."""
        self._otc_s = otc_s
        self._least_s = least_s
        self._paces: dict[str, _Pace] = {}
        self._deadlines: dict[str, float] = {}

    @property
    def watched(self) -> int:
        """How many assets there are to judge."""
        return len(self._deadlines)

    def observe(self, asset: str, now: float, count: int) -> None:
        """`count` ticks (at least 1) of `asset` arrived at monotonic `now`."""
        pace = self._paces.get(asset)
        if pace is None:
            pace = self._paces[asset] = _Pace(self._otc_s if is_otc(asset) else None, self._least_s, now)
        else:
            pace.arrive(now, count)
        self._deadlines[asset] = now + pace.limit_s()

    def stale(self, now: float) -> tuple[str, ...]:
        """Assets silent for longer than they may be, in the order in which they were first seen."""
        return tuple(asset for asset, deadline in self._deadlines.items() if deadline < now)

    def limit_s(self, asset: str) -> float | None:
        """How long the asset may be silent; None if it was never seen."""
        pace = self._paces.get(asset)
        return pace.limit_s() if pace else None

    def forget(self, asset: str) -> None:
        """Nobody subscribes to it any more: its silence is no fault."""
        self._paces.pop(asset, None)
        self._deadlines.pop(asset, None)


def is_otc(asset: str) -> bool:
    """Whether the name is of an over-the-counter asset: `EURUSD_otc`, and QuFLX v2's `EURUSDOTC`."""
    return asset[-3:].lower() == "otc"
