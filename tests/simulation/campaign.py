"""Many seeds: in this process, or spread over processes of their own; what they cost and what they found."""

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import structlog
from simulation.oracle import Violation
from simulation.world import World

CHUNK = 50


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

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.seeds} seeds, {self.turns} turns of actors, {self.seconds:.1f} s of computing,"
            f" {self.faults.total()} faults: {kinds}"
        )


def quiet() -> None:
    """Crashes and outages by the thousand: their log lines would cost most of the time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


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


def run_spread(seeds: Sequence[int], *, processes: int = 2) -> Figures:
    """The same in several processes."""
    chunks = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    figures = Figures()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=quiet) as pool:
        for each in pool.map(run, chunks):
            figures.add(each)
    return figures


def first_failure(seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that fails, and how."""
    for seed in seeds:
        try:
            World(seed).run()
        except Violation as error:
            return seed, str(error)
    return None
