"""How long to wait before the next attempt to reach Redis."""

import random
from collections.abc import Callable

BACKOFF_S = (0.1, 5.0)


def pause_s(
    attempt: int, bounds_s: tuple[float, float] = BACKOFF_S, rand: Callable[[], float] = random.random
) -> float:
    """Seconds to wait after the `attempt`-th failure in a row, from 0: doubling from the lower bound to the upper.

    The upper half is left to chance: links that were cut at one moment must not all come back at one moment.
    """
    low, high = bounds_s
    return min(high, low * 2.0 ** min(attempt, 32)) * (0.5 + 0.5 * rand())
