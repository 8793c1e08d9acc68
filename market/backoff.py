"""Pauses between attempts: capped, jittered, growing."""

from random import Random


class Backoff:
    """min·2ⁿ, at most max, each lengthened by up to a fifth at random so that many clients do not come at once."""

    def __init__(self, *, min_s: float, max_s: float, random: Random, jitter: float = 0.2) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._random = random
        self._jitter = jitter
        self._failures = 0

    def next_s(self) -> float:
        """The pause before the next attempt, in seconds."""
        pause = min(self._max_s, self._min_s * 2.0 ** min(self._failures, 60))
        self._failures += 1
        return pause * (1 + self._random.random() * self._jitter)

    def reset(self) -> None:
        """An attempt succeeded: begin with the shortest pause again."""
        self._failures = 0
