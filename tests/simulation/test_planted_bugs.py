"""The simulation has teeth: bugs of the kinds that are easily written are found within as many seeds as CI runs."""

from collections.abc import Callable
from itertools import chain

import pytest
from simulation.campaign import first_failure
from simulation.conftest import SHORT
from simulation.planted import BUGS

FOUND_AT = {
    "rows appended to an older copy of the stream": 1000,
}
"""Where to begin, for those that few seeds find: it saves time, nothing depends on it."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, report: Callable[[object], None]) -> None:
    first = FOUND_AT.get(name, 1)
    with BUGS[name]():
        found = first_failure(chain(range(first, SHORT + 1), range(1, first)))
    assert found is not None, f"{SHORT} seeds did not find: {name}"
    seed, explanation = found
    report(f"{name}: seed {seed}\n  {explanation.splitlines()[0]}")


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 12
