"""Whether, whom and when to restart. Pure: time and chance are passed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.actors.kernel.specs import Backoff, Restart, Strategy

ExitReason = Literal["normal", "failure", "start_failed", "base_exception", "hung", "fenced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How an incarnation ended."""

    reason: ExitReason
    error: BaseException | None = None


def wants_restart(restart: Restart, reason: ExitReason) -> bool:
    """Whether a child of this kind comes back after such an end."""
    match restart:
        case "permanent":
            return True
        case "transient":
            return reason != "normal"
        case "temporary":
            return False


def affected(strategy: Strategy, ids: Sequence[str], died: str) -> list[str]:
    """Who is to be started anew, in start order, when `died` has to be."""
    match strategy:
        case "one_for_one":
            return [died]
        case "rest_for_one":
            return list(ids[ids.index(died) :])
        case "one_for_all":
            return list(ids)


def delay_s(backoff: Backoff, attempt: int, uniform: float) -> float:
    """Seconds before restart `attempt` (from 0); `uniform` is a random number in [0, 1)."""
    return backoff.whole_s(attempt) * (1 + uniform * backoff.random_factor)


class RestartWindow:
    """The restarts of the last `period_s`, sliding."""

    def __init__(self, *, intensity: int, period_s: float) -> None:
        self._intensity = intensity
        self._period_s = period_s
        self._moments: list[float] = []

    def count(self, now: float) -> bool:
        """Note a restart; whether it is one too many."""
        self._moments = [moment for moment in self._moments if moment > now - self._period_s]
        self._moments.append(now)
        return len(self._moments) > self._intensity

    def clear(self) -> None:
        self._moments.clear()
