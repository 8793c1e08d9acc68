"""The simulation has teeth: bugs of the kinds that are easily written are found within as many seeds as CI runs."""

from collections.abc import Callable

import pytest
from simulation.campaign import first_failure
from simulation.conftest import SHORT
from simulation.planted import BUGS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, report: Callable[[object], None]) -> None:
    with BUGS[name]():
        found = first_failure(range(1, SHORT + 1))
    assert found is not None, f"{SHORT} seeds did not find: {name}"
    seed, explanation = found
    report(f"{name}: seed {seed}\n  {explanation.splitlines()[0]}")


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 12
