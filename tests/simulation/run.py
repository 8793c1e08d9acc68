"""Run seeds by hand: python -m simulation.run 17 [18 …]   (in tests/; a range as 1-500)."""

import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence

import structlog

from simulation.world import World


def quiet() -> None:
    """Crashes and outages by the hundred: their log lines would cost most of the time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def seeds(words: Sequence[str]) -> Iterator[int]:
    for word in words:
        first, _, last = word.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main() -> int:
    quiet()
    failed = []
    faults: Counter[str] = Counter()
    started = time.monotonic()
    turns = count = 0
    for seed in seeds(sys.argv[1:]):
        world = World(seed)
        try:
            world.run()
        except Exception as error:
            failed.append(seed)
            sys.stdout.write(f"{seed}: {error}\n")
            if not isinstance(error, AssertionError):
                traceback.print_exc()
        count += 1
        turns += world.turns
        faults += world.chance.faults
    seconds = time.monotonic() - started
    sys.stdout.write(f"{count} seeds, {turns} turns, {seconds:.1f} s, {faults.total()} faults: {dict(faults)}\n")
    sys.stdout.write(f"failed: {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
