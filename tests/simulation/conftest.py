"""`pytest tests/simulation --long` runs more seeds."""

from collections.abc import Iterator

import pytest
import structlog
from simulation.campaign import quiet

SHORT, LONG = 2_000, 10_000


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds to simulate."""
    return range(1, (LONG if request.config.getoption("--long") else SHORT) + 1)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Crashes and outages by the thousand: their log lines would cost most of the time."""
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)
