"""The bench's table: tickwire beside the baseline, medians of several runs taken in turn."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tickwire.runtime.cli.bench.scenario import Figures, RelayKind, Scenario, run

MOST_PER_SECOND = {"tickwire": 80_000, "baseline": 6_000}
"""At full speed so many ticks are poured for each second asked for: about that long takes each relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: a scenario's medians."""

    what: str
    relay: RelayKind
    runs: int
    per_second: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


RELAYS: tuple[RelayKind, RelayKind] = ("tickwire", "baseline")


def measure(
    rates: Sequence[float], *, per_frame: int, seconds: float, runs: int, tell: Callable[[str], None]
) -> list[Line]:
    """Both relays at full speed and at each rate, in turn, `runs` times. Raises BenchFailed."""
    plan: list[tuple[str, RelayKind, Scenario]] = []
    for relay in RELAYS:
        most = Scenario(rate=0, ticks=int(MOST_PER_SECOND[relay] * seconds), per_frame=per_frame)
        plan.append((f"most, {per_frame} a frame", relay, most))
    for rate in rates:
        for relay in RELAYS:
            paced = Scenario(rate=rate, ticks=max(50, int(rate * seconds)), per_frame=per_frame)
            plan.append((f"{rate:g}/s", relay, paced))
    seen: dict[tuple[str, RelayKind], list[Figures]] = {}
    for turn in range(runs):
        for what, relay, scenario in plan:
            tell(f"run {turn + 1} of {runs}: {relay}, {what}")
            seen.setdefault((what, relay), []).append(run(relay, scenario))
    return [_line(what, relay, figures) for (what, relay), figures in seen.items()]


def _line(what: str, relay: RelayKind, figures: Sequence[Figures]) -> Line:
    return Line(
        what=what,
        relay=relay,
        runs=len(figures),
        per_second=median(each.per_second for each in figures),
        p50_ms=_median([each.p50_ms for each in figures]),
        p99_ms=_median([each.p99_ms for each in figures]),
        max_ms=_median([each.max_ms for each in figures]),
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def ratio(lines: Sequence[Line]) -> float | None:
    """tickwire's most ticks a second over the baseline's, of the same run."""
    most = {line.relay: line.per_second for line in lines if line.what.startswith("most")}
    return most["tickwire"] / most["baseline"] if len(most) == 2 else None
