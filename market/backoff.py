"""How long to wait before trying again: growing, capped, jittered. Pure: randomness is passed in."""

import random as _random

MAX_DOUBLINGS = 32


class Backoff:
    """Delays min_s, 2·min_s, 4·min_s … up to max_s, each shortened by up to `jitter` of itself.

    Jitter shortens and never lengthens, so `max_s` is a promise, and those who were cut off at one moment still come
    back at different ones.
    """

    def __init__(self, *, min_s: float, max_s: float, random: _random.Random, jitter: float = 0.2) -> None:
        """Raises ValueError unless 0 < min_s <= max_s and 0 <= jitter < 1."""
        if not 0 < min_s <= max_s:
            raise ValueError(f"backoff from {min_s} s to {max_s} s: take 0 < min_s <= max_s")
        if not 0 <= jitter < 1:
            raise ValueError(f"backoff jitter {jitter}: take at least 0 and less than 1")
        self._min_s = min_s
        self._max_s = max_s
        self._jitter = jitter
        self._random = random
        self._attempt = 0

    @property
    def attempt(self) -> int:
        """Delays handed out since the last reset."""
        return self._attempt

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        whole: float = min(self._max_s, self._min_s * 2.0 ** min(self._attempt, MAX_DOUBLINGS))
        self._attempt += 1
        return whole * (1.0 - self._jitter * self._random.random())

    def reset(self) -> None:
        """It worked: the next failure starts from min_s."""
        self._attempt = 0
