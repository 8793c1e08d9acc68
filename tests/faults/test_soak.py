"""Half an hour (in the long form) of mixed faults, one every 20 s: memory, descriptors and threads stay flat."""

import time
from collections.abc import Callable
from random import Random

from faults.drill import Drill
from faults.faults import REDIS, STORE
from support.footprint import Footprint, course

SEED = 30
EVERY_S = (2.0, 20.0)
LASTS_S = (15.0, 1800.0)
LEAK_MB, LEAK_DESCRIPTORS, LEAK_THREADS = 150.0, 40, 20
"""Gross leaks alone: what each figure does is reported."""


def test_memory_descriptors_and_threads_stay_flat_under_mixed_faults(
    drill: Drill, long_form: bool, report: Callable[[object], None]
) -> None:
    random = Random(SEED)
    samples: list[Footprint] = [drill.measure()]
    begun = due = time.monotonic()
    while due - begun < LASTS_S[long_form]:
        outcome = drill.suffer(random.choice(REDIS + STORE))
        samples.append(drill.measure())
        report(f"{time.monotonic() - begun:.0f} s: {outcome}; {samples[-1]}")
        due += EVERY_S[long_form]
        drill.servers.feed.run()
        time.sleep(max(0.0, due - time.monotonic()))  # in peace until the next fault
    drill.settle()
    report(f"seed {SEED}, {len(samples) - 1} faults in {time.monotonic() - begun:.0f} s: {course(samples)}")
    first, last = samples[0], samples[-1]
    assert last.rss_mb - first.rss_mb < LEAK_MB
    assert last.descriptors - first.descriptors < LEAK_DESCRIPTORS
    assert last.threads - first.threads < LEAK_THREADS
