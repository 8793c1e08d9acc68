"""The real clocks."""

import time


class SystemClock:
    """`actors.ports.Clock` of this machine."""

    def now_us(self) -> int:
        """Wall clock, whole microseconds UTC; may step."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since an unknown moment; never steps."""
        return time.monotonic()
