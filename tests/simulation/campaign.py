"""Many seeds: in this process, or spread over processes of their own; what they cost and what they found."""

import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import structlog
from simulation.chance import Rates
from simulation.oracle import Violation
from simulation.world import World

TESTS = Path(__file__).parent.parent


@dataclass(slots=True)
class Figures:
    """Of a number of seeds; `failed` holds the explanation of each that failed."""

    seeds: int = 0
    turns: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        self.seeds += other.seeds
        self.turns += other.turns
        self.seconds += other.seconds
        self.faults += other.faults
        self.failed |= other.failed

    def to_json(self) -> bytes:
        values = {
            "seeds": self.seeds,
            "turns": self.turns,
            "seconds": self.seconds,
            "faults": dict(self.faults),
            "failed": self.failed,
        }
        return orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS)

    @classmethod
    def from_json(cls, text: bytes) -> "Figures":
        values = orjson.loads(text)
        failed = {int(seed): explanation for seed, explanation in values["failed"].items()}
        return cls(values["seeds"], values["turns"], values["seconds"], Counter(values["faults"]), failed)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.seeds} seeds, {self.turns} turns of actors, {self.seconds:.1f} s of computing,"
            f" {self.faults.total()} faults: {kinds}"
        )


def quiet() -> None:
    """Crashes and outages by the thousand: their log lines would cost most of the time."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )


def run(seeds: Iterable[int]) -> Figures:
    """One seed after another, here."""
    figures = Figures()
    started = time.monotonic()
    for seed in seeds:
        world = World(seed)
        try:
            world.run()
        except Violation as error:
            figures.failed[seed] = str(error)
        figures.seeds += 1
        figures.turns += world.turns
        figures.faults += world.chance.faults
    figures.seconds = time.monotonic() - started
    return figures


def run_spread(seeds: range, *, processes: int = 2) -> Figures:
    """The same in several processes."""
    command = [sys.executable, "-m", "simulation.campaign", str(seeds.stop)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    figures = Figures()
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, str(seeds.start + place), str(processes)],
                    cwd=TESTS,
                    env=environment,
                    stdout=subprocess.PIPE,
                )
            )
            for place in range(processes)
        ]
        answers = [each.communicate()[0] for each in running]
    assert not any(each.returncode for each in running), "a process of the simulation has failed; it says why above"
    for answer in answers:
        figures.add(Figures.from_json(answer))
    return figures


def first_failure(seeds: Iterable[int], rates: Rates | None = None) -> tuple[int, str] | None:
    """The first seed that fails, and how; under these rates instead of the seed's own, if given."""
    for seed in seeds:
        try:
            World(seed, rates).run()
        except Violation as error:
            return seed, str(error)
    return None


if __name__ == "__main__":
    quiet()
    last, first, step = map(int, sys.argv[1:])
    sys.stdout.buffer.write(run(range(first, last, step)).to_json())
