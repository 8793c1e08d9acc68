"""Real servers killed, stopped, filled and cut off from a relay at 1000 ticks a second: each tick is stored once.

The relay and its servers live through all of the faults, so that each also meets what the ones before left behind.
"""

from collections.abc import Callable
from random import Random

import pytest
from faults.drill import Drill
from faults.faults import REDIS, STORE, Fault

SEED = 20261125
SHORT, LONG = 5, 200

Report = Callable[[object], None]


@pytest.mark.parametrize("fault", REDIS + STORE, ids=lambda fault: fault.name)
def test_each_tick_is_stored_once(fault: Fault, drill: Drill, report: Report) -> None:
    report(drill.suffer(fault))


def test_each_tick_is_stored_once_whatever_strikes_next(drill: Drill, long_form: bool, report: Report) -> None:
    random = Random(SEED)
    count = LONG if long_form else SHORT
    for number in range(1, count + 1):
        struck = random.choice(
            [(random.choice(REDIS),), (random.choice(STORE),), (random.choice(REDIS), random.choice(STORE))]
        )
        outcome = drill.suffer(*struck, ticks=random.randrange(100, 1500))
        report(f"{number}/{count} seed {SEED}: {outcome}")
    drill.end()
