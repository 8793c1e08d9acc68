"""What is neither storage nor network: time, and what the relay tells about itself."""

from collections.abc import Mapping
from typing import Protocol

from tickwire.messages.telemetry import Telemetry


class Clock(Protocol):
    def now_us(self) -> int:
        """Wall clock, whole microseconds UTC."""

    def monotonic(self) -> float:
        """Seconds that never step."""


class Metrics(Protocol):
    """The registry that MetricsCollector fills. It outlives incarnations: a counter never falls while the relay lives.

    Filled in the actor's thread, read in any.
    """

    def record(self, message: Telemetry) -> None:
        """Take one message into counters, gauges and histograms."""

    def redis_info(self, info: Mapping[str, str]) -> None:
        """INFO's fields as just read; empty where nothing is known, which takes the old ones away."""
